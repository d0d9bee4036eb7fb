"""Untrimmed videos: people mark ranges of classes on whole videos, by each kind of file and through the server, and a student learns
from the segments that the ranges cover."""

import contextlib
import csv
import http.client
import json
import os
import pathlib
import random
import select
import shutil
import sqlite3
import subprocess
import sys
import uuid

from small import Place, require

if not shutil.which("ffmpeg"):
    print("skipped: the command ffmpeg is missing")
    sys.exit(0)

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")
STORE = f"sqlite:{place.path / 'people.db'}"
RATE = 5
SEGMENT = 8
COLOURS = {"cut": "red", "sew": "green", "wash": "blue", None: "gray"}  # nobody has a class for gray
dice = random.Random(4)


def distal(*arguments, code=0, says=""):
    run = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True, encoding="utf-8", timeout=300, cwd=place.path)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr or run.stdout}")
    require(says in run.stdout + run.stderr, f"{arguments}: says '{(run.stdout + run.stderr).strip()}', not '{says}'")
    return run.stdout + run.stderr


def make_video(path):
    """Pieces of three classes and of none, in turn. Returns the ranges of the classes and the duration."""
    names = ["cut", "sew", "wash", None]
    dice.shuffle(names)
    ranges, at, inputs = [], 0.0, []
    for name in names:
        seconds = dice.randint(5 * RATE, 13 * RATE) / RATE
        inputs += ["-f", "lavfi", "-i", f"color={COLOURS[name]}:s=32x32:r={RATE}:d={seconds}"]
        if name:
            ranges.append((at, at + seconds, name))
        at += seconds
    join = "".join(f"[{i}]" for i in range(len(names))) + f"concat=n={len(names)}:v=1,noise=alls=12:allf=t:all_seed={dice.randint(1, 9999)}"
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", *inputs, "-filter_complex", join, "-pix_fmt", "yuv420p", str(path)],
                   check=True, timeout=120)
    return ranges, at


def labels_of(ranges, duration):
    """The labels of a video's segments, counted tick by tick."""
    labels, start = [], 0.0
    while start + SEGMENT / 2 <= duration or start == 0:
        end = min(start + SEGMENT, duration)
        ticks = [(i + 0.5) / 100 for i in range(round(start * 100), round(end * 100))]
        covered = {name: sum(a <= t < b for t in ticks) for a, b, name in ranges}
        name = max(covered, key=covered.get)
        labels.append(name if covered[name] >= len(ticks) / 2 else None)
        if end >= duration:
            break
        start += SEGMENT
    return labels


videos = place.path / "videos"
videos.mkdir()
truth = {f"{i:02}.mp4": make_video(videos / f"{i:02}.mp4") for i in range(16)}
text = distal("import", videos, "--unlabelled", "--store", STORE, "--test-share", 0.3, "--quiet")
distal("new", "first.yaml", "--store", STORE, "--classes", "cut,sew,wash", "--quiet")
recipe = (place.path / "first.yaml").read_text()
require("answers: ranges" in recipe and "ask: video" in recipe, f"the recipe asks for ranges: {recipe}")

SMALL = ["--set", "student.training={steps: 30, learning_rate: 0.02, batch_size: 8, precision: f32}", "--set", "input.size_px=32", "--set", "input.sampling.frames=4",
         "--set", "rounds=3", "--set", "start=16", "--set", "budget=7", "--set", "data.test_clips=15", "--set", "seeds=2",
         "--set", f"cache.folder={place.path / 'frames'}"]


def run(code=0, says=""):
    return distal("run", "first.yaml", "--store", STORE, "--out", "out", "--threads", 1, "--quiet", *SMALL, code=code, says=says)


def rows_of(query):
    with contextlib.closing(sqlite3.connect(place.path / "people.db")) as database:
        return database.execute(query).fetchall()


def truth_of(row):
    return truth[pathlib.Path(row["video"]).name]


def write(name, text):
    (place.path / name).write_text(text)
    return name


def asked(format):
    distal("ask", "first.yaml", "--store", STORE, "--format", format, "--out", "ask", "--force", says="questions of study first")
    if format == "csv":
        with open(place.path / "ask.csv", newline="") as file:
            return list(csv.DictReader(file))
    return json.loads((place.path / "ask.json").read_text())


