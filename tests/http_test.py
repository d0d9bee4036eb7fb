"""SIGKILL before, while and after an HTTP teacher answers, on a network that loses responses: every answer is billed once."""

import contextlib
import http.client
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time

from small import Place, require

KILLS = 10
WORK_S = 0.4


class Server:
    """The reference server in a process of its own; it loses every fourth response."""

    def __init__(self):
        self.process = subprocess.Popen([sys.argv[2], str(WORK_S), "4"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def bill(self):
        with contextlib.closing(http.client.HTTPConnection(self.url.split("/")[2], timeout=60)) as connection:
            connection.request("GET", "/bill")
            return json.load(connection.getresponse())

    def options(self):
        return ["--set", "oracle.kind=http", "--set", f"oracle.url={self.url}", "--set", "oracle.batch_size=2",
                "--set", "oracle.backoff_s=0.05", "--set", "oracle.retries=8"]


def rows(store, query):
    with contextlib.closing(sqlite3.connect(store)) as database:
        return database.execute(query).fetchall()


def requests(store, state):
    return rows(store, f"select count(*) from request_groups where state = '{state}'")[0][0]


def answers(store):
    return rows(store, "select clip_key, version, probabilities from answers join clips on clips.id = answers.clip order by clip_key")


def wait_for_request(process, arrived):
    """True when one more request has reached the server, False when the program ended without one."""
    while process.poll() is None:
        if server.bill()["arrived"] > arrived:
            return True
        time.sleep(0.005)
    return False


place, server = Place(), Server()
whole, killed = place.path / "whole.db", place.path / "killed.db"
run = place.run("whole", *server.options())
require(run.returncode == 0, "the run that nobody kills ends: " + run.stderr)
first = server.bill()
require(first["arrived"] > first["requests"], "responses were lost and requests repeated")
require(first["clips"] == len(answers(whole)), f"{first['clips']} clips billed for {len(answers(whole))} answers")
require(first["requests"] == requests(whole, "paid"), f"{first['requests']} requests billed, {requests(whole, 'paid')} stored")

moments = random.Random(3)
kills, cut_off = 0, 0
for attempt in range(200):
    if kills == KILLS:
        break
    arrived = server.bill()["arrived"]
    process = subprocess.Popen(place.command("killed", *server.options()), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if not wait_for_request(process, arrived):
        _, error = process.communicate()
        require(process.returncode == 0, "a continued run ends: " + error)
        break  # nothing is left to ask
    time.sleep(moments.random() * WORK_S * (0.5 if attempt % 2 else 2))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kills += 1
    cut_off += requests(killed, "open")
require(kills >= KILLS // 2, f"only {kills} kills reached a running program")
require(cut_off > 0, "no kill came between sending and storing")

last = place.run("killed", *server.options())
require(last.returncode == 0, "the last run ends: " + last.stderr)
bill = {name: count - first[name] for name, count in server.bill().items()}
require(answers(whole) == answers(killed), "the same answers with and without kills")
require(bill["clips"] == len(answers(killed)), f"{bill['clips']} clips billed for {len(answers(killed))} answers")
require(bill["requests"] == requests(killed, "paid"), f"{bill['requests']} requests billed, {requests(killed, 'paid')} stored")
require(requests(killed, "open") == requests(killed, "lost") == 0, "no request stays open, none is lost")
require((place.path / "whole" / "curve.csv").read_text() == (place.path / "killed" / "curve.csv").read_text(), "curve.csv is the same")
server.process.communicate()
print(f"{kills} kills, {cut_off} of them between sending and storing; {bill['arrived']} requests sent, {bill['requests']} billed")
