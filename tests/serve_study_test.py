"""distal serve on videos that nobody has labelled: a person answers through the REST interface until the student is trained and
measured; the server is killed in the middle and started again, and no answer is lost or there twice."""

import atexit
import contextlib
import http.client
import json
import pathlib
import random
import select
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid

from small import require

VIDEOS = 24
KILL_AFTER = (2, 9)  # answers
PASSWORD = "correct horse battery"
SMALL = ["seeds=1", "rounds=1", "start=4", "budget=2", "data.test_clips=-1", "input.size_px=32", "input.sampling.frames=4",
         "student.model.width=4", "student.training.steps=4", "student.training.batch_size=4", "student.training.precision=f32"]


class Page:
    """A person at the page: one connection, the session, and answers that are sent until the server has taken them."""

    def __init__(self, server):
        self.server, self.cookie, self.csrf, self.connection = server, "", "", None

    def ask(self, method, path, body=None, headers=None):
        """(status, JSON or bytes, headers). Throws OSError where the server is gone."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        headers = {"Cookie": f"distal_session={self.cookie}", "X-CSRF-Token": self.csrf, **(headers or {})}
        text = None
        if body is not None:
            text = json.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            self.connection.request(method, "/api/v1/" + path, text, headers)
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.connection = None
            raise OSError(str(error)) from error
        if answer.getheader("Content-Type", "").startswith("application/json"):
            content = json.loads(content)
        return answer.status, content, answer.headers

    def good(self, method, path, body=None, status=200):
        got, content, _ = self.ask(method, path, body)
        require(got == status, f"{method} {path}: {got}, not {status}: {content}")
        return content

    def enter(self, path, body):
        status, session, headers = self.ask("POST", path, body)
        require(status == 200, f"{path}: {status}: {session}")
        self.cookie = headers["Set-Cookie"].split("=", 1)[1].split(";")[0]
        self.csrf = session["csrf"]


class Serving:
    """The program, which can be killed and started again at the same port."""

    def __init__(self, words):
        self.words, self.port, self.process = words, 0, None
        atexit.register(lambda: self.process.kill())  # a test that fails leaves no server behind
        self.start()

    def start(self):
        self.process = subprocess.Popen([sys.argv[1], "serve", *self.words, "--port", str(self.port)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], 120)
        self.address = self.process.stdout.readline().strip() if ready else ""
        require(self.address.startswith("http://127.0.0.1:"), f"one line with the address, not '{self.address}': {self.said()}")
        self.port = int(self.address.split(":")[2].split("/")[0])

    def said(self):
        return self.process.stderr.read() if self.process.poll() is not None else ""

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        out, error = self.process.communicate(timeout=120)
        return self.process.returncode, out, error


def call(*words):
    run = subprocess.run([sys.argv[1], *map(str, words)], capture_output=True, text=True, timeout=600)
    require(run.returncode == 0, f"{words}: exit {run.returncode}: {run.stderr}")
    return run.stdout


def make_videos(folder):
    folder.mkdir()
    for i in range(VIDEOS):
        picture = "testsrc" if truth(f"{i:02}.mp4") == "bars" else "mandelbrot"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"{picture}=size=64x64:rate=12", "-frames:v", "12", "-pix_fmt",
                        "yuv420p", "-metadata", f"title={i}", str(folder / f"{i:02}.mp4")], check=True, timeout=60)


def truth(video):
    return "bars" if int(pathlib.Path(video).stem) % 2 == 0 else "waves"


def rows(query):
    with contextlib.closing(sqlite3.connect(store)) as database:
        return database.execute(query).fetchall()


def children(parent):
    """Ids of the processes that a process has started and that are at work."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[1]) == parent and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def alive(process):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def answer_once(page):
    """Answers the next item; the answer's id, or None where nothing is open."""
    items = page.good("POST", "items/next", {"count": 1})["items"]
    if not items:
        return None
    item, name = items[0], str(uuid.UUID(int=random.getrandbits(128), version=4))
    video = rows(f"select video from items where id = {item['id']}")[0][0]
    status, picture, _ = page.ask("GET", item["video"]["proxy"].split("api/v1/")[1], headers={"Range": "bytes=0-99"})
    require(status in (206, 503), f"the video of an item: {status}: {picture}")
    body = {"item": item["id"], "class": truth(video), "unsure": False, "note": "", "began_ms": int(time.time() * 1000),
            "seconds": 1.5}
    for repeat in range(2):  # as a page does that has not heard whether the first one arrived
        stored = page.good("PUT", f"answers/{name}", body)
        require(stored["state"] == "settled", f"one person is wanted: {stored}")
    return name


