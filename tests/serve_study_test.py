"""distal serve on videos that nobody has labelled: a person answers through the REST interface until the student is trained and
measured; the server is killed in the middle and started again, and no answer is lost or there twice."""

import contextlib
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid

from serving import PASSWORD, Page, Serving, call, kill_and_start
from small import require

VIDEOS = 24
KILL_AFTER = (2, 9)  # answers
SMALL = ["seeds=1", "rounds=1", "start=4", "budget=2", "data.test_clips=-1", "input.size_px=32", "input.sampling.frames=4",
         "student.model.width=4", "student.training.steps=4", "student.training.batch_size=4", "student.training.precision=f32"]


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
        kill_and_start(server)
        ann.connection = None
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

known = owner.good("GET", "studies/recipe/map")
require(known["state"] == "ready" and known["arm"] == "margin", f"the pool was scored: {known}")
answered = [one for one in known["points"] if one["class"]]
require(len(answered) >= 4 and known["total"] == len(known["points"]), f"answered clips have a class: {known}")
clip = owner.good("GET", f"studies/recipe/map/{answered[0]['id']}")
require(truth(rows(f"select video from items where id = {clip['item']}")[0][0]) == clip["class"], f"a point is its clip: {clip}")

options = {one["key"]: one["value"] for one in owner.good("GET", "studies/recipe/options")["options"]}
require(options["student.training.steps"] == "4", f"what holds now: {options}")
require(not any(key.split(".")[0] in ("data", "oracle", "cache") for key in options), f"what a branch shares stays: {options}")
for options, status in (({"student.training.stops": "6"}, 422), ({"data.root": "/tmp"}, 422), ({"cache.folder": "/tmp"}, 422),
                        ({"strategy": "k_center", "embeddings": "{features: /etc/passwd, list: /etc/passwd}"}, 422), ({"student.model": "{name: network, network: {file: /tmp/n.pt}}"}, 422),
                        ({"student.model": "{name: features, features: /etc/passwd, list: /etc/passwd}"}, 422)):
    refused = owner.ask("POST", "studies/recipe/branch", {"name": "wrong", "options": options})
    require(refused[0] == status, f"{options}: {refused}")
require(not list((place / "out" / "branches").glob("*")), "what is refused leaves nothing")
branch = {"name": "longer", "options": {"student.training.steps": "6", "strategy": "entropy"}}
made = owner.good("POST", "studies/recipe/branch", branch, 201)
require(made["branch_of"] == "recipe" and made["arms"] == ["entropy"], f"a branch is a study: {made}")
require(owner.ask("POST", "studies/recipe/branch", branch)[0] == 409, "a name is taken once")
while time.monotonic() < deadline:
    name = answer_once(ann)
    given += [name] if name else []
    now = owner.good("GET", "studies/longer")
    require(now["state"] != "failed", f"the branch fails: {now}")
    if now["state"] == "done":
        break
    time.sleep(0.2)
require(now["state"] == "done" and len(now["curves"][0]["points"]) == 2, f"the branch ends: {now}")
items = rows("select count(*), count(distinct clip_key) from items")[0]
require(items == (len(given), len(given)), f"no clip was asked about twice: {items}, {len(given)} answers")
require((place / "out" / "branches" / "longer" / "report.html").exists(), "the branch has a report of its own")

code, out, error = server.stop()
require(code in (0, 128 + signal.SIGTERM), f"a signal ends the server: {code}: {error}")
require(out == "", "nothing but the address is printed")
print(f"{len(given)} answers, {len(KILL_AFTER)} kills, states {sorted(states)}")
