"""Wrong input gets place, what and cure, exit 1 or 2, and leaves nothing half-written; --dry-run leaves nothing at all."""

import json
import os
import sqlite3
import subprocess
import sys

from small import Place, require

place = Place()


def call(*arguments):
    return subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True, timeout=300)


def refuses(code, words, *arguments):
    run = call(*arguments)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr}")
    for word in words:
        require(word in run.stderr, f"{arguments}: says '{run.stderr.strip()}', not '{word}'")


def says(*arguments):
    run = call(*arguments)
    require(run.returncode == 0, f"{arguments}: exit {run.returncode}: {run.stderr}")
    return run.stdout


# The lists as they stand on disk: not generated again.
LISTS = ("--set", "data.synthetic=null")


version = says("--version").split()
require(len(version) == 2 and version[0] == "distal", f"a revision, not {version}")


def recipe(*more, out="other"):
    return place.command(out, *more)[1:]


refuses(2, ["did you mean run?"], "rnu")
refuses(2, ["--thread", "did you mean --threads?"], "run", place.path / "recipe.yaml", "--thread=2")
refuses(2, ["--seed", "give 0 or more"], "run", place.path / "recipe.yaml", "--seed", "-3")
refuses(2, ["--seed", "give 0 or more"], "demo", "--seed", "-3")
refuses(2, ["no such recipe"], "run", place.path / "absent.yaml")
refuses(2, ["student.training.stepz", "did you mean steps?"], *recipe("--set", "student.training.stepz=3"))
refuses(2, ["lies outside"], *recipe("--set", "student.training.steps=0"))
refuses(2, ["is not one of", "did you mean badge?"], *recipe("--set", "arms.random.strategy=bagde"))
refuses(2, ["is no arm"], *recipe("--set", "control=nobody"))
refuses(2, ["needs key=value", "give --set 'seeds=VALUE'"], *recipe("--set", "seeds"))
refuses(2, ["needs key=value", "name the option"], *recipe("--set", "=3"))
refuses(2, ["--set start=80", "uses all labels", "distal run"], "train", place.path / "recipe.yaml", "--set", "start=80")


def listing():
    return sorted((str(path), path.stat().st_size) for path in place.path.rglob("*"))


# Saying what would happen: nothing is generated, made or written, and the numbers are those of the videos to come (0.48 s each).
before = listing()
whole_pool = ("--set", "selection.unit=seconds", "--set", "rounds=1", "--set", "budget=-1")
require("at most" in says(*recipe("--dry-run")), "a plan in words")
plan = json.loads(says(*recipe("--dry-run", "--json", *whole_pool)))
require(plan["answers_at_most"] == 2 * 2 * 36 and abs(plan["seconds_asked_at_most"] - 2 * 2 * 36 * 0.48) < 0.01,
        f"two arms and two seeds ask about 40 - 4 clips: {plan}")
plan = json.loads(says(*recipe("--dry-run", "--json", "--set", "selection.unit=seconds", "--set", "budget=2")))
require(plan["answers_at_most"] == 2 * 2 * 8 and abs(plan["seconds_asked_at_most"] - 2 * 2 * 4) < 0.01, f"two rounds of 2 s buy 8 clips of 0.48 s: {plan}")
refuses(1, ["exceed", "lower rounds or budget"], *recipe("--dry-run", "--set", "budget=500"))
says("demo", "--dry-run", "--quiet", "--threads", "1", "--seed", "3", "--out", place.path / "demo")
doctor = json.loads(says("doctor", place.path / "recipe.yaml", "--json", "--quiet", "--data", place.path / "videos"))
require(doctor["plan"]["runs"] == 4 and doctor["memory_need_bytes"] > 0 and doctor["gpu"], f"what doctor knows: {doctor}")
require({"badge", "margin", "random"} <= {row["name"] for row in json.loads(says("list", "strategies", "--json"))}, "list as JSON")
require(listing() == before, f"--dry-run and doctor write nothing: {set(listing()) - set(before)}")

