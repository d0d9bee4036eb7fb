"""Cells shared by processes give what one process gives: the same curves and networks, nothing bought twice."""

import json
import sqlite3
import subprocess
import sys

from small import Place, require

place = Place()


def measured(out):
    report = json.loads((place.path / out / "report.json").read_text())
    return {(cell["arm"], cell["seed"], r["round"]): (r["answers"], r["price"], r["metrics"]["accuracy"]) for cell in report["cells"] for r in cell["rounds"]}


def networks(out):
    return {file.name: file.read_bytes() for file in (place.path / out).glob("*.safetensors")}


def bought(out):
    return sqlite3.connect(place.path / f"{out}.db").execute("select count(*) from answers").fetchone()[0]


for out, more in (("one", ()), ("two", ("--jobs", "2"))):
    done = place.run(out, *more)
    require(done.returncode == 0, f"{out}: {done.stderr}")
require(len(measured("one")) == 12, f"two arms, two seeds, three rounds: {measured('one')}")
one, two = measured("one"), measured("two")
apart = {cell: (one.get(cell), two.get(cell)) for cell in one | two if one.get(cell) != two.get(cell)}
require(not apart, f"the same curves, answers and prices: {apart}")
require(set(networks("one")) == {"random.safetensors", "margin.safetensors", "teacher.safetensors"}, f"networks are kept: {set(networks('one'))}")
require(networks("one") == networks("two"), "the same networks, bit for bit")
require(bought("one") == bought("two"), f"nothing is bought twice: {bought('one')} and {bought('two')}")
require(not (place.path / "two" / "jobs").exists(), "what the jobs left is gone")


def sweep(*more):
    command = place.command("grid", "--set", "teacher=~", "--set", "oracle={kind: truth}", *more)
    command[1] = "sweep"
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


refused = sweep()
require(refused.returncode == 2 and "has no sweep section" in refused.stderr, f"a recipe without a grid: {refused.stderr}")
done = sweep("--set", "sweep={pool: [20, 40], rounds: [1, 2], answers: [8]}")
require(done.returncode == 0, f"sweep: {done.stderr}")
grid = measured("grid")
arms = {arm for arm, _, _ in grid}
require(len(arms) == 8 and "margin, pool 20, rounds 2, answers 8" in arms, f"every arm at every point: {arms}")
require({answers for (arm, _, r), (answers, _, _) in grid.items() if "rounds 2" in arm and r == 2} == {12}, "4 to start with and 8 over the rounds")
against = {cell["arm"]: cell["against"] for cell in json.loads((place.path / "grid" / "report.json").read_text())["cells"]}
require(all(twin == ("" if arm.startswith("random") else arm.replace("margin", "random")) for arm, twin in against.items()), f"each against its point's control: {against}")
print("shared and collected")
sys.exit(0)
