"""The way of somebody who has videos and no labels: import, new, serve, answers at the page; then a student, its accuracy on the held-out
answers, and an exported model.

    python3 bench/newcomer.py build/release/distal [--videos 60] [--answers 40] [--seconds 2] [--typing 15] [--init WEIGHTS] [--set KEY=VALUE ...]

The videos are generated: two kinds of picture, each in colours of its own. A person takes `typing` seconds for a command, which are added
and not waited for, and `seconds` for an answer, which are waited for. Prints the person's time until the first video plays and the first
answer is stored, and what the study knows after the answers."""

import argparse
import pathlib
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from serving import Page, Serving, call  # noqa: E402
from small import require  # noqa: E402

CLASSES = {"bars": "testsrc", "waves": "gradients"}


def make_videos(folder, count):
    """Videos of two seconds; what each shows, by name."""
    folder.mkdir()
    truth = {}
    for i in range(count):
        name, label = f"{i:03}.mp4", list(CLASSES)[random.randrange(2)]
        source = f"{CLASSES[label]}=size=320x240:rate=15"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-vf", f"hue=h={random.randrange(360)}", "-frames:v", "30",
                        "-pix_fmt", "yuv420p", "-metadata", f"title={i}", str(folder / name)], check=True, timeout=600)
        truth[name] = label
    return truth


def next_item(page):
    items = page.good("POST", "items/next", {"count": 1})["items"]
    return items[0] if items else None


def wait_for_item(page, deadline):
    """The first item, when its video can be played."""
    while time.monotonic() < deadline:
        item = next_item(page)
        if item:
            status, _, headers = page.ask("GET", item["video"]["proxy"].split("api/v1/")[1], headers={"Range": "bytes=0-999"})
            if status == 206:
                return item
            require(status == 503, f"the video of an item: {status}")
        time.sleep(0.2)
    sys.exit("no item was shown in time")


def say(page, item, label):
    body = {"item": item["id"], "class": label, "unsure": False, "note": "", "began_ms": int(1000 * time.time()), "seconds": options.seconds}
    return page.good("PUT", f"answers/{uuid.UUID(int=random.getrandbits(128), version=4)}", body)


def shown(page):
    """The last measured round; None before the first."""
    study = page.good("GET", "studies")["studies"][0]
    detail = page.good("GET", f"studies/{study['name']}")
    points = [curve["points"][-1] for curve in detail["curves"] if curve["points"]]
    return study["state"], detail["held_out"], min(points, key=lambda point: point["round"]) if points else None


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("distal")
parser.add_argument("--videos", type=int, default=60)
parser.add_argument("--answers", type=int, default=40)
parser.add_argument("--seconds", type=float, default=2)
parser.add_argument("--typing", type=float, default=15)
parser.add_argument("--init", help="ImageNet weights of mobilenet_v2, for distal new")
parser.add_argument("--set", action="append", default=[], help="for distal serve, as student.training.steps=20")
options = parser.parse_args()
random.seed(11)

with tempfile.TemporaryDirectory(prefix="distal-bench-") as folder:
    place = pathlib.Path(folder)
    truth = make_videos(place / "videos", options.videos)
    store, recipe, out = f"sqlite:{place / 'distal.db'}", place / "first.yaml", place / "out"
    began = time.monotonic()
    call("import", place / "videos", "--unlabelled", "--store", store, "--quiet")
    imported = time.monotonic()
    call("new", recipe, "--store", store, "--classes", ",".join(CLASSES), "--quiet", *(["--init", options.init] if options.init else []))
    proposed = time.monotonic()
    sets = [word for one in [f"cache.folder={place / 'frames'}", *options.set] for word in ("--set", one)]
    server = Serving([str(recipe), "--store", store, "--out", str(out), *sets])
    page = Page(server)
    page.enter("session/link", {"token": server.address.split("#link=")[1]})
    item = wait_for_item(page, time.monotonic() + 600)
    first = time.monotonic()
    given, student_after, waited = 0, None, 0.0
    deadline = time.monotonic() + 3600
    answered = None
    while time.monotonic() < deadline:
        if item:
            time.sleep(options.seconds)
            video = sqlite3.connect(place / "distal.db").execute("SELECT video FROM items WHERE id = ?", (item["id"],)).fetchone()[0]
            say(page, item, truth[pathlib.Path(video).name])
            answered = answered or time.monotonic()
            given += 1
        state, held_out, point = shown(page)
        require(state != "failed", f"the study fails: {(out / 'serve.log').read_text()[-2000:]}")
        if point and student_after is None:
            student_after = given
        if state == "done":
            break
        item = next_item(page)
        if item is None:
            time.sleep(0.5)
            waited += 0.5
    ended = time.monotonic()
    require(point is not None, "a student is measured")
    server.stop()
    models = sorted(out.glob("*.safetensors"))
    require(models, f"a model is kept: {sorted(out.iterdir())}")
    exported = place / "student.onnx"
    call("export", models[0], "--out", exported, "--quiet")
    print(f"import {imported - began:.1f} s, new {proposed - imported:.1f} s, serve until the first video plays {first - proposed:.1f} s")
    print(f"a person's time until the first video: {first - began + 3 * options.typing:.0f} s, until the first answer is stored "
          f"{answered - began + 3 * options.typing:.0f} s (3 commands of {options.typing:.0f} s among them; bar 180)")
    print(f"{given} answers in {ended - first:.0f} s, {waited:.0f} of which nothing was asked; a student was measured after {student_after} of them (bar {options.answers})")
    print(f"accuracy on {held_out['answered']} held-out answers: {point['accuracy']:.3f}, 95 % interval {point['low']:.3f} to {point['high']:.3f}, after {point['answers']} answers")
    print(f"exported {exported.name}: {exported.stat().st_size / 1e6:.1f} MB")
    require(student_after <= options.answers, f"a student after {options.answers} answers")