# A list that distal did not write is somebody's work.
foreign = place.path / "foreign"
foreign.mkdir()
(foreign / "train.csv").write_text("path,label,group\nmine.mp4,left,me\n")
for more in ((), ("--dry-run",)):
    refuses(1, ["train.csv", "another list", "--data"], *recipe("--set", f"data.root={foreign}", *more))
    require([path.name for path in foreign.iterdir()] == ["train.csv"], f"nothing is generated beside it {more}")
    require((foreign / "train.csv").read_text() == "path,label,group\nmine.mp4,left,me\n", f"it is not overwritten {more}")

require(place.run("out", "--set", "seeds=1").returncode == 0, "the right recipe runs")
report = (place.path / "out" / "report.html").read_bytes()
refuses(1, ["another recipe", "'steps: 40' there, 'steps: 41' here", "--out"], *recipe("--set", "student.training.steps=41", out="out"))
require((place.path / "out" / "report.html").read_bytes() == report, "its report stands untouched")
again = recipe("--set", "seeds=2", out="out")
again[1] = str(place.path / "out" / "recipe.yaml")  # what was run can be run, and with more seeds it is still the same
says(*again)
require({cell["seed"] for cell in json.loads((place.path / "out" / "report.json").read_text())["cells"]} == {1, 2}, "the second seed was added")

videos = place.path / "videos"
pool, test = (videos / "pool.csv").read_text(), (videos / "test.csv").read_text()
refuses(1, ["exceed", "lower rounds or budget"], *recipe(*LISTS, "--set", "budget=500"))
refuses(1, ["absent.csv"], *recipe(*LISTS, "--set", "data.pool.csv=absent.csv"))
(videos / "pool.csv").write_text(pool + "only-one-field\n")
refuses(1, [f"pool.csv:{len(pool.splitlines()) + 1}"], *recipe(*LISTS))
# Names of files come from anywhere: what is said of them moves no cursor.
evil = "\x1b]0;PWNED\x07.mp4"
(videos / evil).write_text("no video")
(videos / "pool.csv").write_text(pool + f"{evil},left,evil\n")
train = (videos / "train.csv").read_text()
for words in (recipe("--dry-run", *LISTS), ["doctor", place.path / "recipe.yaml", "--quiet", "--data", videos, *LISTS], ["new", place.path / "new.yaml", "--quiet", "--data", videos]):
    if words[0] == "new":
        (videos / "train.csv").write_text((videos / "pool.csv").read_text())
    said = says(*words)
    require(".]0;PWNED..mp4" in said and "\x1b" not in said and "\x07" not in said, f"{words[0]} says a name in printable characters: {said}")
(videos / "train.csv").write_text(train)
(videos / "pool.csv").write_text(pool + test.splitlines()[1] + "\n")
refuses(1, ["test", "group"], *recipe(*LISTS))
(videos / "pool.csv").write_text(pool)
(videos / "test.csv").write_text(test + pool.splitlines()[1].replace(",left,", ",sideways,").replace(",right,", ",sideways,") + "\n")
refuses(1, ["sideways"], *recipe(*LISTS))
(videos / "test.csv").write_text(test)

# What the file system refuses is said with the cure of that refusal.
(place.path / "circle").symlink_to("circle")
circle = call("new", place.path / "circle" / "r.yaml", "--data", videos)
require(circle.returncode == 1 and "symbolic links" in circle.stderr and circle.stderr.endswith("check the path\n"), f"nothing of permissions: {circle.stderr}")

# A recipe is UTF-8, and would name another folder than this one.
latin = place.path / os.fsdecode(b"r\xe9p")
latin.mkdir()
for name in ("train.csv", "test.csv"):
    (latin / name).write_text("path,label\n")
refuses(1, ["is no UTF-8", "rename the folder", "--data"], "new", place.path / "latin.yaml", "--data", latin)
require(not (place.path / "latin.yaml").exists(), "no recipe is written that cannot run")
refuses(1, ["is no UTF-8", "rename the file", "--init"], "new", place.path / "latin.yaml", "--data", videos, "--init", latin / "train.csv")

with sqlite3.connect(place.path / "other.db") as database:
    database.execute("pragma user_version = 999")
refuses(1, ["999"], *recipe(*LISTS))
refuses(1, ["no such folder"], "report", place.path / "nothing")
refuses(1, ["cannot be used"], "probe", place.path / "recipe.yaml")
require(json.loads((place.path / "out" / "report.json").read_text())["cells"], "the finished report stands untouched")
print("every message as promised")
