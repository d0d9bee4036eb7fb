"""How long each page and list of the server takes where the store holds many clips.

    ninja -C build/release distal fill_people
    python3 bench/people_pages.py build/release/distal build/release/bench/fill_people [--clips 100000] [--times 100] [--bar 100]

A small study is run with answers by files, so that there are curves; then the store is filled (bench/fill_people.cc), and every GET route
of openapi.json is asked in several ways, and what hands out items. Prints milliseconds a request, and those above the bar; a file of all answers
is no page. The machine must be idle otherwise; the load is printed."""

import argparse
import csv
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from serving import PASSWORD, Page, Serving, call  # noqa: E402
from small import require  # noqa: E402

VIDEOS, PEOPLE = 30, 50
CLASSES = ("bars", "waves")
SMALL = ["seeds=2", "rounds=1", "start=6", "budget=4", "input.size_px=32", "input.sampling.frames=4", "student.model.width=4",
         "student.training.steps=4", "student.training.batch_size=4", "student.training.precision=f32"]


def make_videos(folder):
    folder.mkdir()
    for i in range(VIDEOS):
        source = f"{'testsrc' if i % 2 else 'gradients'}=size=64x64:rate=25"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "50", "-pix_fmt", "yuv420p", "-metadata", f"title={i}",
                        str(folder / f"{i:02}.mp4")], check=True, timeout=600)


