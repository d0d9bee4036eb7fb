"""SIGKILL at random moments of import, shrink, export and sweep, each started again: what an undisturbed one gives, nothing half-written, and no
unfinished file stays. A third argument is the number of kills of each command (5)."""

import os
import pathlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from small import Place, require

KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 5
UNFINISHED = re.compile(r"\.distal-\d+-|^\.lock$|\.lock$")

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")  # of the commands that take no recipe
moments = random.Random(7)
GRID = ("--set", "teacher=~", "--set", "oracle={kind: truth}", "--set", "seeds=1", "--set", "student.training.steps=12",
        "--set", "sweep={pool: [20, 40], answers: [4]}")


def distal(*words):
    return [sys.argv[1], *map(str, words)]


def sweep(out):
    command = place.command(out, *GRID, "--jobs", "2")
    return [command[0], "sweep", *command[2:]]


def unfinished():
    return [str(file) for file in place.path.rglob("*") if UNFINISHED.search(file.name)]


def content(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(pathlib.Path(folder).rglob("*")) if file.is_file()}


def videos(store):
    database = sqlite3.connect(place.path / store)
    found = database.execute("select id, path, duration_s, quarantined from videos order by id").fetchall()
    database.close()
    return found


def remove(paths):
    for path in paths:
        for file in place.path.glob(str(path) + "*"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()


def survives(what, command, result, made):
    """`command(name)` under kills gives the result(name) of an undisturbed one; `made(name)`: what it writes, below the place."""
    began = time.monotonic()
    whole = subprocess.run(command("sound"), capture_output=True, text=True)
    length_s = time.monotonic() - began
    require(whole.returncode == 0, f"{what}, undisturbed: {whole.stderr}")
    kills = ends = 0
    while kills < KILLS:
        require(ends < 100 * KILLS, f"{what}: only {kills} kills reached a running program")
        process = subprocess.Popen(command("killed"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            _, error = process.communicate(timeout=1.2 * moments.random() * length_s)  # some end before they are killed
            require(process.returncode == 0, f"{what}, continued: {error}")
            ends += 1
            require(result("killed") == result("sound"), f"{what}: another result after {kills} kills")
            remove(made("killed"))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
    last = subprocess.run(command("killed"), capture_output=True, text=True)
    require(last.returncode == 0, f"{what}, at last: {last.stderr}")
    require(result("killed") == result("sound"), f"{what}: another result after {kills} kills")
    require(not unfinished(), f"{what}: nothing unfinished stays: {unfinished()}")
    print(f"{what}: {kills} kills of {length_s:.1f} s, {ends} ends between them", flush=True)


made = place.run("whole", "--set", "seeds=1", "--set", "oracle.kind=truth")
require(made.returncode == 0, "the run that makes videos and a model: " + made.stderr)
data, model = place.path / "videos", place.path / "whole" / "margin.safetensors"

survives("import", lambda name: distal("import", data / "pool.csv", "--lists", place.path / f"lists-{name}", "--store", f"sqlite:{place.path}/{name}-import.db"),
         lambda name: (content(place.path / f"lists-{name}"), videos(f"{name}-import.db")), lambda name: (f"lists-{name}", f"{name}-import.db"))
survives("shrink", lambda name: distal("shrink", data, "--out", place.path / f"copies-{name}", "--short-side", "16"),
         lambda name: content(place.path / f"copies-{name}"), lambda name: (f"copies-{name}",))
for form in ("onnx", "xml", "safetensors"):
    (place.path / f"sound-{form}").mkdir()
    (place.path / f"killed-{form}").mkdir()
    survives(f"export to .{form}", lambda name: distal("export", model, "--out", place.path / f"{name}-{form}" / f"m.{form}"),
             lambda name: content(place.path / f"{name}-{form}"), lambda name: (f"{name}-{form}/m.",))
survives("sweep", lambda name: sweep(f"grid-{name}"),
         lambda name: ((place.path / f"grid-{name}" / "curve.csv").read_text(), {k: v for k, v in content(place.path / f"grid-{name}").items() if k.endswith(".safetensors")}),
         lambda name: (f"grid-{name}", f"grid-{name}.db"))
