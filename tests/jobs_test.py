"""Cells shared by processes give what one process gives: the same curves and networks, nothing bought twice."""

import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from small import Place, require

place = Place()

HOLD = """
import fcntl, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True)
(folder / "student").write_text("of somebody else")
file = open(folder / ".lock", "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(3600)
"""


def alive(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(parent):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(stat.parent.name))
        except OSError:
            pass
    return found


def measured(out):
    report = json.loads((place.path / out / "report.json").read_text())
    return {(cell["arm"], cell["seed"], r["round"]): (r["answers"], r["price"], r["metrics"]["accuracy"]) for cell in report["cells"] for r in cell["rounds"]}


def networks(out):
    return {file.name: file.read_bytes() for file in (place.path / out).glob("*.safetensors")}


def bought(out):
    return sqlite3.connect(place.path / f"{out}.db").execute("select count(*) from answers").fetchone()[0]


for out, more in (("one", ()), ("two", ("--jobs", "2"))):
    done = place.run(out, *more)
    require(done.returncode == 0, f"{out}: {done.stderr}")
require(len(measured("one")) == 12, f"two arms, two seeds, three rounds: {measured('one')}")
one, two = measured("one"), measured("two")
apart = {cell: (one.get(cell), two.get(cell)) for cell in one | two if one.get(cell) != two.get(cell)}
require(not apart, f"the same curves, answers and prices: {apart}")
require(set(networks("one")) == {"random.safetensors", "margin.safetensors", "teacher.safetensors"}, f"networks are kept: {set(networks('one'))}")
require(networks("one") == networks("two"), "the same networks, bit for bit")
require(bought("one") == bought("two"), f"nothing is bought twice: {bought('one')} and {bought('two')}")
require(not (place.path / "two" / "jobs").exists(), "what the jobs left is gone")


