"""What may be said of a run: the same verdict on stdout, in report.json and on the page; how the start was drawn, and which classes it missed."""

import html
import json
import subprocess
import sys

from small import Place, require

place = Place()
options = ["--set", "rounds=1", "--set", "start=1", "--set", "student.training.steps=10", "--set", "teacher.training.steps=5"]
plan = place.run("out", *options, "--dry-run")
require("(1 drawn at random)" in plan.stdout, f"the plan says how the start is drawn: {plan.stdout or plan.stderr}")

run = place.run("out", *options)
require(run.returncode == 0, f"one clip to start from, of one of two classes, is enough: {run.stderr}")
report = json.loads((place.path / "out/report.json").read_text())
page = (place.path / "out/report.html").read_text()
require(report["start_draw"] == "1 drawn at random", f"the report says how the start was drawn: {report['start_draw']}")
missed = "In 2 of 2 seeds the initial clips hold none of some class"
require(any(note.startswith(missed) for note in report["notes"]) and missed in page, f"classes that a start has missed are told: {report['notes']}")

compared, = report["comparisons"]
require(compared["one_teacher"] and "with this one teacher" in compared["sentence"], f"the one teacher of all seeds is in the sentence: {compared}")
require(compared["over_seeds_and_groups"]["groups"] == 16, f"each generated test video is a group: {compared}")
for name in ("paired t-test over seeds", "seeds and test groups resampled together"):
    require(name in compared["sentence"], f"both tests are named: {compared['sentence']}")
first = report["answer"][0]
# So few steps decide nothing: which arm ends above the other is the processor's affair.
require(first.startswith("No arm ended above random, the control") or first.lower() == compared["sentence"].lower() + ".",
        f"the answer is the comparison's sentence, or that no arm ended above the control: {first}")
require(first in run.stdout, f"stdout says the same: {run.stdout}")
shown = html.unescape(page).replace("\u00a0", " ").replace("\u2212", "-")
require(first.replace("\u00a0", " ") in shown, f"so does the page: {first}")
again = subprocess.run([sys.argv[1], "report", str(place.path / "out"), "--out", str(place.path / "again.html"), "--json"], capture_output=True, text=True, timeout=60)
require(json.loads(again.stdout)["comparisons"] == report["comparisons"], f"so does distal report: {again.stderr}")

# A draw by labels is called by what it looks at.
even = place.run("even", *options, "--set", "start=4", "--set", "start_draw=stratified_by_hidden_labels")
report = json.loads((place.path / "even/report.json").read_text())
require("evenly over the classes by hidden labels, as nobody could" in report["start_draw"] and not any("initial clips hold none" in note for note in report["notes"]),
        f"a draw by hidden labels says so: {report['start_draw']} {report['notes']}")
for draw, says in (("stratified_by_labels", "needs a list whose labels are known, data.start"), ("even", "start_draw")):
    refused = place.run("refused", "--set", f"start_draw={draw}")
    require(refused.returncode == 2 and says in refused.stderr, f"start_draw {draw}: {refused.stderr}")
print("said alike")
