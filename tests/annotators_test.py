"""Many people answer one study through the REST interface while the server is killed and started again.

  annotators_test.py DISTAL [--annotators 50] [--rate 5] [--seconds 60] [--kills 5] [--seed 7]

The study asks for rate x seconds answers: about its test set, the start and one round. Each page waits for its turn, so that all of
them together give `rate` answers a second. A page keeps an answer in its journal, and sends it with the same id until the server has
acknowledged it. Some people have two pages, some pages are closed with an item open, some answers are undone and given again, some
items are given back. Fails where an answer is lost or stored twice, where an item is with more people than are wanted, and where more is
asked or spent than the recipe allows. Prints what was measured; times decide nothing."""

import argparse
import collections
import contextlib
import itertools
import os
import pathlib
import random
import selectors
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid

from serving import PASSWORD, Page, Serving, kill_and_start
from small import require

CLIPS_A_VIDEO = 60  # of one second each
CLASSES = ("bars", "waves")
TWO_PAGES = 0.1  # share of the pages whose person has another one
LEAVES_FROM_S = 300  # a page that is closed keeps its item for two minutes: shorter runs would wait for that at their end
BURST = 8  # pages that send at once when the server is about to be killed
RECIPE = """
question: Does the server keep what people say?
no_random_arm: a test
seeds: 1
data: {{root: {root}, classes: [{classes}], pool: {{csv: pool.csv}}, test: {{csv: held_out.csv}}, test_clips: {test}}}
clips: {{unit: segment, length_s: 1, stride_s: 1}}
cache: {{folder: {root}/frames}}
oracle: {{kind: people}}
input: {{size_px: 32, sampling: {{frames: 4}}}}
student: {{model: {{name: resnet3d, depth: 10, width: 4}}, training: {{steps: 2, batch_size: 4, precision: f32}}}}
start: {start}
rounds: 1
budget: {budget}
strategy: margin
"""


