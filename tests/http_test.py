"""SIGKILL before, while and after an HTTP teacher answers, on a network that loses responses: every answer is billed once. A server that
answers unusably is paid once, and again only when told to."""

import contextlib
import csv
import gzip
import http.client
import http.server
import json
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
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


class Hostile(http.server.BaseHTTPRequestHandler):
    """Describes a model; what it answers is in `mode`."""
    protocol_version = "HTTP/1.1"
    mode, billed, keys = "good", 0, []

    def log_message(self, *words):
        pass

    def reply(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        described = {"name": "m", "versions": ["1"]}
        if Hostile.mode == "order":
            described["outputs"] = [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2], "parameters": {"classes": ["right", "left"]}}]
        if Hostile.mode == "size":
            described["inputs"] = [{"name": "clips", "datatype": "FP32", "shape": [-1, 3, 16, 224, 224]}]
        self.reply(json.dumps(described).encode())

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        clips = request["inputs"][0]["shape"][0]
        if Hostile.mode == "wait":
            return self.reply(b"{}", 429, [("Retry-After", "100")])
        Hostile.billed += clips
        Hostile.keys.append(self.headers["Idempotency-Key"])
        data = [.75, .25] * clips
        answer = {"id": request["id"], "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [clips, 2], "data": data}]}
        if Hostile.mode == "nan":
            data[1] = float("nan")
        if Hostile.mode == "id":
            answer["id"] = "\x1b[31mother"
        body, headers = json.dumps(answer).encode(), []
        if Hostile.mode == "page":
            body = b"<html>Please sign in</html>"
        if Hostile.mode == "cut":
            body = body[:-20]
        if Hostile.mode == "bomb":
            body, headers = gzip.compress(b" " * (500 << 20), 1), [("Content-Encoding", "gzip")]
        with contextlib.suppress(OSError):
            self.reply(body, 200, headers)


hostile = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
threading.Thread(target=hostile.serve_forever, daemon=True).start()
FEW = ["--set", "oracle.kind=http", "--set", f"oracle.url=http://127.0.0.1:{hostile.server_port}/v2/models/m", "--set", "oracle.retries=1", "--set", "seeds=1",
       "--set", "rounds=1", "--set", "budget=3", "--set", "student.training.steps=2", "--set", "arms={margin: {strategy: random}}"]
AGAIN = ["--set", "oracle.ask_again=true"]


def limited(out, *more):  # 2 GB more than is needed
    return subprocess.run(place.command(out, *FEW, *more), capture_output=True, text=True, timeout=300,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30)))


for mode, reason in (("nan", "1 of 3 answers of a request are not finite"), ("id", "that of request '.[31mother'"), ("cut", "ends too early"), ("bomb", "answers more than 4194")):
    Hostile.mode, Hostile.billed = mode, 0
    run = limited(mode)
    require(run.returncode == 1 and reason in run.stderr and "oracle.ask_again=true" in run.stderr, f"{mode} is refused: {run.returncode} {run.stderr}")
    require("\x1b" not in run.stderr, f"{mode}: no control characters: {run.stderr!r}")
    require(Hostile.billed == 3, f"{mode}: {Hostile.billed} clips billed")
    Hostile.mode = "good"
    for _ in range(2):
        run = limited(mode)
        require(run.returncode == 1 and "answered unusably before" in run.stderr and "oracle.ask_again=true" in run.stderr, f"{mode}: a restart says what to do: {run.stderr}")
    require(Hostile.billed == 3, f"{mode}: a restart pays nothing: {Hostile.billed}")
    run = limited(mode, *AGAIN)
    bad = 1 if mode == "nan" else 3
    require(run.returncode == 0, f"{mode}: asked again it ends: {run.stderr}")
    require(Hostile.billed == 3 + bad, f"{mode}: only what was refused is asked again: {Hostile.billed}")
    with open(place.path / mode / "curve.csv", newline="") as file:
        spent = {float(row["price"]) for row in csv.DictReader(file) if row["round"] == "1"}
    require(spent == {2.0 * (3 + bad)}, f"{mode}: what was paid is counted: {spent}")

# What the server says of itself is compared before anything is sent: nothing is billed, and nothing stays open.
for mode, reason in (("order", "in another order (right, left) than those of the lists (left, right)"), ("size", "is [any, 3, 16, 224, 224], and the clips are [3, 3, 4, 16, 16]")):
    Hostile.mode, Hostile.billed = mode, 0
    run = limited(mode)
    require(run.returncode == 1 and reason in run.stderr and "ask_again" not in run.stderr, f"{mode} is refused: {run.returncode} {run.stderr}")
    require(Hostile.billed == 0, f"{mode}: {Hostile.billed} clips billed")
    Hostile.mode = "good"
    run = limited(mode)
    require(run.returncode == 0 and Hostile.billed == 3, f"{mode}: a server that fits is asked: {run.returncode} {run.stderr} {Hostile.billed}")

# Several jobs, told to ask again: a broken teacher is asked about each clip once a command, a mended one by the jobs themselves.
JOBS = [*FEW, "--set", "seeds=2", "--jobs", "2", *AGAIN]
for mode, code in (("id", 1), ("good", 0)):
    Hostile.mode = mode
    run = subprocess.run([word for word in place.command("shared", *JOBS) if word != "--quiet"], capture_output=True, text=True, timeout=300)
    require(run.returncode == code, f"two jobs, {mode}: {run.returncode} {run.stderr}")
    twice = rows(place.path / "shared.db", "select clip from refusals group by clip having count(*) > 1")
    require(not twice, f"{mode}: no clip is paid twice in one command: {twice} {run.stderr}")
require("a job failed" not in run.stderr, f"the jobs ask again: {run.stderr}")
again = rows(place.path / "shared.db", "select text from events where kind = 'asked again'")
require(len(again) == 1, f"once for both: {again}")

# A proxy's page in place of the answer: the request stays open and is sent again as it was, under its key, without a word from the user.
Hostile.mode, Hostile.keys = "page", []
run = limited("page")
require(run.returncode == 1 and "a web page" in run.stderr and "ask_again" not in run.stderr, f"a web page is no answer: {run.returncode} {run.stderr}")
require(requests(place.path / "page.db", "open") == 1 and not rows(place.path / "page.db", "select * from refusals"), "its request is open and counts once")
Hostile.mode = "good"
run = limited("page")
require(run.returncode == 0 and len(Hostile.keys) == 2 and len(set(Hostile.keys)) == 1, f"the same request again: {run.returncode} {run.stderr} {Hostile.keys}")

# A wait is said and ends at a signal.
Hostile.mode = "wait"
process = subprocess.Popen([word for word in place.command("wait", *FEW, "--set", "oracle.timeout_s=200") if word != "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
while (line := process.stderr.readline()) and "the server asks for 100 s" not in line:
    pass
require("waits at most 200 s" in line, f"a wait is said: {line}")
process.send_signal(signal.SIGINT)
began = time.monotonic()
process.communicate()
require(process.returncode == 130 and time.monotonic() - began < 30, f"Ctrl-C ends a wait: {process.returncode}")
hostile.shutdown()
print(f"{kills} kills, {cut_off} of them between sending and storing; {bill['arrived']} requests sent, {bill['requests']} billed")
