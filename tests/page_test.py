"""The page of distal serve in Debian's Chromium (tests/page/page_test.mjs), at the real server, on a study that nobody has labelled.

    python3 -B tests/page_test.py build/release/distal .deps/npm

DISTAL_PAGE_STEPS is the number of random steps in each way of coding [40], DISTAL_PAGE_FRAMES that of the frames of a video [120],
DISTAL_PAGE_SEED the seed of the steps [1], DISTAL_PAGE_SHOTS a folder for pictures of the screen. Without Node.js or Chromium the
test is skipped (exit status 77)."""

import atexit
import contextlib
import json
import os
import pathlib
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

from small import require

SKIPPED = 77
CODINGS = {
    "constant": ["libx264", "-bf", "0", "-g", "48"],
    "variable": ["libx264", "-bf", "0", "-g", "48"],
    "bframes": ["libx264", "-bf", "3", "-g", "48", "-x264-params", "b-pyramid=normal"],
    "hevc": ["libx265", "-tag:v", "hvc1", "-x265-params", "log-level=error:bframes=3:keyint=48"],
}
VARIES = ("variable", "hevc")  # frames last from 22 to 78 ms
CLASSES = {"bars": "smptehdbars", "waves": "testsrc2"}
COPIES = 5  # videos of a coding and a class, alike but for their titles
POOL, HELD_OUT, START, BUDGET = 32, 8, 28, 4
FRAMES = int(os.environ.get("DISTAL_PAGE_FRAMES", "120"))
SMALL = ["seeds=1", "rounds=1", f"start={START}", f"budget={BUDGET}", "data.test_clips=-1", "input.size_px=32", "input.sampling.frames=4",
         "student.model.width=4", "student.training.steps=4", "student.training.batch_size=4", "student.training.precision=f32"]


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def call(*words):
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=600)
    require(run.returncode == 0, f"{words}: exit {run.returncode}: {run.stderr}")
    return run.stdout


def painted():
    """A filter: each frame shows its number as 12 squares, white where a bit is set (tests/page/steps.mjs reads them)."""
    squares = ["drawbox=x=0:y=0:w=iw:h=26:color=black:t=fill"]
    for bit in range(12):
        squares.append(f"drawbox=x={4 + 25 * bit}:y=3:w=20:h=20:color=white:t=fill:enable='bitand(n,{1 << bit})'")
    return ",".join(squares)


def make_video(path, source, coding, frames):
    times = ["-vf", painted()]
    if coding in VARIES:
        times = ["-vf", painted() + ",settb=1/90,setpts=5*N+mod(7*N\\,5)", "-fps_mode", "passthrough", "-enc_time_base", "1/90",
                 "-video_track_timescale", "90000"]
    call("ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"{source}=size=320x180:rate=30", "-frames:v", frames, *times, "-pix_fmt", "yuv420p",
         "-c:v", CODINGS[coding][0], "-preset", "ultrafast", *CODINGS[coding][1:], "-movflags", "+faststart", path)


def make_videos(folder, sources):
    folder.mkdir()
    sources.mkdir()
    for coding in CODINGS:
        for name, source in CLASSES.items():
            one = sources / f"{coding}_{name}.mp4"
            make_video(one, source, coding, FRAMES)
            for i in range(COPIES):
                call("ffmpeg", "-v", "error", "-i", one, "-c", "copy", "-metadata", f"title={i}", "-movflags", "+faststart",
                     folder / f"{coding}_{name}_{i}.mp4")


def count(query):
    with contextlib.closing(sqlite3.connect(store)) as database:
        return database.execute(query).fetchone()[0]


def names():
    with contextlib.closing(sqlite3.connect(store)) as database:
        return {row[0]: pathlib.Path(row[1]).stem for row in database.execute("select id, path from videos")}


