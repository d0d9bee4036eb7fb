"""Answers on their way through other tools: what distal asks is imported by Label Studio, annotated by its REST interface and exported; distal
takes that, and what distal exports is imported by Label Studio again, whose second export says the same. Files of CVAT are written by
datumaro, taken by distal, exported by distal and read by datumaro again. Both for classes of clips and for ranges of whole videos.

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
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from serving import Page, Serving, call  # noqa: E402
from small import require  # noqa: E402

CLASSES = ["cutting & sewing", "washing <hands>", 'the "third", class', "재봉"]
EMAIL, PASSWORD, TOKEN = "ann@example.com", "correct horse battery", "0123456789abcdef0123456789abcdef01234567"
NOTES = ["", "", "a note", 'quotes " and <tags> & a\nsecond line', "메모"]
RATE = {False: 25, True: 5}  # of the videos of classes, and of ranges
FRAMES = {False: 75, True: 200}
VIDEOS = {False: 24, True: 16}


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
        deadline = time.monotonic() + 1200  # the first start makes a database, by hundreds of migrations
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


def make_study(place, name, ranges):
    """Videos, and a study that waits for people; the words for distal serve. Ranges are asked about untrimmed videos."""
    videos = place / name / "videos"
    videos.mkdir(parents=True)
    for i in range(VIDEOS[ranges]):
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc=size=64x64:rate={RATE[ranges]}", "-frames:v", str(FRAMES[ranges]), "-pix_fmt", "yuv420p", "-metadata", f"title={name}{i}",
                        str(videos / f"{i:02} & '{name}'.mp4")], check=True, timeout=600)
    store, recipe = f"sqlite:{place / name / 'people.db'}", place / name / f"{name}.yaml"
    (place / name / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    call("import", videos, "--unlabelled", "--lists", place / name / "lists", "--store", store, "--quiet")
    call("new", recipe, "--data", place / name / "lists", "--classes", place / name / "classes.txt", "--quiet")
    words = [str(recipe), "--store", store, "--out", str(place / name / "out"), "--threads", "1"]
    require(("answers: ranges" in recipe.read_text()) == ranges, f"the recipe asks for {'ranges' if ranges else 'classes'}")
    amounts = () if ranges else ("start=8", "budget=2")
    for one in ("seeds=1", "rounds=1", *amounts, "input.size_px=32", "input.sampling.frames=4", "student.model.width=4", "student.training.steps=2",
                f"cache.folder={place / 'frames'}"):
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


def some_ranges():
    """Frames from 0, both included, and classes, by chance. No two of them touch."""
    first, ranges = random.randrange(5), []
    while first < FRAMES[True] and (not ranges or random.random() < 0.8):
        last = min(FRAMES[True] - 1, first + random.randrange(1, 60))
        ranges.append((first, last, random.choice(CLASSES)))
        first = last + 2 + random.randrange(20)
    return ranges


def annotation_for(ranges):
    """What a person says about a task, by chance."""
    result, skipped = [], random.random() < 0.15
    if ranges and not skipped:
        for first, last, name in some_ranges():
            result.append(region("ranges", "timelinelabels", {"ranges": [{"start": first + 1, "end": last + 1}], "timelinelabels": [name]}))
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
            who = annotation["completed_by"]  # an account, or its number
            row = {"person": who["email"] if isinstance(who, dict) else str(who), "skipped": annotation["was_cancelled"], "seconds": annotation["lead_time"], "class": None, "unsure": False, "note": "", "ranges": []}
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
        row = rows.setdefault(line["clip"], {"class": None if line.get("range_start_s") else line["class"] or None, "skipped": line["skipped"] == "1", "unsure": line["unsure"] == "1",
                                             "note": line["note"], "seconds": float(line["seconds"] or 0), "person": line["person"], "ranges": []})
        if line.get("range_start_s"):
            row["ranges"].append((float(line["range_start_s"]), float(line["range_end_s"]), line["class"]))
    return rows


def same_ranges(frames, table):
    """Whether ranges of frames from 0, both included, are those of a table, which are seconds."""
    seconds = sorted((first / RATE[True], (last + 1) / RATE[True], name) for first, last, name in frames)
    return len(seconds) == len(table) and all(a[2] == b[2] and abs(a[0] - b[0]) + abs(a[1] - b[1]) < 1e-6 for a, b in zip(seconds, sorted(table)))


def through_label_studio(studio, place, name, ranges):
    words, store = make_study(place, name, ranges)
    ask = place / name / "ask"
    call("ask", "--store", store, "--format", "label-studio", "--out", ask)
    tasks, configuration = json.loads(ask.with_suffix(".json").read_text()), ask.with_suffix(".xml").read_text()
    project = studio.project(name, configuration, tasks)
    inside = studio.tasks(project)
    require(sorted(task["data"]["clip"] for task in inside) == sorted(task["data"]["clip"] for task in tasks), "the tasks are those of distal")
    require(all(task["data"] in [one["data"] for one in tasks] for task in inside), f"what a task says is whole: {inside[0]['data']}")
    for task in inside:
        studio.ask("POST", f"api/tasks/{task['id']}/annotations/", annotation_for(ranges))
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
        require({row[key] == other[key] for key in ("person", "skipped", "unsure", "note", "seconds")} == {True}, f"{clip}: {row} became {other}")
        if ranges:
            require(same_ranges([(start - 1, end - 1, label) for start, end, label in row["ranges"]], other["ranges"]), f"{clip}: {row} became {other}")
        else:
            require(row["class"] == other["class"], f"{clip}: {row} became {other}")
    back = exported(words, name, "label-studio")
    second = studio.export(studio.project(name + " again", configuration, back), "JSON")
    again = said_in_label_studio(second)
    require(again == said, f"the second export differs: {[(clip, said[clip], again.get(clip)) for clip in said if said[clip] != again.get(clip)][:3]}")
    who = {annotation["completed_by"]["email"] if isinstance(annotation["completed_by"], dict) else annotation["completed_by"] for task in second for annotation in task["annotations"]}
    print(f"  {name}: {len(said)} answers ({sum(row['skipped'] for row in said.values())} skipped, {sum(row['unsure'] for row in said.values())} unsure, "
          f"{sum(len(row['ranges']) for row in said.values())} ranges) are equal in Label Studio's second export; by {who}")


def datumaro(python, *words):
    return subprocess.run([python, str(ROOT / "bench/peers/cvat_datumaro.py"), *map(str, words)], check=True, capture_output=True, text=True).stdout


def tasks_of_export(content):
    """Of a project that distal exported, the name of the task of each image and of each track."""
    root = xml.etree.ElementTree.fromstring(content)
    names = {task.findtext("id"): task.findtext("name") for task in root.iter("task")}
    return [{int(one.get("id")): names[one.get("task_id")] for one in root.iter(kind)} for kind in ("image", "track")]


def said_by_datumaro(content, marks):
    """By clip, what datumaro reads in a project that distal exported."""
    images, tracks = tasks_of_export(content)
    rows = {}
    for tag in marks["tags"]:
        clip = images[tag["frame"]]
        require(clip not in rows, f"one tag a clip: {clip}")
        rows[clip] = {"label": tag["label"], "ranges": [], "unsure": tag["unsure"], "note": tag["note"]}
    first = {}
    for box in sorted(marks["boxes"], key=lambda box: (box["track"], box["frame"])):
        row = rows.setdefault(tracks[box["track"]], {"label": None, "ranges": [], "unsure": box["unsure"], "note": box["note"]})
        if box["outside"]:
            row["ranges"].append((first.pop(box["track"]), box["frame"] - 1, box["label"]))
        else:
            first[box["track"]] = box["frame"]
    require(not first, f"each track ends: {first}")
    for row in rows.values():
        row["ranges"].sort()
    return rows


def through_datumaro(python, place, name, ranges):
    words, store = make_study(place, name, ranges)
    ask = place / name / "ask"
    call("ask", "--store", store, "--format", "cvat", "--out", ask)
    asked = json.loads(ask.with_suffix(".json").read_text())
    labels = [label["name"] for label in asked["project"]["labels"]]
    require(labels[:-1] == CLASSES, f"the labels are the classes and one for what is skipped: {labels}")
    answers = []
    for task in asked["tasks"]:
        skipped = ranges and random.random() < 0.15
        label = labels[-1] if skipped else None if ranges else random.choice(labels)
        answers.append({"name": task["task"]["name"], "label": label, "ranges": some_ranges() if ranges and not skipped else [], "frames": FRAMES[ranges],
                        "unsure": random.random() < 0.3, "note": random.choice(NOTES)})
    (place / name / "answers.json").write_text(json.dumps({"labels": labels, "answers": answers}))
    datumaro(python, "write", place / name / "answers.json", place / name / "cvat")
    files = sorted((place / name / "cvat").rglob("*.xml"))
    require(len(files) == len(answers), f"a file for each task: {files}")
    for file in files:
        call("answer", file, "--store", store, "--person", EMAIL)
        call("answer", file, "--store", store, "--person", EMAIL)  # again: nothing changes
    table = said_in_table(exported(words, name, "csv").decode())
    content = exported(words, name, "cvat")
    (place / name / "export.xml").write_bytes(content)
    back = said_by_datumaro(content, json.loads(datumaro(python, "read", place / name / "export.xml")))
    for answer in answers:
        row, again = table[answer["name"]], back[answer["name"]]
        skipped = answer["label"] == labels[-1]
        require(row["skipped"] == skipped and row["class"] == (None if skipped or ranges else answer["label"]), f"{answer} became {row}")
        require(row["unsure"] == answer["unsure"] and row["note"] == answer["note"] and row["person"] == EMAIL, f"{answer} became {row}")
        require(same_ranges(answer["ranges"], row["ranges"]), f"{answer} became {row}")
        require({key: again[key] for key in ("label", "unsure", "note")} == {key: answer[key] for key in ("label", "unsure", "note")}, f"{answer} became {again}")
        require(again["ranges"] == sorted(answer["ranges"]), f"{answer} became {again}")
    require(len(back) == len(table) == len(answers), f"{len(answers)} answers, {len(back)} read by datumaro, {len(table)} in the table")
    print(f"  {name}: {len(answers)} answers ({sum(answer['label'] == labels[-1] for answer in answers)} skipped, {sum(answer['unsure'] for answer in answers)} unsure, "
          f"{sum(len(answer['ranges']) for answer in answers)} ranges) by datumaro are equal in distal's table, and in distal's export as datumaro reads it")


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
        through_datumaro(options.datumaro, place, "tags", ranges=False)
        through_datumaro(options.datumaro, place, "tracks", ranges=True)
print("equal")
