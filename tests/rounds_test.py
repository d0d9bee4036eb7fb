"""More rounds go on from the last one, in the same folder and in a new one on the same store, with the curve and the students of a run that never
stopped; fewer rounds show the first ones."""

import sqlite3
import subprocess
import sys

from small import Place, require

TRUTH = ("--set", "teacher=~", "--set", "oracle={kind: truth}", "--set", "student.training.steps=15")
place = Place()


# `store`: that of another folder.
def run(out, rounds, *more, store=None):
    command = [word for word in place.command(out, *TRUTH, "--set", f"rounds={rounds}", *more) if word != "--quiet"]
    if store:
        command[command.index("--store") + 1] = f"sqlite:{place.path / store}.db"
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    require(done.returncode == 0, f"{out}, {rounds} rounds: {done.returncode} {done.stderr}")
    return sorted({line.split(":")[0] for line in done.stderr.splitlines() if " seed " in line and " round " in line and "accuracy" in line})


def results(out):
    folder = place.path / out
    return {"curve": (folder / "curve.csv").read_text(), **{path.name: path.read_bytes() for path in folder.glob("*.safetensors")}}


def require_same(out, wanted, what):
    there = results(out)
    require(there.keys() == wanted.keys(), f"{what}: {sorted(there)}")
    for name in wanted:
        require(there[name] == wanted[name], f"{what}: {name} is the same")


CELLS = [f"{arm} seed {seed}" for arm in ("margin", "random") for seed in (1, 2)]
third = sorted(f"{cell} round 3" for cell in CELLS)

require(len(run("three", 3)) == 16, "a fresh run measures two arms, two seeds, four rounds")
three = results("three")
require(len(run("two", 2)) == 12, "a fresh run of two rounds")
two = results("two")
require(three["curve"] != two["curve"] and three["margin.safetensors"] != two["margin.safetensors"], "a third round changes something")

measured = run("two", 3)
require(measured == third, f"the same folder goes on with the third round: {measured}")
require_same("two", three, "two rounds and a third")
require("rounds: 3" in (place.path / "two" / "recipe.yaml").read_text(), "the recipe says how many")

measured = run("two", 2)
require(measured == [], f"two rounds of three are measured already: {measured}")
require_same("two", two, "the first two of three")

measured = run("elsewhere", 2, store="three")
require(measured == [], f"a new folder takes up what the store has: {measured}")
require_same("elsewhere", two, "the first two, from a store of three")
measured = run("elsewhere", 3, store="three")
require(measured == [], f"and the rest: {measured}")
require_same("elsewhere", three, "all of a store of three")

run("few", 1)
measured = run("many", 3, store="few")
require(len(measured) == 8 and measured[0] == "margin seed 1 round 2", f"a new folder begins after the last stored round: {measured}")
require_same("many", three, "one round elsewhere, two here")

run("none", 0)
measured = run("none", 3)
require(len(measured) == 12, f"a start without rounds is a start: {measured}")
require_same("none", three, "rounds after none")

run("shared", 2, "--jobs", "2")
run("shared", 3, "--jobs", "2")
require_same("shared", three, "the same by jobs")

command = place.command("two", *TRUTH, "--set", "rounds=3", "--set", "budget=6")
other = subprocess.run(command, capture_output=True, text=True, timeout=600)
require(other.returncode == 1 and "'budget: 8' there, 'budget: 6' here" in other.stderr, f"another budget is another run: {other.stderr}")

# Events are a log for people: what somebody else wrote there changes nothing.
for text in ("", "nonsense"):
    store = sqlite3.connect(place.path / "few.db")
    store.execute("insert into events (run, time, kind, text) select max(id), 'today', 'unseen', ? from runs", [text])
    store.commit()
    store.close()
    again = subprocess.run(place.command("few", *TRUTH, "--set", "rounds=1"), capture_output=True, text=True, timeout=600)
    require(again.returncode == 0 and "nonsense" not in (place.path / "few" / "report.json").read_text(), f"nobody reads an event back: {again.stderr}")
print("rounds go on wherever they are stored")
