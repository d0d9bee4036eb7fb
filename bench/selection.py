"""distal select against scikit-activeml (peers/select_skactiveml.py) on the same arrays, in turn on this machine: seconds, memory, ratio.

    python3 -m venv PLACE && PLACE/bin/pip install scikit-activeml numpy
    PLACE/bin/python3 bench/selection.py --peer-python PLACE/bin/python3 [--runs 3] [--rows 200000] [--count 100] [--strategies k_center badge typiclust]
    PLACE/bin/python3 bench/selection.py --alone --rows 1000000 --count 1000 --strategies k_center badge

First both choose from 2,000 rows and every k-center pick of both must be the farthest row. Seconds are of the query alone, arrays at hand (the peer's in
memory, distal's mapped), and in brackets of the whole process from its start. Features are drawn like those of a network: 50 groups, a spectrum that falls, nothing below 0.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent


def write(folder, rows, features, classes, seed):
    random = np.random.default_rng(seed)
    spectrum = 1 / np.sqrt(1 + np.arange(features))
    centres = random.normal(size=(50, features)) * spectrum * 2
    pool = np.lib.format.open_memmap(folder / "embeddings.npy", "w+", np.float32, (rows, features))
    head = (random.normal(size=(classes, features)) / np.sqrt(features) * 3).astype(np.float32)
    logits = np.lib.format.open_memmap(folder / "logits.npy", "w+", np.float32, (rows, classes))
    for begin in range(0, rows, 50_000):
        some = slice(begin, min(begin + 50_000, rows))
        size = some.stop - some.start
        pool[some] = np.maximum(centres[random.integers(0, 50, size)] + random.normal(size=(size, features)) * spectrum, 0)
        logits[some] = pool[some] @ head.T
    pool.flush(), logits.flush()
    np.save(folder / "head.npy", head)


def ours(program, folder, strategy, count):
    command = [program, "select", "--strategy", strategy, "--count", count, "--embeddings", folder / "embeddings.npy", "--json"]
    command += {"badge": ["--logits", folder / "logits.npy"], "k_center": ["--set", "strategy.normalize=false"], "typiclust": ["--set", "strategy.normalize=false"]}[strategy]
    return timed(command)


def timed(command):
    """A process that prints JSON: that, its wall seconds, its peak memory."""
    began = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    result = json.loads(process.stdout.read() or "{}")
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command}: failed")
    return result | {"process_s": time.monotonic() - began, "gigabytes": usage.ru_maxrss * 1024 / 1e9}


def theirs(python, folder, strategy, count):
    return timed([python, HERE / "peers/select_skactiveml.py", folder, strategy, count])


def same_picks(program, python):
    """k-center from one and the same first pick; without labels each draws its own."""
    with tempfile.TemporaryDirectory(prefix="distal-bench-") as name:
        folder = pathlib.Path(name)
        write(folder, 2000, 64, 10, seed=2)
        mine, peer = ours(program, folder, "k_center", 50)["rows"], theirs(python, folder, "k_center", 50)["rows"]
        points = np.load(folder / "embeddings.npy").astype(np.float64)
        for who, rows in (("distal", mine), ("the peer", peer)):
            nearest = ((points - points[rows[0]]) ** 2).sum(1)
            for row in rows[1:]:
                if nearest[row] < nearest.max() * (1 - 1e-6):
                    sys.exit(f"{who}: row {row} is not the farthest one")
                nearest = np.minimum(nearest, ((points - points[row]) ** 2).sum(1))
    print("2,000 rows: every k-center pick of both is the farthest row", flush=True)


def line(who, result, count):
    print(f"  {who:8} {result['seconds']:8.2f} s ({result['process_s']:.2f} s)  {1000 * result['seconds'] / count:8.2f} ms a pick  {result['gigabytes']:6.3f} GB", flush=True)


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--program", default=HERE.parent / "build/release/distal")
parser.add_argument("--peer-python", default=sys.executable)
parser.add_argument("--alone", action="store_true", help="no peer")
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--rows", type=int, default=200_000)
parser.add_argument("--features", type=int, default=256)
parser.add_argument("--classes", type=int, default=10)
parser.add_argument("--count", type=int, default=100)
parser.add_argument("--strategies", nargs="+", default=["k_center", "badge", "typiclust"])
options = parser.parse_args()

if not options.alone:
    same_picks(options.program, options.peer_python)
with tempfile.TemporaryDirectory(prefix="distal-bench-") as name:
    folder = pathlib.Path(name)
    # In a process of its own: the kernel counts what this one has held as its children's peak.
    writing = multiprocessing.Process(target=write, args=(folder, options.rows, options.features, options.classes, 1))
    writing.start(), writing.join()
    gigabytes = (folder / "embeddings.npy").stat().st_size / 1e9
    print(f"{options.rows} x {options.features} float32, {gigabytes:.2f} GB, {options.count} picks")
    for strategy in options.strategies:
        print(strategy)
        ratios, whole = [], []
        for _ in range(options.runs):
            mine = ours(options.program, folder, strategy, options.count)
            line("distal", mine, options.count)
            if not options.alone:
                peer = theirs(options.peer_python, folder, strategy, options.count)
                line("peer", peer, options.count)
                ratios.append(peer["seconds"] / mine["seconds"])
                whole.append(peer["process_s"] / mine["process_s"])
        if ratios:
            print(f"  peer / distal: median {statistics.median(ratios):.1f}, from {min(ratios):.1f} to {max(ratios):.1f}; whole processes {statistics.median(whole):.1f}", flush=True)