def killed_in_training(out, *more):
    """The jobs of a run whose parent is killed while both train."""
    parent = subprocess.Popen(place.command(out, "--jobs", "2", *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not all(any((place.path / out / "jobs" / share).glob("unfinished/*.safetensors")) for share in "01"):
        require(parent.poll() is None, "the jobs begin to train")
        time.sleep(0.01)
    jobs = children(parent.pid)
    parent.kill()
    parent.wait()
    require(len(jobs) == 2, f"two jobs: {jobs}")
    return jobs


# Whoever starts it may ignore the end of children, which is inherited: their end is noticed all the same.
talking = [word for word in place.command("ignored", "--jobs", "2") if word != "--quiet"]
done = subprocess.run(talking, capture_output=True, text=True, timeout=600, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
require(done.returncode == 0 and measured("ignored") == one, f"jobs end where SIGCHLD is ignored: {done.stderr}")
lines = [line for line in done.stderr.splitlines() if " round " in line and "accuracy" in line]
require(len(lines) == 12 and all(line.startswith(("job 0: ", "job 1: ")) for line in lines), f"each line says whose it is: {lines}")



def leased(out):
    try:
        with sqlite3.connect(f"file:{place.path / out}.db?mode=ro", uri=True) as store:
            return store.execute("select count(*) from leases where run in (select id from runs where status = 'running')").fetchone()[0]
    except sqlite3.OperationalError:  # not there yet
        return 0


# As many jobs as trials: all are busy at first. One that is killed leaves its trial to another, which does what is left of it, once.
parent = subprocess.Popen([word for word in place.command("lost", "--jobs", "4") if word != "--quiet"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
while leased("lost") < 4:
    require(parent.poll() is None, f"four jobs claim a trial each: {parent.stderr.read() if parent.poll() is not None else ''}")
    time.sleep(0.01)
killed = children(parent.pid)[0]
os.kill(killed, signal.SIGKILL)
_, said = parent.communicate(timeout=600)
require(parent.returncode == 0, f"the run goes on without the job that was killed: {said}")
rounds = [line.split(": ", 1)[1].split(":")[0] for line in said.splitlines() if " round " in line and "accuracy" in line]
require(len(rounds) == len(set(rounds)) == 12, f"each round of each trial is done once: {sorted(rounds)}")
require("failed" in said, f"the job that was killed is named: {said}")
require(measured("lost") == one and networks("lost") == networks("one"), "as if nobody had been killed, bit for bit")

# Killed, the one that started the jobs takes them along, and the same command goes on at once.
jobs = killed_in_training("orphans")
again = place.run("orphans", "--jobs", "2")
require(again.returncode == 0 and "failed" not in again.stderr, f"the same command goes on: {again.returncode} {again.stderr}")
require(not [job for job in jobs if alive(job)], f"no job is left of {jobs}")
require(measured("orphans") == one and networks("orphans") == networks("one"), "as if nobody had been killed, bit for bit")

# What the jobs left is of their recipe: another one does not take the folder, and nothing of it goes.
TRUTH = ("--set", "teacher=~", "--set", "oracle={kind: truth}", "--set", "student.training.steps=400")
jobs = killed_in_training("taken", *TRUTH)
while any(map(alive, jobs)):
    time.sleep(0.01)
left = {path: path.read_bytes() for path in (place.path / "taken" / "jobs").rglob("unfinished/*")}
for more in (("--jobs", "2"), ()):
    refused = place.run("taken", *TRUTH, "--set", "student.training.learning_rate=0.02", *more)
    require(refused.returncode == 1 and "another recipe" in refused.stderr and "learning_rate" in refused.stderr, f"another recipe is refused: {refused.returncode} {refused.stderr}")
require(left and all(path.read_bytes() == content for path, content in left.items()), f"nothing of it goes: {sorted(left)}")

# Shares that somebody else starts, each in a folder of its own: their students are collected, and what is not in OUT/jobs stays where it is.
for share, folder in ((0, "hand/jobs/0"), (1, "elsewhere")):
    command = place.command("hand", "--share", f"{share}/2")
    command[command.index("--out") + 1] = str(place.path / folder)
    done = subprocess.run(command, capture_output=True, text=True)
    require(done.returncode == 0, f"share {share}: {done.stderr}")
require(not (place.path / "hand" / "report.json").exists(), "a share writes no report")
done = place.run("hand")
require(done.returncode == 0, f"collected: {done.stderr}")
require(measured("hand") == one and networks("hand") == networks("one"), f"curves and students of the shares: {set(networks('hand'))}")
require(not (place.path / "hand" / "jobs").exists() and list((place.path / "elsewhere").glob("*.safetensors")), "what is not ours is not removed")

# A student that cannot be looked at where the store says it was kept (a path in a circle, a folder; somebody else's folder) is trained again.
jobs = place.path / "hand" / "jobs"
for out, put in (("circle", lambda: jobs.symlink_to("jobs")), ("folder", lambda: [jobs.unlink()] + [(jobs / "0" / name).mkdir(parents=True) for name in networks("one")])):
    put()
    command = place.command(out)
    command[command.index("--store") + 1] = f"sqlite:{place.path / 'hand'}.db"
    done = subprocess.run(command, capture_output=True, text=True)
    require(done.returncode == 0 and networks(out) == networks("one") and measured(out) == one, f"trained again ({out}): {done.stderr}")
shutil.rmtree(jobs)
held = subprocess.Popen([sys.executable, "-c", HOLD, str(place.path / "hand" / "jobs" / "7")], stdout=subprocess.PIPE, text=True)
require(held.stdout.readline() == "held\n", "a share is at work")
done = place.run("hand")
require(done.returncode == 0 and (place.path / "hand" / "jobs" / "7" / "student").exists(), f"nobody's folder is removed under their hands: {done.stderr}")
held.kill()
held.wait()
refused = place.run("hand", "--share", "2/2")
require(refused.returncode == 2 and "--share 2/2" in refused.stderr, f"no such share: {refused.stderr}")

# Without --threads and --jobs both are measured, said, and kept with the folder.
command = [word for word in place.command("default") if word != "--quiet"]
del command[command.index("--threads"):command.index("--threads") + 2]
first = subprocess.run(command, capture_output=True, text=True)
measures = len(os.sched_getaffinity(0)) > 1  # else there is nothing to choose
require(first.returncode == 0 and (not measures or "ms a step" in first.stderr or "networks this large" in first.stderr), f"says what it measured: {first.stderr}")
chosen = json.loads((place.path / "default" / "threads.json").read_text())
again = subprocess.run(command, capture_output=True, text=True)
require(again.returncode == 0 and "as this folder began" in again.stderr and "networks this large" not in again.stderr and "ms a step" not in again.stderr, f"measured once: {again.stderr}")
require(json.loads((place.path / "default" / "threads.json").read_text()) == chosen, "and kept")
require(set(measured("default")) == set(one), "the same cells")
once = subprocess.run([*command, "--threads", str(os.cpu_count() + 1), "--set", "seeds=1", "--set", "rounds=0"], capture_output=True, text=True)
require(once.returncode == 0 and json.loads((place.path / "default" / "threads.json").read_text()) == chosen, f"flags are for once: {once.stderr}")


def sweep(*more):
    command = place.command("grid", "--set", "teacher=~", "--set", "oracle={kind: truth}", *more)
    command[1] = "sweep"
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


refused = sweep()
require(refused.returncode == 2 and "has no sweep section" in refused.stderr, f"a recipe without a grid: {refused.stderr}")
done = sweep("--set", "sweep={pool: [20, 40], rounds: [1, 2], answers: [8]}")
require(done.returncode == 0, f"sweep: {done.stderr}")
grid = measured("grid")
arms = {arm for arm, _, _ in grid}
require(len(arms) == 8 and "margin, pool 20, rounds 2, answers 8" in arms, f"every arm at every point: {arms}")
require({answers for (arm, _, r), (answers, _, _) in grid.items() if "rounds 2" in arm and r == 2} == {12}, "4 to start with and 8 over the rounds")
against = {cell["arm"]: cell["against"] for cell in json.loads((place.path / "grid" / "report.json").read_text())["cells"]}
require(all(twin == ("" if arm.startswith("random") else arm.replace("margin", "random")) for arm, twin in against.items()), f"each against its point's control: {against}")
print("shared and collected")
sys.exit(0)