def add_recording(video):
    """A recording to label by ranges, before all else."""
    row = {"request": "test", "clip_key": video.name, "video": str(video), "start_s": 0, "end_s": 60, "kind": "ranges", "purpose": "pool",
           "study": "recipe", "version": "", "round": 0, "position": -1, "wanted": 1, "for_person": "", "state": "open", "places": 1,
           "conflict": 0, "class": "", "created": "2026-01-01 00:00:00"}
    with contextlib.closing(sqlite3.connect(store, timeout=60)) as database:
        database.execute(f"insert into items ({', '.join(row)}) values ({', '.join('?' * len(row))})", list(row.values()))
        database.commit()


def serve(words):
    server = subprocess.Popen([distal, "serve", *words], stdout=subprocess.PIPE, stderr=open(place / "serve.txt", "w"), text=True)
    atexit.register(server.kill)  # a test that fails leaves no server behind
    ready, _, _ = select.select([server.stdout], [], [], 300)
    address = server.stdout.readline().strip() if ready else ""
    require("#link=" in address, f"a link for the owner, not '{address}': {(place / 'serve.txt').read_text()}")
    return server, address


def browse(address, chromium):
    words = ["node", str(here / "page" / "page_test.mjs"), address, "--npm", str(npm), "--chromium", chromium,
             "--steps", os.environ.get("DISTAL_PAGE_STEPS", "40"), "--seed", os.environ.get("DISTAL_PAGE_SEED", "1"),
             "--shots", os.environ.get("DISTAL_PAGE_SHOTS", ""), "--videos", json.dumps(names())]
    run = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    atexit.register(run.kill)
    told = None
    for line in run.stdout:
        if line.startswith("{"):
            told = json.loads(line)
            continue
        print(line, end="", flush=True)
    require(run.wait() == 0 and told, f"the page: exit {run.returncode}: {(place / 'out' / 'serve.log').read_text()[-2000:]}")
    return told["answers"]


distal, npm = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
here = pathlib.Path(__file__).resolve().parent
chromium = shutil.which("chromium") or shutil.which("chromium-browser")
if not shutil.which("node"):
    skip("node is missing; run bash cmake/setup.sh")
if not (npm / "node_modules" / "playwright-core").exists():
    skip(f"playwright-core is missing in {npm}; run bash cmake/setup.sh")
if not chromium:
    skip("chromium is missing; run bash cmake/setup.sh test")

folder = tempfile.TemporaryDirectory(prefix="distal-test-")
place = pathlib.Path(folder.name)
store, lists, recipe, out = place / "people.db", place / "lists", place / "recipe.yaml", place / "out"
make_videos(place / "videos", place / "sources")
make_video(place / "recording.mp4", "testsrc2", "bframes", 1800)
call(distal, "import", place / "videos", "--unlabelled", "--lists", lists, "--store", f"sqlite:{store}", "--quiet", "--test-share",
     HELD_OUT / (POOL + HELD_OUT))
call(distal, "new", recipe, "--data", lists, "--classes", ",".join(CLASSES), "--quiet")
add_recording(place / "recording.mp4")
sets = [word for one in [*SMALL, f"cache.folder={place / 'frames'}"] for word in ("--set", one)]
server, address = serve([str(recipe), "--store", f"sqlite:{store}", "--out", str(out), "--threads", "1", "--port", "0", *sets])
answers = browse(address, chromium)

stored = count("select group_concat(uuid) from (select uuid from people_answers where undone_ms = 0 order by uuid)").split(",")
require(stored == sorted(one["uuid"] for one in answers), f"{len(answers)} answers were given, {len(stored)} are stored")
twice = count("select count(*) from (select 1 from people_answers where undone_ms = 0 group by item, person having count(*) > 1)")
require(twice == 0, f"{twice} items have two answers of one person")
require(count("select count(*) from items where state = 'open'") == 0, "every item is settled")
require(count("select count(*) from people_answers where undone_ms > 0") == 1, "one answer was undone")
server.send_signal(signal.SIGTERM)
require(server.wait(timeout=300) in (0, 128 + signal.SIGTERM), f"a signal ends the server: {server.returncode}")
print(f"{len(stored)} answers")
