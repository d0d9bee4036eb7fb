"""SIGKILL at 20 random moments of a run, each continued: the same report, the same answers asked for once, nothing overspent."""

import contextlib
import random
import signal
import sqlite3
import subprocess
import time

from small import Place, require

KILLS = 20


def rows(store, query):
    with contextlib.closing(sqlite3.connect(store)) as database:
        return database.execute(query).fetchall()


def answers(store):
    return rows(store, "select clip_key, oracle, version, probabilities, price from answers join clips on clips.id = answers.clip order by clip_key")


def asked(store):
    return rows(store, "select clip_key from request_clips join clips on clips.id = request_clips.clip order by clip_key")


def spent(store):
    return rows(store, "select run, round, count(*) from reservations group by run, round")


place = Place()
began = time.monotonic()
whole = place.run("whole")
length_s = time.monotonic() - began
require(whole.returncode == 0, "the run that nobody kills ends: " + whole.stderr)

moments = random.Random(1)
kills = 0
for _ in range(400):
    if kills == KILLS:
        break
    process = subprocess.Popen(place.command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, error = process.communicate(timeout=0.3 + moments.random() * 0.2 * length_s)
        require(process.returncode == 0, "a continued run ends: " + error)
        (place.path / "killed.db").rename(place.path / f"finished{kills}.db")  # it was quicker than the kills: begin again
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
require(kills == KILLS, f"only {kills} kills reached a running program")

last = place.run("killed")
require(last.returncode == 0, "the last run ends: " + last.stderr)
for name in ("curve.csv",):
    require((place.path / "whole" / name).read_text() == (place.path / "killed" / name).read_text(), f"{name} is the same with and without kills")
for name in ("random.safetensors", "margin.safetensors", "teacher.safetensors"):
    require((place.path / "whole" / name).read_bytes() == (place.path / "killed" / name).read_bytes(), f"{name} is the same, bit for bit")
require(sorted(row[2] for row in spent(place.path / "whole.db")) == sorted(row[2] for row in spent(place.path / "killed.db")), "as many clips reserved in every round")
require(all(count <= (4 if round == 0 else 8) for _, round, count in spent(place.path / "killed.db")), "no round overspends")
require(answers(place.path / "whole.db") == answers(place.path / "killed.db"), "the same answers, bit for bit")
require(asked(place.path / "killed.db") == [row[:1] for row in answers(place.path / "killed.db")], "every answer was asked for in one request")
require(rows(place.path / "killed.db", "select count(*) from request_groups where state <> 'paid'") == [(0,)], "no request stays open, none is lost")
print(f"{kills} kills of a run of {length_s:.1f} s; report and weights unchanged")