class Shares:
    """How many answers the recipe asks for."""

    def __init__(self, total):
        self.test, self.budget = max(2, total // 5), max(2, total // 5)
        self.start = max(4, total - self.test - self.budget)
        self.total = self.test + self.budget + self.start


class Turns:
    """Gives out turns at a rate. `hurry` wakes some that wait."""

    def __init__(self, rate):
        self.rate, self.given, self.began, self.hurried = rate, 0, time.monotonic(), 0
        self.changed = threading.Condition()

    def wait(self):
        with self.changed:
            mine = self.began + self.given / self.rate
            self.given += 1
            while (left := mine - time.monotonic()) > 0 and self.hurried == 0:
                self.changed.wait(left)
            if left > 0:
                self.hurried -= 1

    def hurry(self, pages):
        with self.changed:
            self.hurried = pages
            self.changed.notify_all()


class World:
    """What all pages share, and what they have seen."""

    def __init__(self, rate):
        self.turns, self.lock, self.over = Turns(rate), threading.Lock(), threading.Event()
        self.held = collections.defaultdict(list)  # by item: (from, until, page), seconds since 1970
        self.stands = {}                           # by id: (item, person) of an answer that was acknowledged
        self.undone = set()
        self.latencies = collections.defaultdict(list)  # by request, of those that were answered
        self.counts = collections.Counter()
        self.failures = []

    def fail(self, sentence):
        with self.lock:
            self.failures.append(sentence)
        self.over.set()

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def acknowledged(self):
        with self.lock:
            return len(self.stands)


class Annotator(threading.Thread):
    """A person's page: takes an item, answers it at its turn, and keeps the answer until the server has it."""

    def __init__(self, world, server, person, number, arguments):
        super().__init__(daemon=True)
        self.world, self.server, self.person, self.number, self.opened = world, server, person, number, 0
        self.random = random.Random(arguments.seed * 1000 + number)
        self.leaves = 0.02 if arguments.seconds >= LEAVES_FROM_S else 0
        self.open()

    def open(self):
        """Another page of the same person, as in a new window."""
        self.page, self.opened = Page(self.server), self.opened + 1
        status = 0
        while status != 200:
            with contextlib.suppress(OSError):
                status, _ = self.page.try_to_enter("session", {"user": self.person, "password": PASSWORD})

    def run(self):
        try:
            while not self.world.over.is_set():
                item = self.next()
                if item is None:
                    self.world.over.wait(self.random.uniform(1, 3))
                else:
                    self.work(item)
        except Exception as error:  # a thread's end is the test's
            self.world.fail(f"page {self.number}: {type(error).__name__}: {error}")

    def send(self, what, method, path, body=None):
        """The answer, sent until there is one. Times what is answered."""
        while True:
            began = time.monotonic()
            try:
                status, content, _ = self.page.ask(method, path, body)
            except OSError:
                self.world.count("retries")
                if self.world.over.wait(self.random.uniform(0.1, 0.4)):
                    raise
                continue
            with self.world.lock:
                self.world.latencies[what].append(time.monotonic() - began)
            return status, content

    def next(self):
        status, content = self.send("next", "POST", "items/next", {"count": 1})
        require(status == 200, f"next: {status}: {content}")
        if not content["items"]:
            return None
        item = content["items"][0]
        self.hold(item)
        return item

    def hold(self, item):
        item["hold"] = [time.time(), item["lease_until_ms"] / 1000, (self.number, self.opened)]
        with self.world.lock:
            self.world.held[item["id"]].append(item["hold"])

    def work(self, item):
        if self.random.random() < self.leaves:
            self.world.count("closed")
            return self.open()
        chance = self.random.random()
        if chance < 0.02:
            return self.give_back(item)
        if chance < 0.04:
            status, renewed = self.send("renew", "POST", f"items/{item['id']}/renew")
            require(status == 200, f"renew: {status}: {renewed}")
            item["hold"][1] = renewed["lease_until_ms"] / 1000
        self.world.turns.wait()
        name = self.answer(item)
        if name and 0.04 <= chance < 0.07:
            self.undo(item, name)

    def give_back(self, item):
        item["hold"][1] = min(item["hold"][1], time.time())
        status, _ = self.send("release", "POST", f"items/{item['id']}/release")
        require(status == 204, f"release: {status}")
        self.world.count("given back")

    def answer(self, item):
        """Sends one answer until it is acknowledged, and now and then once more. Its id; None: the lease had ended."""
        name = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        body = {"item": item["id"], "unsure": self.random.random() < 0.1, "note": "", "began_ms": int(1000 * time.time()),
                "seconds": round(self.random.uniform(0.5, 9), 3)}
        if self.random.random() < 0.02:
            body["skipped"] = True
        else:
            body["class"] = self.random.choice(CLASSES)
        hold = item["hold"]
        hold[1] = min(hold[1], time.time())
        for repeat in range(2 if self.random.random() < 0.1 else 1):
            status, content = self.send("answer", "PUT", f"answers/{name}", body)
            if status == 409 and content["error"]["code"] == "lease_lost" and time.time() > item["lease_until_ms"] / 1000:
                self.world.count("came too late")
                return None
            require(status == 200, f"answer {name} of item {item['id']}: {status}: {content}")
        with self.world.lock:
            self.world.stands[name] = (item["id"], self.person)
        return name

    def undo(self, item, name):
        asked = time.time()
        status, content = self.send("undo", "DELETE", f"answers/{name}")
        if status == 409 and content["error"]["code"] == "used":
            return
        require(status == 200, f"undo of {name}: {status}: {content}")
        with self.world.lock:
            del self.world.stands[name]
            self.world.undone.add(name)
            self.world.counts["undone"] += 1
        again = content["item"]
        if again is None:  # somebody else had it at once
            return
        require(again["lease_until_ms"] / 1000 > asked, f"an undone answer's item is leased anew: {again}")
        self.hold(again)
        self.answer(again)


class Listeners(threading.Thread):
    """The connections by which pages hear events: what comes is read and left; one that ends is opened anew."""

    def __init__(self, world, server, pages):
        super().__init__(daemon=True)
        self.world, self.server, self.pages = world, server, pages
        self.selector, self.missing = selectors.DefaultSelector(), list(pages)

    def run(self):
        while not self.world.over.is_set():
            self.open_missing()
            for key, _ in self.selector.select(0.2):
                self.read(key)

    def open_missing(self):
        waiting, self.missing = self.missing, []
        for page in waiting:
            try:
                link = socket.create_connection(("127.0.0.1", self.server.port), 5)
                link.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: here\r\nCookie: distal_session={page.cookie}\r\n\r\n".encode())
            except OSError:
                self.missing.append(page)
                continue
            self.selector.register(link, selectors.EVENT_READ, page)

    def read(self, key):
        with contextlib.suppress(OSError):
            if got := key.fileobj.recv(65536):
                self.world.counts["events"] += got.count(b"event: ")
                return
        self.selector.unregister(key.fileobj)
        key.fileobj.close()
        self.missing.append(key.data)


class Watch(threading.Thread):
    """Looks into the store: nobody holds a place that is not there."""

    QUERY = """SELECT id, wanted, held FROM (SELECT id, wanted,
                 (SELECT COUNT(*) FROM item_leases WHERE item = items.id AND until_ms > ?) +
                 (SELECT COUNT(*) FROM people_answers WHERE item = items.id AND undone_ms = 0 AND decides = 0) AS held
               FROM items) WHERE held > wanted"""

    def __init__(self, world, store):
        super().__init__(daemon=True)
        self.world, self.store = world, store

    def run(self):
        while not self.world.over.wait(0.5):
            now = int(1000 * time.time())
            for item, wanted, held in rows(self.store, self.QUERY, now):
                self.world.fail(f"item {item} is with {held} people at {now}, and {wanted} are wanted")
            self.world.counts["looks"] += 1


def rows(store, query, *values):
    with contextlib.closing(sqlite3.connect(store, timeout=60)) as database:
        return database.execute(query, values).fetchall()


def make_study(place, shares):
    """A recipe whose pool holds a third more clips than it asks for."""
    pool = -(-4 * (shares.start + shares.budget) // 3 // CLIPS_A_VIDEO) + 1
    test = -(-shares.test // CLIPS_A_VIDEO) + 1
    videos = [f"{i:03}.mp4" for i in range(pool + test)]
    for i, name in enumerate(videos):
        picture = "testsrc" if i % 2 == 0 else "mandelbrot"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"{picture}=size=32x32:rate=8", "-frames:v", str(8 * CLIPS_A_VIDEO),
                        "-pix_fmt", "yuv420p", "-g", "8", "-metadata", f"title={i}", str(place / name)], check=True, timeout=600)
    for name, some in (("pool.csv", videos[:pool]), ("held_out.csv", videos[pool:])):
        (place / name).write_text("path,group\n" + "".join(f"{video},{video}\n" for video in some))
    recipe = place / "recipe.yaml"
    recipe.write_text(RECIPE.format(root=place, classes=", ".join(CLASSES), test=shares.test, start=shares.start, budget=shares.budget))
    return recipe


def log_in(server, arguments):
    """The owner's page, and whose the pages of annotators are: the first people have two."""
    owner = Page(server)
    owner.enter("session/link", {"token": server.address.split("#link=")[1]})
    owner.good("POST", "users", {"name": "olga", "role": "owner", "password": PASSWORD}, 201)
    doubled = int(TWO_PAGES * arguments.annotators)
    people = [f"p{i % max(1, arguments.annotators - doubled):02}" for i in range(arguments.annotators)]
    for person in sorted(set(people)):
        owner.good("POST", "users", {"name": person, "role": "annotator", "password": PASSWORD}, 201)
    return owner, people


def overlaps(held):
    """Items that two pages held at the same time: each from when it heard of its lease to when it sent its answer."""
    found = []
    for item, holds in held.items():
        for (begin, until, page), (other_begin, other_until, other) in itertools.combinations(holds, 2):
            both = min(until, other_until) - max(begin, other_begin)
            if page != other and both > 0:
                found.append((item, page, other, both))
    return found


def state_of(owner):
    with contextlib.suppress(OSError):
        return owner.ask("GET", "studies")[1]["studies"][0]["state"]
    return "killed"


def run_until_done(world, server, owner, arguments, shares):
    """Kills the server when shares of the answers are there. Ends when the study has learned from all of them."""
    kills = [shares.total * (i + 1) // (arguments.kills + 1) for i in range(arguments.kills)]
    chance = random.Random(arguments.seed)
    deadline = time.monotonic() + 300 + 10 * arguments.seconds
    while not world.over.is_set():
        require(time.monotonic() < deadline, f"the study ends: {world.acknowledged()} of {shares.total} answers, {state_of(owner)}")
        if kills and world.acknowledged() >= kills[0]:
            kills.pop(0)
            world.turns.hurry(BURST)
            time.sleep(chance.uniform(0, 0.06))
            kill_and_start(server)
        elif not kills and world.acknowledged() >= shares.total:
            state = state_of(owner)
            if state in ("done", "failed"):
                return state
        time.sleep(0.05)
    return "not reached"


def check_answers(world, store):
    stored = {name: (item, person) for name, item, person in rows(store, "SELECT uuid, item, person FROM people_answers WHERE undone_ms = 0")}
    lost = world.stands.keys() - stored.keys()
    require(not lost, f"{len(lost)} of {len(world.stands)} acknowledged answers are lost: {sorted(lost)[:3]}")
    require(stored == world.stands, f"nobody gave these answers: {sorted(stored.keys() - world.stands.keys())[:3]}")
    undone = {row[0] for row in rows(store, "SELECT uuid FROM people_answers WHERE undone_ms <> 0")}
    require(undone == world.undone, f"{len(undone)} answers are undone, {len(world.undone)} were")
    twice = rows(store, "SELECT item, person, COUNT(*) FROM people_answers WHERE undone_ms = 0 GROUP BY item, person HAVING COUNT(*) > 1")
    require(not twice, f"answers are there twice: {twice[:3]}")
    many = rows(store, "SELECT items.id, wanted, COUNT(*) FROM items JOIN people_answers ON item = items.id WHERE undone_ms = 0 "
                       "GROUP BY items.id HAVING COUNT(*) > wanted")
    require(not many, f"items have more answers than are wanted: {many[:3]}")
    found = overlaps(world.held)
    require(not found, f"{len(found)} items were with two pages at once (item, page, page, seconds): {found[:3]}")


def check_budget(store, shares):
    asked = dict(rows(store, "SELECT purpose, COUNT(*) FROM items GROUP BY purpose"))
    limit = {"held_out": shares.test, "start": shares.start, "pool": shares.budget}
    require(asked == limit, f"asked are {asked}, and the recipe allows {limit}")
    clips = rows(store, "SELECT COUNT(*), COUNT(DISTINCT clip_key), SUM(state = 'open') FROM items")[0]
    require(clips == (shares.total, shares.total, 0), f"each clip is asked once, and none is open: {clips}")
    for run, clips, spent in rows(store, "SELECT run, COUNT(*), SUM(price) FROM reservations GROUP BY run"):
        require(clips <= shares.start + shares.budget, f"run {run} spends {spent} on {clips} clips, and {shares.start + shares.budget} are allowed")
    paid = rows(store, "SELECT COUNT(*), COUNT(DISTINCT clip) FROM answers")[0]
    require(paid[0] == paid[1] <= shares.total, f"each clip is paid once: {paid}")


def milliseconds(seconds):
    seconds = sorted(seconds)
    at = [seconds[min(len(seconds) - 1, int(share * len(seconds)))] for share in (0.5, 0.95, 0.99)]
    return "p50 {:.1f}, p95 {:.1f}, p99 {:.1f}, longest {:.1f} ms".format(*(1000 * one for one in (*at, seconds[-1])))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("distal")
    parser.add_argument("others", nargs="*")  # what ctest gives each script
    for name, standard, kind in (("annotators", 50, int), ("rate", 5, float), ("seconds", 60, float), ("kills", 5, int), ("seed", 7, int)):
        parser.add_argument(f"--{name}", default=standard, type=kind)
    arguments = parser.parse_args()
    shares = Shares(int(arguments.rate * arguments.seconds))
    with tempfile.TemporaryDirectory(prefix="distal-test-") as folder:
        test(pathlib.Path(folder), arguments, shares)


def test(place, arguments, shares):
    recipe, store = make_study(place, shares), place / "people.db"
    server = Serving([str(recipe), "--store", f"sqlite:{store}", "--out", str(place / "out"), "--threads", "1"])
    owner, people = log_in(server, arguments)
    world = World(arguments.rate)
    pages = [Annotator(world, server, person, number, arguments) for number, person in enumerate(people)]
    others = [Watch(world, store), Listeners(world, server, [page.page for page in pages])]
    began = world.turns.began = time.monotonic()
    for thread in (*pages, *others):
        thread.start()
    state = run_until_done(world, server, owner, arguments, shares)
    took = time.monotonic() - began
    world.over.set()
    for thread in (*pages, *others):
        thread.join(120)
    require(not world.failures, "; ".join(world.failures[:3]))
    require(state == "done", f"the study is {state}: {(place / 'out' / 'serve.log').read_text()[-2000:]}")
    check_answers(world, store)
    check_budget(store, shares)
    server.stop()
    print(f"{arguments.annotators} pages of {len(set(people))} people, {len(world.stands)} answers in {took:.0f} s ({len(world.stands) / took:.2f} a second), "
          f"{arguments.kills} kills; load {os.getloadavg()[0]:.1f}")
    print("; ".join(f"{what}: {count}" for what, count in sorted(world.counts.items())))
    for what, seconds in sorted(world.latencies.items()):
        print(f"{what} ({len(seconds)}): {milliseconds(seconds)}")
    print("0 lost, 0 twice, 0 leased to two at once, 0 over the budget")


if __name__ == "__main__":
    main()
