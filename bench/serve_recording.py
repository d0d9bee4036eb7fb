"""How long a recording of hours takes to open at the server of people, and to show another place.

    python3 bench/serve_recording.py [--hours 8] [--program build/release/distal] [--place FOLDER]

ffmpeg makes two recordings of 320 x 240, from ten minutes that are repeated: `long` has groups of 250 pictures with B-frames, as many
recorders write, so that its pieces are coded again; `short` has groups of 25 without B-frames in Matroska, so that they are copied.
The server does what a page asks of it: open is the item, the index of pieces, the first piece, and the times of all frames; a seek is the
piece of a random second, which is not there yet. Then a minute is played: the pieces of a minute in their order. What the browser does
itself is not measured. Memory is the server's resident memory: before, afterwards, and at its highest.
The bars: open 2 s, 95 % of seeks 300 ms, memory flat.
"""

import argparse
import atexit
import http.client
import json
import os
import pathlib
import random
import select
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = "testsrc2=size=320x240:rate=25"
CODING = {"long.mp4": ["-preset", "veryfast", "-g", "250", "-bf", "2"],
          "short.mkv": ["-preset", "veryfast", "-g", "25", "-keyint_min", "25", "-bf", "0"]}


def ffmpeg(*words):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, words)], check=True)


def recording(folder, name, hours):
    path = folder / name
    if not path.exists():
        part = folder / ("part" + path.suffix)
        seconds = min(600, hours * 3600)
        ffmpeg("-f", "lavfi", "-i", SOURCE, "-t", seconds, "-pix_fmt", "yuv420p", "-c:v", "libx264", *CODING[name], part)
        ffmpeg("-stream_loop", round(hours * 3600 / seconds) - 1, "-i", part, "-c", "copy", path)
        part.unlink()
    return path


class Server:
    def __init__(self, program, folder, store):
        environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}  # no piece is there from before
        self.process = subprocess.Popen([program.resolve(), "serve", store, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, cwd=folder, env=environment)
        atexit.register(self.stop)
        if not select.select([self.process.stdout], [], [], 120)[0]:
            sys.exit("the server does not start")
        self.address, token = self.process.stdout.readline().strip().split("#link=")
        self.connection = http.client.HTTPConnection("127.0.0.1", int(self.address.split(":")[2].split("/")[0]), timeout=600)
        session, headers = self.ask("POST", "session/link", {"token": token})
        self.headers = {"Cookie": headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": json.loads(session)["csrf"]}

    headers = {}

    def ask(self, method, path, body=None):
        text = None if body is None else json.dumps(body)
        self.connection.request(method, "/api/v1/" + path, text, {**self.headers, **({"Content-Type": "application/json"} if text else {})})
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status}: {content}")
        return content, answer.headers

    def get(self, path):
        return self.ask("GET", path)[0]

    def megabytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return {key: int(status.split(key + ":")[1].split()[0]) / 1024 for key in ("VmRSS", "VmHWM")}

    def stop(self):
        self.process.terminate()
        self.process.wait()


def add_item(store, video, seconds):
    """A question about the whole recording; the id."""
    with sqlite3.connect(store) as database:
        row = database.execute(
            "INSERT INTO items (request, clip_key, video, start_s, end_s, kind, purpose, study, version, round, position, wanted, for_person,"
            " state, places, conflict, class, created) VALUES (?, ?, ?, 0, ?, 'ranges', 'pool', 'bench', 'v', 0, 0, 1, '', 'open', 1, 0, '',"
            " '2026-01-01T00:00:00Z')", (video.name, video.name, str(video), seconds))
        return row.lastrowid


def timed(work):
    began = time.monotonic()
    result = work()
    return time.monotonic() - began, result


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def piece_at(index, second):
    return max(0, sum(start <= second + 1e-6 for start in index["starts"]) - 1)


def measure(server, item, seeks, seed):
    video = json.loads(server.get(f"items/{item}"))["video"]["id"]  # reads the file once where nobody has: an import does
    before = server.megabytes()["VmRSS"]

    def opened():
        server.get(f"items/{item}")
        index = json.loads(server.get(f"media/{video}/pieces"))
        server.get(f"media/{video}/pieces/0")
        server.get(f"media/{video}/frames?format=f64")
        return index

    open_s, index = timed(opened)
    places = random.Random(seed)
    sought = [timed(lambda: server.get(f"media/{video}/pieces/{piece_at(index, places.uniform(0, index['duration_s']))}"))[0]
              for _ in range(seeks)]
    first = piece_at(index, index["duration_s"] / 2)
    play_s = timed(lambda: [server.get(f"media/{video}/pieces/{number}") for number in range(first, piece_at(index, index["starts"][first] + 60))])[0]
    return {"open_s": round(open_s, 3), "pieces": len(index["starts"]), "copied": "avc1.64" in index["type"],
            "seek_ms": {"median": round(1000 * statistics.median(sought)), "p95": round(1000 * percentile(sought, .95)),
                        "most": round(1000 * max(sought))},
            "minute_s": round(play_s, 2), "memory_mb": {"before": round(before), "after": round(server.megabytes()["VmRSS"]),
                                                        "highest": round(server.megabytes()["VmHWM"])}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=pathlib.Path, default=HERE.parent / "build/release/distal")
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--seeks", type=int, default=200)
    parser.add_argument("--place", type=pathlib.Path, help="where the recordings lie, or are made [a temporary folder]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="distal-bench-") as temporary:
        folder = pathlib.Path(temporary)
        place = options.place or folder
        place.mkdir(parents=True, exist_ok=True)
        database = folder / "people.db"
        Server(options.program, folder, f"sqlite:{database}").stop()  # makes the store
        items = {name: add_item(database, recording(place.resolve(), name, options.hours), options.hours * 3600) for name in CODING}
        server = Server(options.program, folder, f"sqlite:{database}")
        for name, item in items.items():
            print(json.dumps({"recording": name, "hours": options.hours, **measure(server, item, options.seeks, 1)}), flush=True)
        server.stop()


if __name__ == "__main__":
    main()
