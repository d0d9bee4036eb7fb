"""People answer by files: from a folder of videos without labels to a student that is measured."""

import csv
import json
import os
import pathlib
import subprocess
import sys

from small import Place, require

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")
STORE = f"sqlite:{place.path / 'people.db'}"


def distal(*arguments, code=0, says=""):
    run = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True, encoding="utf-8", timeout=300, cwd=place.path)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr or run.stdout}")
    require(says in run.stdout + run.stderr, f"{arguments}: says '{(run.stdout + run.stderr).strip()}', not '{says}'")
    return run.stdout + run.stderr


# Videos of two motions, flat, with nothing that tells the class but the list that generated them.
made = place.path / "made"
(place.path / "make.yaml").write_text(f"""
seeds: 1
data: {{root: {made}, synthetic: {{classes: [left, right], train: 2, pool: 30, test: 2, frames: 8, size_px: 32}}, pool: {{csv: pool.csv}}, test: {{csv: test.csv}}}}
input: {{sampling: {{frames: 4}}, size_px: 32}}
student: {{model: {{name: resnet3d, depth: 10, width: 4}}, training: {{steps: 1, batch_size: 2}}}}
start: 2
rounds: 0
arms: {{random: {{strategy: random}}}}
""")
distal("run", "make.yaml", "--store", f"sqlite:{place.path / 'make.db'}", "--out", "made_out", "--threads", 1, "--quiet")
truth, videos = {}, place.path / "videos"
videos.mkdir()
for row in csv.DictReader(open(made / "pool.csv", newline="")):
    name = f"{len(truth):02}.mp4"
    (videos / name).write_bytes((made / row["path"]).read_bytes())
    truth[name] = row["label"]

distal("import", videos, "--store", STORE, "--quiet", code=1, says="--unlabelled")
text = distal("import", videos, "--unlabelled", "--store", STORE, "--quiet")
require("held_out.csv is never trained on" in text, f"import says what the held-out set shows: {text}")
distal("new", "first.yaml", "--store", STORE, "--quiet", code=2, says="--classes")
distal("new", "first.yaml", "--store", STORE, "--classes", "left,right", "--quiet")
recipe = (place.path / "first.yaml").read_text()
require("kind: people" in recipe and "first_seed" in recipe, f"the recipe asks people: {recipe}")

SMALL = ["--set", "student.training.steps=2", "--set", "input.size_px=32", "--set", "input.sampling.frames=4", "--set", "rounds=1", "--set", "seeds=2",
         "--set", f"cache.folder={place.path / 'frames'}"]


def run(code=0, says=""):
    return distal("run", "first.yaml", "--store", STORE, "--out", "out", "--threads", 1, "--quiet", *SMALL, code=code, says=says)


def asked():
    with open(place.path / "ask.csv", newline="") as file:
        return list(csv.DictReader(file))