def answer_open(place, store):
    """Answers all that is open, by file."""
    call("ask", "--store", store, "--out", place / "ask", "--force")
    with open(place / "ask.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for i, row in enumerate(rows):
        row["class"], row["person"], row["seconds"] = CLASSES[int(pathlib.Path(row["video"]).stem) % 2], f"p{i % PEOPLE:02}", "2.5"
    with open(place / "answers.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    call("answer", place / "answers.csv", "--store", store)


def run_study(place, store):
    """A study with two rounds; the words for distal serve."""
    recipe = place / "recipe.yaml"
    call("import", place / "videos", "--unlabelled", "--lists", place / "lists", "--store", store, "--quiet")
    call("new", recipe, "--data", place / "lists", "--classes", ",".join(CLASSES), "--quiet")
    words = [str(recipe), "--store", store, "--out", str(place / "out"), "--threads", "1"]
    for one in (*SMALL, f"cache.folder={place / 'frames'}"):
        words += ["--set", one]
    for _ in range(5):
        run = subprocess.run([sys.argv[1], "run", *words, "--quiet"], capture_output=True, text=True, timeout=600)
        if run.returncode == 0:
            return words
        require(run.returncode == 75, f"the study waits for people: {run.stderr}")
        answer_open(place, store)
    sys.exit("the study does not end")


def targets_of(owner, clips):
    """(what, path) of each request; a path may be a function of the number of the request."""
    study = urllib.parse.quote("recipe")
    item = owner.good("GET", f"items/{clips // 2}")
    video = item["video"]["id"]
    while owner.ask("GET", f"media/{video}/proxy.mp4", headers={"Range": "bytes=0-99"})[0] == 503:  # it is being made
        time.sleep(0.2)
    last = clips // 50 - 1
    rows = [("session", "session"), ("users", "users"), ("studies", "studies"), ("study", f"studies/{study}"),
            ("options of a branch", f"studies/{study}/options"), ("map", f"studies/{study}/map?method=pca"),
            ("clip of the map", lambda i: f"studies/{study}/map/{1 + i % 4}"), ("classes", f"classes?study={study}"),
            ("items", "items"), ("items, last page", f"items?page={last}"), ("items of the study", f"items?study={study}"),
            ("items of the study, last page", f"items?study={study}&page={last}"), ("items of a round", f"items?study={study}&round=50"),
            ("items of a round of any study", "items?round=50"), ("item", lambda i: f"items/{1 + 37 * i % clips}"),
            ("why", lambda i: f"items/{1 + 37 * i % clips}/why"), ("my answers", "answers/mine?count=200"), ("answers", "answers"),
            ("answers, last page", f"answers?page={clips * 6 // 10 // 50}"), ("answers of a person", "answers?person=p07"),
            ("answers of a person, last page", f"answers?person=p07&page={clips * 6 // 10 // 50 // PEOPLE}"), ("conflicts", "conflicts"),
            ("agreement", f"agreement?study={study}"), ("agreement of all", "agreement"), ("proxy", f"media/{video}/proxy.mp4"),
            ("pieces", f"media/{video}/pieces"),
            ("piece", f"media/{video}/pieces/0"), ("frames", f"media/{video}/frames"), ("picture", lambda i: f"media/{video}/frame.jpg?t={i * 0.013 % 2:.3f}"),
            ("strip", lambda i: f"media/{video}/strip.jpg?start={i * 0.001:.3f}&end={i * 0.001 + 1:.3f}"),
            ("export as csv", f"export?study={study}&format=csv")]
    for state in ("open", "settled", "left_out", "withdrawn"):
        rows += [(f"items {state}", f"items?state={state}"), (f"items of the study {state}", f"items?study={study}&state={state}&page=3")]
    return rows


def require_all_routes(paths):
    """Every GET route but the events, which are asked for apart, is among the paths."""
    routes = json.loads((ROOT / "src/distal/serve/openapi.json").read_text())["paths"]
    for route in (name for name, methods in routes.items() if "get" in methods and name != "/events"):
        pattern = re.compile(re.sub(r"{[^}]*}", "[^/?]+", route.lstrip("/")) + r"(\?.*)?")
        require(any(pattern.fullmatch(path) for path in paths), f"nothing asks {route}")


def percentiles(seconds):
    seconds = sorted(seconds)
    return [1000 * seconds[min(len(seconds) - 1, int(share * len(seconds)))] for share in (0.5, 0.95, 1)]


def timed(work, times):
    seconds = []
    for i in range(times):
        began = time.monotonic()
        work(i)
        seconds.append(time.monotonic() - began)
    return percentiles(seconds)


def first_event(server, cookie):
    with socket.create_connection(("127.0.0.1", server.port), 60) as link:
        link.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: here\r\nCookie: distal_session={cookie}\r\n\r\n".encode())
        text = b""
        while b"event: item" not in text:
            text += link.recv(65536)


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("distal")
parser.add_argument("fill_people")
parser.add_argument("--clips", type=int, default=100_000)
parser.add_argument("--times", type=int, default=100)
parser.add_argument("--bar", type=float, default=100, help="milliseconds, of 95 of 100 requests")
options = parser.parse_args()

with tempfile.TemporaryDirectory(prefix="distal-bench-") as folder:
    place = pathlib.Path(folder)
    store = f"sqlite:{place / 'people.db'}"
    make_videos(place / "videos")
    words = run_study(place, store)
    began = time.monotonic()
    print(subprocess.run([options.fill_people, store, "recipe", place / "videos", str(options.clips), *CLASSES], check=True, capture_output=True,
                         text=True).stdout.strip() + f" in {time.monotonic() - began:.0f} s")
    server = Serving(words)
    owner = Page(server)
    owner.enter("session/link", {"token": server.address.split("#link=")[1]})
    for i in range(PEOPLE):
        owner.good("POST", "users", {"name": f"p{i:02}", "role": "annotator", "password": PASSWORD}, 201)
    page = Page(server)
    page.enter("session", {"user": "p07", "password": PASSWORD})
    require_all_routes([path(0) if callable(path) else path for _, path in targets_of(owner, options.clips)])
    slow = []
    print(f"{'request':<36}{'p50':>9}{'p95':>9}{'longest':>9}  ms")

    def report(what, row):
        above = row[1] > options.bar and "export" not in what  # a file of all answers is no page
        print(f"{what:<36}{row[0]:>9.1f}{row[1]:>9.1f}{row[2]:>9.1f}" + ("  above the bar" if above else ""), flush=True)
        if above:
            slow.append(what)

    for what, path in targets_of(owner, options.clips):
        who = page if what == "my answers" else owner
        who.connection = None  # one that was idle for long is closed
        times = options.times if "export" not in what else max(3, options.times // 20)
        report(what, timed(lambda i: who.good("GET", path(i) if callable(path) else path), times))
    page.connection = None
    report("events, until what is left", timed(lambda i: first_event(server, page.cookie), options.times))
    report("next", timed(lambda i: page.good("POST", "items/next", {"count": 1}), options.times))
    report("the page", timed(lambda i: page.ask("GET", "/"), options.times))
    print(f"load {os.getloadavg()[0]:.1f}; store {(place / 'people.db').stat().st_size / 1e6:.0f} MB")
    server.stop()
    print("above the bar: " + (", ".join(slow) or "none"))
