"""Two oracles in one study: a teacher about every clip, and where it is unsure the labels of the lists, or people who answer by files."""

import contextlib
import csv
import json
import pathlib
import sqlite3
import subprocess
import sys

from small import Place, require

place = Place()
TEACHER = "first: {kind: teacher, price: 2}"


def command(out, oracle, *more):
    return [*place.command(out, "--set", f"oracle={{{TEACHER}, {oracle}}}", *more)]


def run(out, oracle, *more, code=0, says=""):
    done = subprocess.run(command(out, oracle, *more), capture_output=True, text=True, timeout=600)
    require(done.returncode == code, f"{out}: exit {done.returncode}, not {code}: {done.stderr or done.stdout}")
    require(says in done.stdout + done.stderr, f"{out}: says '{done.stdout + done.stderr}', not '{says}'")
    return done.stdout + done.stderr


def cells(out):
    return json.loads((place.path / out / "report.json").read_text())["cells"]


def last_rounds(out):
    return [cell["rounds"][-1] for cell in cells(out)]


def answers(out):
    with contextlib.closing(sqlite3.connect(place.path / f"{out}.db")) as store:
        return dict(store.execute("select oracle, count(*) from answers group by 1").fetchall())


# What contradicts itself is refused before anything is generated or trained.
for oracle, says in (("then: truth", "give oracle.when"),
                     ("then: truth, when: confidence > 0.9", "oracle.when = 'confidence > 0.9'"),
                     ("then: truth, limit: {price: 3}", "oracle.then costs nothing"),
                     ("then: teacher, when: margin < 0.1", "oracle.then"),
                     ("then: people, when: margin < 0.1", "data.classes")):
    run("refused", oracle, code=2, says=says)
require(not (place.path / "videos").exists(), "nothing was generated")

# A teacher, then the labels of the lists: at most three clips a round.
LIMITED = "then: {kind: truth, price: 3}, limit: {answers_per_round: 3}"
plan = run("truth", LIMITED, "--dry-run")
require("at most 64 answers of oracle.first, teacher, and 24 of oracle.then, truth" in plan, f"the plan counts both: {plan}")
run("truth", LIMITED)
for last in last_rounds("truth"):
    require((last["answers"], last["first_answers"], last["then_answers"]) == (20, 16, 6), f"4 to start with, 16 in two rounds: {last}")
    require((last["first_price"], last["then_price"], last["price"]) == (32, 18, 50), f"what it cost: {last}")
    require((last["first_share"], last["then_share"]) == (10 / 20, 6 / 20), f"who taught: {last}")
    require(last["then_accuracy"] == 1 and 0 <= last["first_accuracy"] <= 1 and 0 <= last["agreement"] <= 1, f"how well: {last}")
lines = [json.loads(line) for line in (place.path / "truth" / "metrics.jsonl").read_text().splitlines()]
require(all(line["then_answers"] == 3 for line in lines if line["round"] == 1), f"a round buys three: {lines}")
page = (place.path / "truth" / "report.html").read_text()
require('id="oracles"' in page and "at most 3 answers a round" in page, "the page says who answered")
report = json.loads((place.path / "truth" / "report.json").read_text())
require([one["role"] for one in report["oracles"]] == ["first", "then"] and report["oracles"][1]["price"] == 3, f"{report['oracles']}")
kept = answers("truth")
require(kept["teacher"] >= 16 and 6 <= kept["truth"] <= 24 and set(kept) == {"teacher", "truth"}, f"answers keep who said them: {kept}")

# The same again, from the store alone; and in two processes, from nothing.
curve = (place.path / "truth" / "curve.csv").read_text()
run("truth", LIMITED)
require(answers("truth") == kept and (place.path / "truth" / "curve.csv").read_text() == curve, "nothing is asked or trained again")
run("jobs", LIMITED, "--jobs", "2")
require((place.path / "jobs" / "curve.csv").read_text() == curve, "two processes come to the same curve")

# A teacher, then people, who answer by files; they label the initial clips too.
truth = {}
for row in csv.DictReader(open(place.path / "videos" / "pool.csv", newline="")):
    truth[pathlib.Path(row["path"]).name] = row["label"]
PEOPLE = "then: {kind: people, price: 5}, when: confidence < 0.99, limit: {answers: 4}"
OPTIONS = ["--set", "data.classes=[left, right]", "--set", "seeds=1", "--set", "arms={random: {strategy: random}}"]
STORE = ["--store", f"sqlite:{place.path / 'people.db'}"]


def distal(*arguments):
    done = subprocess.run([sys.argv[1], *arguments], capture_output=True, text=True, timeout=300, cwd=place.path)
    require(done.returncode == 0, f"{arguments}: {done.stderr or done.stdout}")


def people_answer():
    distal("ask", *STORE, "--force", "--out", "ask")
    with open(place.path / "ask.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["class"], row["person"] = truth[pathlib.Path(row["video"]).name], "ann"
    with open(place.path / "answers.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    distal("answer", "answers.csv", *STORE)
    return {row["clip"] for row in rows}


asked = []
for _ in range(4):
    done = subprocess.run(command("people", PEOPLE, *OPTIONS), capture_output=True, text=True, timeout=600)
    if done.returncode != 75:
        break
    require("distal ask writes the questions" in done.stderr, done.stderr)
    asked.append(people_answer())
require(done.returncode == 0, f"the study comes to its end: {done.returncode} {done.stderr}")
require(len(asked) >= 2 and len(asked[0]) == 4, f"the start, then the unsure clips: {asked}")
require(sum(len(some) for some in asked) == len(set().union(*asked)) <= 4 + 4, f"each once, four in all rounds: {asked}")
(last,) = last_rounds("people")
bought = sum(len(some) for some in asked)
require(last["then_answers"] == bought and last["price"] == 16 * 2 + 5 * bought, f"what people cost: {last}, {bought}")
require(last["then_accuracy"] == 1 and last["then_share"] == bought / 20, f"what they brought: {last}")
require(answers("people") == {"teacher": 16, "people": bought}, f"who said what: {answers('people')}")