def filled(rows):
    """A row a range."""
    with open(place.path / "answers.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        for row in rows:
            for start, end, name in truth_of(row)[0]:
                writer.writerow({**row, "class": name, "range_start_s": start, "range_end_s": end, "person": "ann", "seconds": 40})
    return "answers.csv"


def as_label_studio(tasks):
    """As Label Studio exports them: frames from 1, both included."""
    for task in tasks:
        regions = [{"from_name": "ranges", "to_name": "video", "type": "timelinelabels",
                    "value": {"ranges": [{"start": round(start * task["data"]["fps"]) + 1, "end": round(end * task["data"]["fps"])}], "timelinelabels": [name]}}
                   for start, end, name in truth_of(task["data"])[0]]
        task["annotations"] = [{"id": 1, "completed_by": {"email": "ann@example.org"}, "was_cancelled": False, "lead_time": 40, "result": regions}]
    return write("label-studio.json", json.dumps(tasks))


def as_cvat(body):
    """As CVAT exports a project "for video 1.1": a track a range, boxes on frames of the file."""
    tasks, tracks = "", ""
    for number, task in enumerate(body["tasks"]):
        data = task["data"]
        tasks += f"<task><id>{number}</id><name>{task['task']['name']}</name><assignee><username>ann</username></assignee></task>"
        for start, end, name in truth[pathlib.Path(data["server_files"][0]).name][0]:
            first, last = round(start * RATE), round(end * RATE) - 1
            require(data["start_frame"] <= first <= last <= data["stop_frame"], f"the frames of the video hold {first} to {last}: {data}")
            gone = "" if last == data["stop_frame"] else f'<box frame="{last + 1}" outside="1" keyframe="1"/>'
            shown = "".join(f'<box frame="{frame}" outside="0" keyframe="1"/>' for frame in sorted({first, last}))
            tracks += f'<track id="0" label="{name}" task_id="{number}">{shown}{gone}</track>'
    return write("cvat.xml", f"<annotations><meta><project><tasks>{tasks}</tasks></project></meta>{tracks}</annotations>")


def require_stored(tolerance):
    """The ranges of the store are those that were given."""
    stored = {}
    for video, start, end, name in rows_of("SELECT video, answer_ranges.start_s, answer_ranges.end_s, answer_ranges.class FROM answer_ranges "
                                           "JOIN people_answers ON people_answers.id = answer JOIN items ON items.id = item ORDER BY answer, answer_ranges.position"):
        stored.setdefault(pathlib.Path(video).name, []).append((start, end, name))
    for video, ranges in stored.items():
        given = truth[video][0]
        require(len(ranges) == len(given) and all(a[2] == b[2] and abs(a[0] - b[0]) <= tolerance and abs(a[1] - b[1]) <= tolerance for a, b in zip(ranges, given)),
                f"{video}: {ranges} is stored of {given}")
    return len(stored)


class Page:
    """A person at the page of distal serve, which runs nothing of the study."""

    def __enter__(self):
        self.server = subprocess.Popen([sys.argv[1], "serve", "first.yaml", "--store", STORE, "--no-run", *SMALL], stdout=subprocess.PIPE, text=True, cwd=place.path)
        ready, _, _ = select.select([self.server.stdout], [], [], 120)
        address = self.server.stdout.readline().strip() if ready else ""
        require("#link=" in address, f"the server gives a link for its owner: {address}")
        self.port, self.headers = int(address.split(":")[2].split("/")[0]), {}
        session, headers = self.ask("POST", "session/link", {"token": address.split("#link=")[1]})
        self.headers = {"Cookie": headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": session["csrf"]}
        return self

    def __exit__(self, *_):
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()

    def ask(self, method, path, body=None):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            text = None if body is None else json.dumps(body)
            connection.request(method, "/api/v1/" + path, text, {"Content-Type": "application/json", **self.headers})
            answer = connection.getresponse()
            content = answer.read()
        require(answer.status == 200, f"{method} {path}: {answer.status}: {content}")
        return json.loads(content), answer.headers

    def answer_all(self):
        count = 0
        while items := self.ask("POST", "items/next", {"count": 1})[0]["items"]:
            video = pathlib.Path(rows_of(f"SELECT video FROM items WHERE id = {items[0]['id']}")[0][0]).name
            ranges, duration = truth[video]
            require(items[0]["kind"] == "ranges" and items[0]["start_s"] == 0, f"the item is a time line: {items[0]}")
            require(abs(items[0]["end_s"] - duration) < 0.01, f"it ends with its video, at {duration}: {items[0]}")
            said = [{"start_s": start, "end_s": end, "class": name} for start, end, name in ranges]
            body = {"item": items[0]["id"], "ranges": said, "unsure": False, "note": "", "began_ms": 1, "seconds": 40}
            stored = self.ask("PUT", f"answers/{uuid.UUID(int=dice.getrandbits(128), version=4)}", body)[0]
            require(stored["state"] == "settled", f"one person is wanted: {stored}")
            count += 1
        return count


# By CSV: what is wrong in one row holds back the answer that it belongs to.
run(code=75, says="distal ask writes the questions")
rows = asked("csv")
require(len({row["video"] for row in rows}) == len(rows), "a question is a whole video")
require(all(abs(float(row["end_s"]) - truth_of(row)[1]) < 0.01 for row in rows), f"it ends with its video: {rows}")
held_out = [pathlib.Path(video).name for (video,) in rows_of("SELECT video FROM items WHERE purpose = 'held_out'")]
require(held_out, "the test set is asked about too")
answers = place.path / filled(rows)
whole = answers.read_text()
answers.write_text(whole.replace(",sew,", ",sow,", 1))
text = distal("answer", answers.name, "--store", STORE, code=1, says="2 refused")
require("sow" in text and "the other ranges" in text, f"both are named: {text}")
answers.write_text(whole)
distal("answer", answers.name, "--store", STORE, says=f"1 answers stored, {len(rows) - 1} were there before")
require(require_stored(1e-9) == len(rows), "each video has its ranges")

# By Label Studio, then by CVAT.
run(code=75, says="distal ask writes the questions")
tasks = asked("label-studio")
require("TimelineLabels" in (place.path / "ask.xml").read_text(), "the configuration asks for ranges")
distal("answer", as_label_studio(tasks), "--store", STORE, says="no question is open")
run(code=75, says="distal ask writes the questions")
body = asked("cvat")
distal("answer", as_cvat(body), "--store", STORE, says="no question is open")

# Through the server, whose export holds every answer.
run(code=75, says="distal ask writes the questions")
with Page() as page:
    answered = page.answer_all()
    require(answered > 0, "the round asks about a video")
    exported = page.ask("GET", "export?study=first&format=label-studio")[0]
videos_asked = len(rows) + len(tasks) + len(body["tasks"]) + answered
require(len(exported) == videos_asked, f"{len(exported)} tasks are exported, not {videos_asked}")
for task in exported:
    regions = [region["value"] for region in task["annotations"][0]["result"] if region["type"] == "timelinelabels"]
    frames = [(round(start * RATE) + 1, round(end * RATE), name) for start, end, name in truth_of(task["data"])[0]]
    require([(value["ranges"][0]["start"], value["ranges"][0]["end"], value["timelinelabels"][0]) for value in regions] == frames, f"{regions}, not {frames}")
require(require_stored(1e-3) == videos_asked, "each video has its ranges")

run()
report = json.loads((place.path / "out" / "report.json").read_text())
expected = sum(label is not None for video in held_out for label in labels_of(*truth[video]))
require(report["test_clips"] == expected, f"{report['test_clips']} of the held-out segments have a label, not {expected}")
with open(place.path / "out" / "curve.csv", newline="") as file:
    curve = list(csv.DictReader(file))
last = [float(row["accuracy"]) for row in curve if row["round"] == "3"]
require(len(last) == 2 and min(last) > 0.7, f"the student tells colours apart: {last}")
learned = rows_of("SELECT COUNT(*) FROM answers WHERE oracle = 'people'")[0][0]
expected = sum(label is not None for (video,) in rows_of("SELECT video FROM items") for label in labels_of(*truth[pathlib.Path(video).name]))
require(learned == expected, f"{learned} segments have an answer, not {expected}")
distal("ask", "--store", STORE, code=1, says="every question is answered")
run()  # again: nothing is trained or asked
require(len(rows_of("SELECT id FROM items")) == videos_asked, "nobody is asked twice")
