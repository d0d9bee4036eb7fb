"""From a folder of videos, or another tool's list, to lists, a recipe and a plan; and finished runs side by side."""

import csv
import json
import os
import shutil
import subprocess
import sys

from small import Place, require

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")


def distal(*arguments, code=0, says=""):
    run = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True, timeout=300, cwd=place.path)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr or run.stdout}")
    require(says in run.stdout + run.stderr, f"{arguments}: says '{(run.stdout + run.stderr).strip()}', not '{says}'")
    return run.stdout


def imported(*arguments):
    return json.loads(distal("import", *arguments, "--store", store, "--json", "--quiet"))


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


for out in ("one", "two"):
    require(place.run(out, "--set", "seeds=1").returncode == 0, "the small recipe runs")
store = f"sqlite:{place.path / 'import.db'}"
made = [(place.path / "videos" / row["path"], row["label"]) for row in rows(place.path / "videos" / "pool.csv")]
lefts, rights = ([path for path, label in made if label == side] for side in ("left", "right"))


def lay(folder, name, video):
    (place.path / folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(video, place.path / folder / name)


# A tree: numbered files, a quarter of each class to test on.
tree = place.path / "tree"
for label, videos in (("left", lefts), ("right", rights)):
    for number, video in enumerate(videos[:16]):
        lay("tree", f"{label}/{number:03}.mp4", video)
distal("import", tree, "--store", store, "--dry-run", says="would write")
require(not (tree / "train.csv").exists() and not (place.path / "import.db").exists(), "a dry run writes nothing")
first = imported(tree)
train, test = rows(tree / "train.csv"), rows(tree / "test.csv")
require((first["clips"], first["lists"]["train"]["rows"], first["lists"]["test"]["rows"]) == (32, len(train), len(test)), f"the summary counts: {first}")
require(sorted(row["label"] for row in test) == ["left"] * 4 + ["right"] * 4, f"a quarter of each class is for testing: {test}")
require(not {row["group"] for row in train} & {row["group"] for row in test}, "no group stands on both sides")
require(imported(tree) == first, "the same import again changes nothing")
distal("import", tree, "--store", store, "--seed", 2, code=1, says="exists with other content")
distal("import", tree, "--store", store, "--seed", 2, "--force")

# The recipe that fits it is one that runs.
recipe = place.path / "fitted.yaml"
distal("new", recipe, "--store", store, "--quiet", says="next: distal run")
require("flip: 0}" in recipe.read_text(), "left and right are not flipped")
distal("new", recipe, "--data", tree, code=1, says="--force")
distal("run", recipe, "--store", store, "--dry-run", "--quiet", says="strategy margin")
distal("new", place.path / "none.yaml", "--data", place.path / "two", code=1, says="train.csv")
require(not (place.path / "none.yaml").exists(), "a recipe that cannot run is not written")

# Patients of whom each is in every class: whole patients, about a quarter of them.
for number in range(8):
    lay("patients", f"left/p{number}_a.mp4", lefts[number])
    lay("patients", f"right/p{number}_b.mp4", rights[number])
imported(place.path / "patients", "--group", "^(p[0-9])_")
require(len({row["group"] for row in rows(place.path / "patients" / "test.csv")}) == 2, "two of eight patients are for testing")
require(len(rows(place.path / "patients" / "test.csv")) == 4, "with all their videos")

# A copy under another name goes where the video goes.
for number in range(4):
    lay("copies", f"left/{number}.mp4", lefts[number])
    lay("copies", f"right/{number}.mp4", rights[number])
lay("copies", "left/again.mp4", lefts[0])
require(any("copies" in note for note in imported(place.path / "copies")["notes"]), "copies are named")

# Lists of other tools; the videos lie elsewhere, one is missing.
lists = place.path / "lists"
lists.mkdir()
(lists / "names.txt").write_text("left\nright\n")
(lists / "mm.txt").write_text("".join(f"left/{n:03}.mp4 0\nright/{n:03}.mp4 1\n" for n in range(9)) + "left/absent.mp4 0\n")
found = imported(lists / "mm.txt", "--videos", tree, "--classes", lists / "names.txt", "--lists", lists / "mm")
require((found["format"], found["classes"], found["missing"]) == ("mmaction2", {"left": 9, "right": 9}, 1), f"MMAction2: {found}")
require(os.path.isabs(rows(lists / "mm" / "test.csv")[0]["path"]), "videos that are not below the lists are named in full")

for number in range(4):
    lay("ucf", f"Left/v_Left_g0{number}_c01.avi", lefts[number])
(lists / "trainlist01.txt").write_text("".join(f"Left/v_Left_g0{n}_c01.avi 1\n" for n in range(3)))
(lists / "testlist01.txt").write_text("Left/v_Left_g03_c01.avi\n")
found = imported(lists / "testlist01.txt", "--videos", place.path / "ucf")
require((found["format"], found["lists"]["train"]["rows"], found["lists"]["test"]["rows"]) == ("ucf101", 3, 1), f"UCF101: {found}")

(lists / "export.json").write_text(json.dumps([{"id": n, "data": {"video": f"/data/upload/1/0123abcd-{n:03}.mp4"}, "annotations": [{"result": [
    {"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 6}], "timelinelabels": ["begin"]}},
    {"type": "timelinelabels", "value": {"ranges": [{"start": 7, "end": 12}], "timelinelabels": ["end"]}}]}]} for n in range(4)]))
found = imported(lists / "export.json", "--videos", tree / "left", "--lists", lists / "spans")
require((found["format"], found["classes"]) == ("labelstudio", {"begin": 4, "end": 4}), f"Label Studio: {found}")
spans = rows(lists / "spans" / "train.csv")[:2]
require([(row["start_frame"], row["end_frame"]) for row in spans] == [("0", "5"), ("6", "11")], f"frames from 1 become frames from 0: {spans}")
(lists / "notes.txt").write_text("dear reader\n")
distal("import", lists / "notes.txt", code=1, says="import reads tree, csv, kinetics")
distal("import", lists / "mm.txt", code=1, says="--videos names their folder")

# Runs side by side: the same test set or none.
both = json.loads(distal("report", "one", "two", "--out", "both.html", "--json"))
arms = {cell["arm"] for cell in both["cells"]}
require(arms == {"one/random", "one/margin", "two/random", "two/margin"}, f"arms carry their run's name: {arms}")
require({cell.get("against") for cell in both["cells"] if cell["arm"] == "two/margin"} == {"two/random"}, "each run keeps its control")
require((place.path / "both.html").stat().st_size > 1000, "the page is there")
distal("report", "one", "one/", code=2, says="given twice")
for side in ("a", "b"):
    shutil.copytree(place.path / "one", place.path / side / "run")
arms = {cell["arm"] for cell in json.loads(distal("report", "a/run", "b/run", "--out", "both.html", "--json"))["cells"]}
require(arms == {"a/run/random", "a/run/margin", "b/run/random", "b/run/margin"}, f"runs of one name are told apart: {arms}")
for field, value in (("test_videos", lambda old: ["other"] + old[1:]), ("classes", lambda old: old[:1] + ["down"]), ("budget_unit", lambda old: "seconds"),
                     ("test_id", lambda old: old[::-1])):
    other = json.loads((place.path / "two" / "report.json").read_text())
    other[field] = value(other[field])
    (place.path / "b" / "run" / "report.json").write_text(json.dumps(other))
    distal("report", "one", "b/run", "--out", "refused.html", code=1, says="one and b/run differ in")
older = json.loads((place.path / "two" / "report.json").read_text())
del older["test_id"]
(place.path / "b" / "run" / "report.json").write_text(json.dumps(older))
notes = json.loads(distal("report", "one", "b/run", "--out", "both.html", "--json"))["notes"]
require(any("did not say which clips were tested" in note for note in notes), f"what could not be checked is said: {notes}")
twice = json.loads((place.path / "two" / "report.json").read_text())
twice["cells"].append(twice["cells"][0])
(place.path / "b" / "run" / "report.json").write_text(json.dumps(twice))
distal("report", "b/run", "--out", "refused.html", code=1, says="twice")
require(not (place.path / "refused.html").exists(), "what cannot be compared gives no page")
print("imported, fitted, planned, compared")
