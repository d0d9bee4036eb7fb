"""Answers on their way through other tools: what distal asks is imported by Label Studio, annotated by its REST interface and exported; distal
takes that, and what distal exports is imported by Label Studio again, whose second export says the same. Tags of CVAT are written and read
by datumaro.

    python3 -m venv PLACE && PLACE/bin/pip install label-studio==1.23.2
    python3 -m venv OTHER && OTHER/bin/pip install datumaro==1.13.12
    python3 bench/round_trips.py build/release/distal --label-studio PLACE/bin/label-studio --datumaro OTHER/bin/python3

One of the two may be left out. Label Studio listens on loopback, and keeps what it stores in a temporary folder."""

import argparse
import csv
import io
import json
import os
import pathlib
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from serving import Page, Serving, call  # noqa: E402
from small import require  # noqa: E402

CLASSES = ["cutting & sewing", "washing <hands>", 'the "third", class', "재봉"]
EMAIL, PASSWORD, TOKEN = "ann@example.com", "correct horse battery", "0123456789abcdef0123456789abcdef01234567"
NOTES = ["", "", "a note", 'quotes " and <tags> & a\nsecond line', "메모"]


class LabelStudio:
    """label-studio on loopback."""

    def __init__(self, program, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        environment = {**os.environ, "LABEL_STUDIO_BASE_DATA_DIR": str(folder), "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true", "COLLECT_ANALYTICS": "false",
                       "LABEL_STUDIO_COLLECT_ANALYTICS": "false", "SENTRY_DSN": "", "FRONTEND_SENTRY_DSN": "", "LATEST_VERSION_CHECK": "false"}
        self.log = open(folder / "label-studio.log", "w+")
        self.process = subprocess.Popen([program, "start", "--no-browser", "--internal-host", "127.0.0.1", "--port", str(port), "--data-dir", str(folder), "--username",
                                         EMAIL, "--password", PASSWORD, "--user-token", TOKEN, "--log-level", "ERROR"], stdout=self.log, stderr=subprocess.STDOUT,
                                        env=environment, start_new_session=True)
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return self.ask("GET", "api/version") and None
            except (OSError, urllib.error.URLError):
                time.sleep(1)
        self.log.seek(0)
        sys.exit(f"Label Studio does not start: {self.log.read()[-3000:]}")

    def ask(self, method, path, body=None):
        headers = {"Authorization": f"Token {TOKEN}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(f"{self.address}/{path}", None if body is None else json.dumps(body).encode(), headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            sys.exit(f"Label Studio: {method} {path}: {error.code} {error.read()[:2000]}")

    def project(self, title, configuration, tasks):
        """A project with the tasks; its number."""
        number = self.ask("POST", "api/projects", {"title": title, "label_config": configuration})["id"]
        said = self.ask("POST", f"api/projects/{number}/import?return_task_ids=true", tasks)
        require(said.get("task_count") == len(tasks), f"{title}: {len(tasks)} tasks were given, and {said} were imported")
        return number

    def tasks(self, project):
        found = self.ask("GET", f"api/tasks?project={project}&page_size=1000&fields=all")
        return found["tasks"] if isinstance(found, dict) else found

    def export(self, project, kind):
        return self.ask("GET", f"api/projects/{project}/export?exportType={kind}&download_all_tasks=true")

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(60)


def make_study(place, name, more=()):
    """Videos, and a study that waits for people; the words for distal serve."""
    videos = place / name / "videos"
    videos.mkdir(parents=True)
    for i in range(24):
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=25", "-frames:v", "75", "-pix_fmt", "yuv420p", "-metadata", f"title={name}{i}",
                        str(videos / f"{i:02} & '{name}'.mp4")], check=True, timeout=600)
    store, recipe = f"sqlite:{place / name / 'people.db'}", place / name / f"{name}.yaml"
    (place / name / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    call("import", videos, "--unlabelled", "--lists", place / name / "lists", "--store", store, "--quiet")
    call("new", recipe, "--data", place / name / "lists", "--classes", place / name / "classes.txt", "--quiet")
    words = [str(recipe), "--store", store, "--out", str(place / name / "out"), "--threads", "1"]
    for one in ("seeds=1", "rounds=1", "start=8", "budget=2", "input.size_px=32", "input.sampling.frames=4", "student.model.width=4", "student.training.steps=2",
                f"cache.folder={place / 'frames'}", *more):
        words += ["--set", one]
    run = subprocess.run([sys.argv[1], "run", *words, "--quiet"], capture_output=True, text=True, timeout=600)
    require(run.returncode == 75, f"the study waits for people: {run.returncode} {run.stderr}")
    return words, store


def exported(words, study, form):
    """What the server exports."""
    server = Serving([*words, "--no-run"])
    owner = Page(server)
    owner.enter("session/link", {"token": server.address.split("#link=")[1]})
    content = owner.good("GET", f"export?study={study}&format={form}")
    server.stop()
    return content


def region(name, kind, value):
    return {"from_name": name, "to_name": "video", "type": kind, "value": value}


def annotation_for(task, ranges):
    """What a person says about a task, by chance."""
    result, skipped = [], random.random() < 0.15
    if ranges and not skipped:
        begin = 1
        while begin < 70 and random.random() < 0.8:
            end = min(75, begin + random.randrange(1, 40))
            result.append(region("ranges", "timelinelabels", {"ranges": [{"start": begin, "end": end}], "timelinelabels": [random.choice(CLASSES)]}))
            begin = end + 1 + random.randrange(5)
    elif not skipped:
        result.append(region("class", "choices", {"choices": [random.choice(CLASSES)]}))
    if random.random() < 0.3:
        result.append(region("unsure", "choices", {"choices": ["unsure"]}))
    if note := random.choice(NOTES):
        result.append(region("note", "textarea", {"text": [note]}))
    return {"result": result, "was_cancelled": skipped, "lead_time": round(random.uniform(0.5, 60), 3)}


def said_in_label_studio(tasks):
    """By clip, what an export of Label Studio says that distal knows too."""
    rows = {}
    for task in tasks:
        for annotation in task["annotations"]:
            row = {"skipped": annotation["was_cancelled"], "seconds": annotation["lead_time"], "class": None, "unsure": False, "note": "", "ranges": []}
            for one in annotation["result"]:
                value = one["value"]
                if one["type"] == "timelinelabels":
                    row["ranges"] += [(frames["start"], frames["end"], value["timelinelabels"][0]) for frames in value["ranges"]]
                elif one["from_name"] == "unsure":
                    row["unsure"] = True
                elif one["type"] == "choices":
                    row["class"] = value["choices"][0]
                else:
                    row["note"] = "\n".join(value["text"])
            require(task["data"]["clip"] not in rows, f"one answer a clip: {task['data']['clip']}")
            row["ranges"].sort()
            rows[task["data"]["clip"]] = row
    return rows


def said_in_table(text):
    """By clip, what a table of distal says."""
    rows = {}
    for line in csv.DictReader(io.StringIO(text)):
        if not line["person"]:
            continue
        row = rows.setdefault(line["clip"], {"class": line["class"] or None, "skipped": line["skipped"] == "true", "unsure": line["unsure"] == "true",
                                             "note": line["note"], "seconds": float(line["seconds"] or 0), "person": line["person"], "ranges": []})
        if line.get("range_start_s"):
            row["ranges"].append((float(line["range_start_s"]), float(line["range_end_s"]), line["class"]))
    return rows


def through_label_studio(studio, place, name, ranges):
    words, store = make_study(place, name)
    if ranges:  # no command asks for ranges yet: the questions of this study are made to
        with sqlite3.connect(place / name / "people.db") as database:
            database.execute("UPDATE items SET kind = 'ranges'")
        database.close()
    ask = place / name / "ask"
    call("ask", "--store", store, "--format", "label-studio", "--out", ask)
    tasks, configuration = json.loads(ask.with_suffix(".json").read_text()), ask.with_suffix(".xml").read_text()
    project = studio.project(name, configuration, tasks)
    inside = studio.tasks(project)
    require(sorted(task["data"]["clip"] for task in inside) == sorted(task["data"]["clip"] for task in tasks), "the tasks are those of distal")
    require(all(task["data"] in [one["data"] for one in tasks] for task in inside), f"what a task says is whole: {inside[0]['data']}")
    for task in inside:
        studio.ask("POST", f"api/tasks/{task['id']}/annotations/", annotation_for(task, ranges))
    first = studio.export(project, "JSON")
    said = said_in_label_studio(first)
    require(len(said) == len(tasks), f"{len(tasks)} tasks, {len(said)} annotations in the export")
    (place / name / "export.json").write_text(json.dumps(first))
    print("  " + call("answer", place / name / "export.json", "--store", store).strip().splitlines()[0])
    minimal = studio.export(project, "JSON_MIN")
    (place / name / "export-min.json").write_text(json.dumps(minimal))
    again = subprocess.run([sys.argv[1], "answer", place / name / "export-min.json", "--store", store], capture_output=True, text=True)
    print("  JSON-MIN: " + again.stdout.strip().splitlines()[-2 if again.returncode == 0 else -1])
    kept = sum(not row["skipped"] for row in said.values())
    require(f"0 answers stored, {kept} were there before, 0 refused" in again.stdout, f"JSON-MIN says the same, but for what was skipped: {again.stdout}{again.stderr}")
    table = said_in_table(exported(words, name, "csv").decode())
    for clip, row in said.items():
        other = table[clip]
        require({row[key] == other[key] for key in ("skipped", "unsure", "note", "seconds")} == {True}, f"{clip}: {row} became {other}")
        if not ranges:
            require(row["class"] == other["class"], f"{clip}: {row} became {other}")
        require(other["person"] == EMAIL, f"{clip} was answered by {other['person']}")
    back = exported(words, name, "label-studio")
    second = studio.export(studio.project(name + " again", configuration, back), "JSON")
    again = said_in_label_studio(second)
    require(again == said, f"the second export differs: {[(clip, said[clip], again.get(clip)) for clip in said if said[clip] != again.get(clip)][:3]}")
    who = {annotation["completed_by"]["email"] if isinstance(annotation["completed_by"], dict) else annotation["completed_by"] for task in second for annotation in task["annotations"]}
    print(f"  {name}: {len(said)} answers ({sum(row['skipped'] for row in said.values())} skipped, {sum(row['unsure'] for row in said.values())} unsure, "
          f"{sum(len(row['ranges']) for row in said.values())} ranges) are equal in Label Studio's second export; by {who}")


def through_datumaro(python, place):
    words, store = make_study(place, "tags")
    ask = place / "tags" / "ask"
    call("ask", "--store", store, "--format", "cvat", "--out", ask)
    asked = json.loads(ask.with_suffix(".json").read_text())
    labels = [label["name"] for label in asked["project"]["labels"]]
    require(labels[:-1] == CLASSES, f"the labels are the classes and one for what is skipped: {labels}")
    answers = [{"name": task["task"]["name"], "label": random.choice(labels), "unsure": random.random() < 0.3, "note": random.choice(NOTES)} for task in asked["tasks"]]
    (place / "tags" / "answers.json").write_text(json.dumps({"labels": labels, "answers": answers}))
    peer = [python, str(ROOT / "bench/peers/cvat_datumaro.py")]
    subprocess.run([*peer, "write", str(place / "tags" / "answers.json"), str(place / "tags" / "cvat")], check=True)
    read = json.loads(subprocess.run([*peer, "read", str(place / "tags" / "cvat")], check=True, capture_output=True, text=True).stdout)
    files = sorted((place / "tags" / "cvat").rglob("*.xml"))
    require(len(files) == len(answers), f"a file for each task: {files}")
    for file in files:
        call("answer", file, "--store", store, "--person", EMAIL)
        call("answer", file, "--store", store, "--person", EMAIL)  # again: nothing changes
    table = said_in_table(exported(words, "tags", "csv").decode())
    for row in read:
        other = table[row["name"]]
        skipped = row["label"] == labels[-1]
        require(other["skipped"] == skipped and other["class"] == (None if skipped else row["label"]), f"{row} became {other}")
        require(other["unsure"] == row["unsure"] and other["note"] == row["note"], f"{row} became {other}")
    require(len(read) == len(table) == len(answers), f"{len(answers)} answers, {len(read)} read by datumaro, {len(table)} in the table")
    print(f"  tags: {len(answers)} answers of CVAT files by datumaro are equal in distal's table")


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("distal")
parser.add_argument("--label-studio", help="the program label-studio")
parser.add_argument("--datumaro", help="a python3 that has datumaro")
parser.add_argument("--seed", type=int, default=5)
options = parser.parse_args()
random.seed(options.seed)
with tempfile.TemporaryDirectory(prefix="distal-bench-") as folder:
    place = pathlib.Path(folder)
    if options.label_studio:
        (place / "label-studio").mkdir()
        studio = LabelStudio(options.label_studio, place / "label-studio")
        try:
            print(f"Label Studio {studio.ask('GET', 'api/version').get('release', '')}")
            through_label_studio(studio, place, "classes", ranges=False)
            through_label_studio(studio, place, "ranges", ranges=True)
        finally:
            studio.stop()
    if options.datumaro:
        print("datumaro")
        through_datumaro(options.datumaro, place)
print("equal")
