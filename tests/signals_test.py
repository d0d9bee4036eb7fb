"""SIGTERM and SIGINT, a second process on the same folder, a full disk: the promised exit code and message, nothing half-written, and afterwards
the same command ends with the same result. Commands that only read hear signals too."""

import array
import atexit
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import time

from small import Place, require

RECIPE = ("--set", "seeds=1", "--set", "student.training.steps=300")

place = Place()
out = place.path / "stopped"


def start():
    command = [word for word in place.command("stopped", *RECIPE) if word != "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    atexit.register(process.kill)  # whatever fails here, nothing goes on running
    return process


def wait_for(process, what, there):
    for _ in range(60_000):
        if there():
            return
        require(process.poll() is None, f"the run goes on until {what}")
        time.sleep(0.01)
    sys.exit(f"FAILED: {what} never came")


def spent_s(process):
    user, system = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


# "Within a second", in processor time, which other programs do not stretch as they do the clock's. `end` waits for the process.
def end_soon(process, number, end):
    before, others = spent_s(process), resource.getrusage(resource.RUSAGE_CHILDREN)
    process.send_signal(number)
    said = end()
    all_ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    after = all_ended.ru_utime + all_ended.ru_stime - others.ru_utime - others.ru_stime - before
    require(after < 2, f"{process.args[1]} ends soon after {signal.Signals(number).name}: {after:.1f} s of processor time")
    return said


def stop(process, number, code):
    error = end_soon(process, number, lambda: [process.stderr.read(), process.wait(300)][0])
    require(process.returncode == code, f"{signal.Signals(number).name} ends a run with {code}, not {process.returncode}: {error}")
    require("the same command continues" in error, f"the last word says what to do: {error}")
    require(not (out / "report.html").exists(), "a stopped run has no report")


def leftovers(folder):
    return [path.name for path in folder.rglob("*") if ".distal-" in path.name or path.name == ".lock"]


def limited(size, *command):
    return subprocess.run(command, capture_output=True, text=True, timeout=300,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))


def checkpoint():
    return any(out.glob("unfinished/*.checkpoint.safetensors"))


whole = place.run("whole", *RECIPE)
require(whole.returncode == 0, "the run that nobody stops ends: " + whole.stderr)

# SIGTERM in a training; before it, a second process on the same folder while the first holds still.
run = start()
wait_for(run, "a checkpoint", checkpoint)
run.send_signal(signal.SIGSTOP)
second = place.run("stopped", *RECIPE)  # ends although the first holds still
require(second.returncode == 1, f"a second process is refused: {second.returncode} {second.stderr}")
for words in (str(out), f"process {run.pid}", "--out"):
    require(words in second.stderr, f"the refusal names '{words}': {second.stderr}")
run.send_signal(signal.SIGCONT)
stop(run, signal.SIGTERM, 143)
require(checkpoint(), "a checkpoint is left")

# SIGINT after the first student of the continued run.
run = start()
said = ""
while "seed 1 round 0" not in said:
    line = run.stderr.readline()
    require(line, "the continued run measures its first student: " + said)
    said += line
stop(run, signal.SIGINT, 130)
require(not leftovers(out), f"nothing is left over: {leftovers(out)}")

# Another recipe may not take over what was begun.
other = place.run("stopped", *RECIPE, "--set", "student.training.learning_rate=0.02")
require(other.returncode == 1 and "another recipe" in other.stderr and "learning_rate" in other.stderr, "another recipe is refused: " + other.stderr)

last = place.run("stopped", *RECIPE)
require(last.returncode == 0, "the continued run ends: " + last.stderr)
require((out / "curve.csv").read_text() == (place.path / "whole" / "curve.csv").read_text(), "curve.csv is the same with and without signals")
require(not (out / "unfinished").exists() and not leftovers(out), f"a finished run keeps nothing of its way: {leftovers(out)}")

# A full disk, as a limit on the size of files: first in a training, then when only the report is left to write.
full = place.path / "full"
command = place.command("full", "--set", "seeds=1", "--set", "oracle.kind=truth", "--set", "student.model.width=8")
run = limited(600_000, *command)  # the store fits, a network does not
require(run.returncode == 1 and "free some space" in run.stderr, f"weights that cannot be written: {run.returncode} {run.stderr}")
require(not (full / "report.html").exists() and not leftovers(full), f"no halves: {leftovers(full)}")
run = subprocess.run(command, capture_output=True, text=True, timeout=300)
require(run.returncode == 0, "with space again it ends: " + run.stderr)
report, recipe = (full / "report.html").read_bytes(), (full / "recipe.yaml").read_bytes()
run = limited(len(report) - 1000, *command)
require(run.returncode == 1 and "report.html" in run.stderr and "free some space" in run.stderr, f"a report that cannot be written: {run.returncode} {run.stderr}")
require((full / "report.html").read_bytes() == report and (full / "recipe.yaml").read_bytes() == recipe, "what stood there stays")
require(not leftovers(full), f"no halves: {leftovers(full)}")


def catches(process, number):
    caught = [line for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("SigCgt")]
    return caught and int(caught[0].split()[1], 16) >> (number - 1) & 1


# What would go on for long, each by itself, is stopped when it is under way.
def hears(number, code, name, *words):
    process = subprocess.Popen([sys.argv[1], *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    atexit.register(process.kill)

    wait_for(process, f"{name} is under way", lambda: catches(process, number) and spent_s(process) > 3)
    said, error = end_soon(process, number, lambda: process.communicate(timeout=300))
    require(process.returncode == code and "stopped by signal" in error and not said, f"{name}: {process.returncode} {said} {error}")


networks = place.path / "networks.yaml"
networks.write_text((place.path / "recipe.yaml").read_text().split("arms:")[0].replace("size_px: 16, short_side_px: 18", "size_px: 112")
                    + "arms:\n" + "".join(f"  w{width}: {{student: {{model: {{width: {width}}}}}}}\n" for width in range(16, 64)))
hears(signal.SIGINT, 130, "a dry run", "run", networks, "--dry-run", "--data", place.path / "videos", "--threads", "1")
hears(signal.SIGTERM, 143, "doctor", "doctor", networks, "--json", "--data", place.path / "videos", "--threads", "1")

# A run starts itself again with other settings of its threads once it has read the recipe: a signal as soon as it catches any is not lost on the way.
for _ in range(3):
    process = subprocess.Popen([sys.argv[1], "run", str(networks), "--data", str(place.path / "videos"), "--out", str(place.path / "again"), "--store", f"sqlite:{place.path / 'again.db'}",
                                "--threads", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    atexit.register(process.kill)
    while not catches(process, signal.SIGINT):
        require(process.poll() is None, "the run goes on until it catches signals")
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=300)[1]
    require(process.returncode == 130 and "stopped by signal" in error, f"a signal before the second start: {process.returncode} {error}")

numbers = random.Random(1)
rows, columns = 60_000, 24
header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}".encode()
header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
points = place.path / "points.npy"
points.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + array.array("f", (numbers.random() for _ in range(rows * columns))).tobytes())
for strategy in ("k_center", "facility_location"):
    hears(signal.SIGINT, 130, strategy, "select", "--strategy", strategy, "--count", rows, "--embeddings", points, "--threads", "1")
print("stopped by two signals, refused to a second process, out of disk twice: the same curve, nothing half-written")