def answered(rows, path="answers.csv"):
    with open(place.path / path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return path


def fill(rows):
    for row in rows:
        row["class"], row["person"], row["seconds"] = truth[pathlib.Path(row["video"]).name], "ann", "3.5"
    return rows


distal("ask", "--store", STORE, code=1, says="nobody is asked")
run(code=75, says="distal ask writes the questions")
distal("ask", "--store", STORE, says="questions of study first")
distal("ask", "--store", STORE, code=1, says="--force")
first = asked()
for format in ("label-studio", "cvat"):
    distal("ask", "first.yaml", "--store", STORE, "--format", format, "--out", f"ask-{format}")
require(len(json.loads((place.path / "ask-label-studio.json").read_text())) == len(first), "a task each")

# What is wrong is refused by row, and the rest is kept.
rows = fill(first)
rows[0]["class"] = "upwards"
rows[1]["skipped"], rows[1]["class"] = "true", ""
stranger = dict(rows[2], clip="0000@0-1")
text = distal("answer", answered(rows + [stranger]), "--store", STORE, code=1, says="2 refused")
require("upwards" in text and "0000@0-1" in text, f"both rows are named: {text}")
text = distal("answer", answered(rows[1:]), "--store", STORE)
require(f"0 answers stored, {len(rows) - 1} were there before" in text, f"the same file again changes nothing: {text}")
rows[0]["class"] = truth[pathlib.Path(rows[0]["video"]).name]
distal("answer", answered(rows[:1]), "--store", STORE, says="no question is open")

run(code=75, says="distal ask writes the questions")
distal("ask", "--store", STORE, "--force", "--guess")
second = asked()
require(second and not {row["clip"] for row in second} & {row["clip"] for row in first}, "nobody is asked twice")
require(all(row["guess"] for row in second), "the student's guess stands beside each")


def as_cvat(body):
    """As CVAT exports a project "for images 1.1": a tag on a frame of each task."""
    tasks, images = "", ""
    for number, task in enumerate(body["tasks"]):
        data = task["data"]
        require((data["start_frame"], data["stop_frame"]) == (0, 7), f"a clip is the eight frames of its video: {data}")
        tasks += f"<task><id>{number}</id><name>{task['task']['name']}</name><assignee><username>kim</username></assignee></task>"
        name = truth[pathlib.Path(data["server_files"][0]).name]
        images += f'<image id="{data["stop_frame"]}" name="f" task_id="{number}"><tag label="{name}"/></image>'
    return f"<annotations><meta><project><tasks>{tasks}</tasks></project></meta>{images}</annotations>"


distal("ask", "--store", STORE, "--format", "cvat", "--out", "second-cvat")
body = json.loads((place.path / "second-cvat.json").read_text())
require([task["task"]["name"] for task in body["tasks"]] == [row["clip"] for row in second], "a task each, in the same order")
(place.path / "cvat.xml").write_text(as_cvat(body))
distal("answer", "cvat.xml", "--store", STORE, says="no question is open")
run()
report = json.loads((place.path / "out" / "report.json").read_text())
tested = len([row for row in first]) - 1
require((place.path / "out" / "report.html").exists(), "there is a report")
with open(place.path / "out" / "curve.csv", newline="") as file:
    curve = list(csv.DictReader(file))
require({row["round"] for row in curve} == {"0", "1"} and len(curve) == 4, f"two seeds, two rounds: {curve}")
distal("ask", "--store", STORE, "--force", code=1, says="every question is answered")
run()  # again: nothing is trained or asked


def in_parts(name, *sets):
    """The same study, whose questions are answered a half at a time: its curve, and what its runs said."""
    store, said = f"sqlite:{place.path / name}.db", ""
    options = [word for one in ("budget=4", *sets) for word in ("--set", one)]
    for _ in range(40):
        run = subprocess.run([sys.argv[1], "run", "first.yaml", "--store", store, "--out", name, "--threads", "1", *SMALL, *options],
                             capture_output=True, text=True, timeout=300, cwd=place.path)
        said += run.stderr
        require(run.returncode in (0, 75), f"{name}: exit {run.returncode}: {run.stderr}")
        if run.returncode == 0:
            return (place.path / name / "curve.csv").read_text(), said
        distal("ask", "first", "--store", store, "--out", f"{name}-ask", "--force")
        with open(place.path / f"{name}-ask.csv", newline="") as file:
            rows = fill(list(csv.DictReader(file)))
        distal("answer", answered(rows[:(len(rows) + 1) // 2]), "--store", store)
    sys.exit(f"FAILED: {name} comes to no end: {said}")


# While people answer, what is open is scored and ordered again. The curve is the same with and without.
often, said = in_parts("often", "oracle.rank_again=1")
require("are ranked again" in said, f"it is ranked again: {said}")
never, said = in_parts("never", "oracle.rank_again=0")
require("are ranked again" not in said, f"it is not ranked again: {said}")
require(often == never, f"no result depends on it:\n{often}\n{never}")

# A round goes on with the stated share of its answers. The others are withdrawn and do not count.
share, said = in_parts("share", "oracle.share=0.5")
require("goes on without" in said and "oracle.share = 0.5" in said, f"it says what it goes on without: {said}")
most, least = ([int(row["answers"]) for row in csv.DictReader(text.splitlines())] for text in (never, share))
require(all(a <= b for a, b in zip(least, most)) and least[-1] < most[-1], f"fewer answers are spent: {least}, {most}")
distal("ask", "first", "--store", f"sqlite:{place.path / 'share'}.db", "--out", "none", code=1, says="every question is answered")
