"""The curves of a run grow while it runs: curve.csv, metrics.jsonl and TensorBoard's events hold the rounds that are done, also after a kill and with
several processes, and end as a run without a kill leaves them. The steps of trainings grow too."""

import csv
import io
import json
import os
import signal
import sqlite3
import struct
import subprocess
import time

from small import Place, require

OPTIONS = ("--set", "teacher=~", "--set", "oracle={kind: truth}", "--set", "rounds=3")
NAMES = ("curve.csv", "metrics.jsonl", "events.out.tfevents.distal")
place = Place()


def events(out):
    """What each event says, without its time; fails where bytes are left over."""
    data = (place.path / out / NAMES[2]).read_bytes()
    found = []
    at = 0
    while at < len(data):
        length, = struct.unpack_from("<Q", data, at)
        require(at + length + 16 <= len(data), f"{out}: the last event is whole")
        found.append(data[at + 12 + 9:at + 12 + length])
        at += length + 16
    return found


def rows(out):
    path = place.path / out / NAMES[0]
    return list(csv.DictReader(io.StringIO(path.read_text()))) if path.exists() else []


def cells(out):
    return {(row["arm"], row["seed"], row["round"]) for row in rows(out)}


def losses(out):
    """The losses of each training, by its name; fails where a step is missing or twice."""
    found = {}
    for file in (place.path / out / "training").glob("*/steps.jsonl"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        require([line["step"] for line in lines] == list(range(1, len(lines) + 1)), f"{file}: every step once: {[line['step'] for line in lines]}")
        require(all(line["learning_rate"] >= 0 and line["samples_per_s"] > 0 and line["time_s"] > 1.6e9 for line in lines), f"{file}: with its rates")
        require((file.parent / NAMES[2]).stat().st_size > 200, f"{file}: and as TensorBoard's events")
        found[lines[0]["training"]] = [line["loss"] for line in lines]
    return found


def stored(out):
    path = place.path / f"{out}.db"
    if not path.exists():
        return 0
    store = sqlite3.connect(path, timeout=60)
    try:
        return store.execute("SELECT count(*) FROM rounds").fetchone()[0]
    except sqlite3.OperationalError:  # not made yet
        return 0
    finally:
        store.close()


def kill_once_grown(out, *more):
    """Starts a run and kills it, with what it started, once two rounds of its curve stand there."""
    run = subprocess.Popen(place.command(out, *OPTIONS, *more), stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 300
    while run.poll() is None and time.monotonic() < deadline and len(cells(out)) < 2:
        time.sleep(0.02)
    grown = run.poll() is None and len(cells(out)) >= 2 and any((place.path / out / "training").glob("*/steps.jsonl"))
    run.send_signal(signal.SIGKILL)
    run.wait()
    return grown


def finish(out, *more):
    done = place.run(out, *OPTIONS, *more)
    require(done.returncode == 0, f"{out}: {done.stderr}")


finish("whole")
whole = (place.path / "whole" / NAMES[0]).read_text()
require(len(rows("whole")) == 16, "two arms, two seeds, four rounds")
trained = losses("whole")
require(len(trained) == 14 and all(len(one) == 40 for one in trained.values()), f"two arms, two seeds, four rounds, of which the first is shared: {sorted(trained)}")
report = json.loads((place.path / "whole" / "report.json").read_text())
falls = [cell["rounds"][-1]["loss_fall"] for cell in report["cells"]]
require(all(isinstance(fall, float) for fall in falls), f"the report knows whether the last students still learned: {falls}")
require({"seeds", "test_clips"} <= {limit["name"] for limit in report["limits"]}, f"two seeds and 16 test clips limit the results: {report['limits']}")
asked = {cell["arm"]: [(round["round"], round["clips"], len(round["shown"])) for round in cell["asked"]] for cell in report["cells"] if cell["seed"] == 1}
require(asked == dict.fromkeys(("random", "margin"), [(0, 4, 4), (1, 8, 8), (2, 8, 8), (3, 8, 8)]), f"what was asked, round by round: {asked}")
page = (place.path / "whole" / "report.html").read_text()
require(page.count("data:image/jpeg;base64,") >= 28, "it is shown as pictures")

for out, more in (("killed", ()), ("jobs", ("--jobs", "2"))):
    require(kill_once_grown(out, *more), f"{out}: the curve grows while the run runs")
    require(not (place.path / out / "report.json").exists(), f"{out}: there is no report yet")
    so_far = (place.path / out / NAMES[0]).read_text().splitlines()
    require(set(so_far) <= set(whole.splitlines()), f"{out}: what stands there is part of the whole curve: {so_far}")
    require(len(so_far) - 1 <= stored(out), f"{out}: no more rounds than are stored")
    lines = [json.loads(line) for line in (place.path / out / NAMES[1]).read_text().splitlines()]
    require(lines and all("train_s" in line for line in lines), f"{out}: metrics.jsonl grows: {lines}")
    require((place.path / out / NAMES[2]).stat().st_size > 200, f"{out}: TensorBoard's events grow")
    finish(out, *more)
    require((place.path / out / NAMES[0]).read_text() == whole, f"{out}: the curve ends as that of a run without a kill")
    again = losses(out)
    common = set(again) & set(trained)
    require(len(common) >= 12 and all(again[name] == trained[name] for name in common), f"{out}: the losses too: {sorted(common)}")
    said = events(out)
    require(len(set(said)) == len(said) and set(said) == set(events("whole")), f"{out}: every event once")
    left = [name for name in os.listdir(place.path / out) if name.endswith(".tmp") or name == ".curves.lock"]
    require(not left, f"{out}: nothing is left behind: {left}")

# A finished run that goes on begins with the curve that it has.
require(place.run("whole", *OPTIONS[:-1], "rounds=4").returncode == 0 and len(rows("whole")) == 20, "a fourth round is added")
said = events("whole")
require(len(set(said)) == len(said), "no event twice")
print("curves grow")
