"""Wrong input gets place, what and cure, exit 1 or 2, and leaves nothing half-written."""

import json
import sqlite3
import subprocess
import sys

from small import Place, require

place = Place()


def refuses(code, words, *arguments):
    run = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True, timeout=120)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr}")
    for word in words:
        require(word in run.stderr, f"{arguments}: says '{run.stderr.strip()}', not '{word}'")


# The lists as they stand on disk: not generated again.
LISTS = ("--set", "data.synthetic=null")


def recipe(*more):
    return place.command("out", *more)[1:]


refuses(2, ["did you mean run?"], "rnu")
refuses(2, ["no such recipe"], "run", place.path / "absent.yaml")
refuses(2, ["student.training.stepz", "did you mean steps?"], *recipe("--set", "student.training.stepz=3"))
refuses(2, ["lies outside"], *recipe("--set", "student.training.steps=0"))
refuses(2, ["is not one of", "did you mean badge?"], *recipe("--set", "arms.random.strategy=bagde"))
refuses(2, ["is no arm"], *recipe("--set", "control=nobody"))
refuses(2, ["needs key=value"], *recipe("--set", "seeds"))

require(place.run("out", "--set", "seeds=1").returncode == 0, "the right recipe runs")
videos = place.path / "videos"
pool, test = (videos / "pool.csv").read_text(), (videos / "test.csv").read_text()
refuses(1, ["exceed", "lower rounds or budget"], *recipe(*LISTS, "--set", "budget=500"))
refuses(1, ["absent.csv"], *recipe(*LISTS, "--set", "data.pool.csv=absent.csv"))
(videos / "pool.csv").write_text(pool + "only-one-field\n")
refuses(1, [f"pool.csv:{len(pool.splitlines()) + 1}"], *recipe(*LISTS))
(videos / "pool.csv").write_text(pool + test.splitlines()[1] + "\n")
refuses(1, ["test", "group"], *recipe(*LISTS))
(videos / "pool.csv").write_text(pool)
(videos / "test.csv").write_text(test + pool.splitlines()[1].replace(",left,", ",sideways,").replace(",right,", ",sideways,") + "\n")
refuses(1, ["sideways"], *recipe(*LISTS))
(videos / "test.csv").write_text(test)

with sqlite3.connect(place.path / "out.db") as database:
    database.execute("pragma user_version = 999")
refuses(1, ["999"], *recipe(*LISTS))
refuses(1, ["no finished run"], "report", place.path / "nothing")
refuses(1, ["cannot be used"], "probe", place.path / "recipe.yaml")
require(json.loads((place.path / "out" / "report.json").read_text())["cells"], "the finished report stands untouched")
print("every message as promised")