def kill_and_go_on(server, page):
    process = server.process.pid
    run = children(process)
    server.kill()
    deadline = time.monotonic() + 20
    while any(alive(one) for one in run) and time.monotonic() < deadline:
        time.sleep(0.05)
    require(not any(alive(one) for one in run), "the study does not outlive the server that started it")
    server.start()
    page.connection = None


def study(page):
    return page.good("GET", "studies")["studies"][0]


folder = tempfile.TemporaryDirectory(prefix="distal-test-")
place = pathlib.Path(folder.name)
store, lists, recipe = place / "people.db", place / "lists", place / "recipe.yaml"
random.seed(7)
make_videos(place / "videos")
call("import", place / "videos", "--unlabelled", "--lists", lists, "--store", f"sqlite:{store}", "--quiet")
call("new", recipe, "--data", lists, "--classes", "bars,waves", "--quiet")
sets = [word for one in [*SMALL, f"cache.folder={place / 'frames'}"] for word in ("--set", one)]
words = [str(recipe), "--store", f"sqlite:{store}", "--out", str(place / "out"), "--threads", "1", *sets]

outside = subprocess.run([sys.argv[1], "serve", *words, "--bind", "0.0.0.0", "--no-run"], capture_output=True, text=True, timeout=120)
require(outside.returncode == 2 and "--bind 0.0.0.0" in outside.stderr, f"no users: loopback alone: {outside.stderr}")

server = Serving(words)
require("#link=" in server.address, "the first start gives a link for the owner")
owner = Page(server)
owner.enter("session/link", {"token": server.address.split("#link=")[1]})
require(owner.ask("POST", "session/link", {"token": server.address.split("#link=")[1]})[0] == 401, "the link is used up")
owner.good("POST", "users", {"name": "olga", "role": "owner", "password": PASSWORD}, 201)
owner.good("POST", "users", {"name": "ann", "role": "annotator", "password": PASSWORD}, 201)
ann = Page(server)
ann.enter("session", {"user": "ann", "password": PASSWORD})
require([one["name"] for one in ann.good("GET", "classes")["classes"]] == ["bars", "waves"], "the classes of the recipe")

given, kills, states = [], list(KILL_AFTER), set()
deadline = time.monotonic() + 600
while time.monotonic() < deadline:
    if kills and len(given) >= kills[0]:
        kills.pop(0)
        kill_and_go_on(server, ann)
    name = answer_once(ann)
    if name:
        given.append(name)
        continue
    now = study(ann)
    states.add(now["state"])
    require(now["state"] != "failed", f"the study fails: {(place / 'out' / 'serve.log').read_text()}")
    if now["state"] == "done":
        break
    time.sleep(0.2)
require(not kills, "the server was killed in the middle")
require(study(ann)["state"] == "done", f"the study ends: {study(ann)}; {(place / 'out' / 'serve.log').read_text()}")
require("#link=" not in server.address, "an owner has a password: no link")

stored = [row[0] for row in rows("select uuid from people_answers where undone_ms = 0")]
require(sorted(stored) == sorted(given), f"{len(given)} answers were given, {len(stored)} are stored")
items = rows("select count(*), count(distinct clip_key), sum(state = 'settled') from items")[0]
require(items == (len(given), len(given), len(given)), f"each clip was asked once, and all are settled: {items}, {len(given)} answers")

owner = Page(server)
owner.enter("session", {"user": "olga", "password": PASSWORD})
detail = owner.good("GET", "studies/recipe")
points = detail["curves"][0]["points"]
require([point["round"] for point in points] == [0, 1], f"two rounds were measured: {detail['curves']}")
require(points[1]["answers"] == 6, f"4 + 2 answers: {points}")
require(all(point["low"] <= point["accuracy"] <= point["high"] for point in points), f"an interval around the accuracy: {points}")
require(detail["held_out"]["size"] == detail["held_out"]["answered"] > 0, f"the held-out clips were answered: {detail['held_out']}")
require(sum(one["answered"] for one in detail["classes"]) == len(given), f"all answers count: {detail['classes']}")
require((place / "out" / "report.html").exists(), "the report is written")
table = owner.ask("GET", "export?study=recipe&format=csv")
require(table[0] == 200 and table[1].count(b",ann,") == len(given), f"the export holds each answer: {table[1][:500]}")
require(ann.ask("DELETE", f"answers/{given[0]}")[0] == 409, "what a study learnt from cannot be undone")

code, out, error = server.stop()
require(code in (0, 128 + signal.SIGTERM), f"a signal ends the server: {code}: {error}")
require(out == "", "nothing but the address is printed")
print(f"{len(given)} answers, {len(KILL_AFTER)} kills, states {sorted(states)}")
