"""distal run against the same loop in Python (peers/loop_decord.py), in turn on this machine: wall seconds, ratio, accuracy.

    python3 -m venv PLACE && PLACE/bin/pip install torch==2.13.0 decord numpy
    python3 bench/loop.py DATA --peer-python PLACE/bin/python3 [--runs 3] [--tuned]

DATA holds train.csv, test.csv and the videos. Every run of distal begins with an empty frame cache and an empty store.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


def run(command):
    began = time.monotonic()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.stderr}")
    return time.monotonic() - began, done.stdout


def ours(program, data, seed):
    with tempfile.TemporaryDirectory(prefix="distal-bench-") as folder:
        seconds, text = run([program, "run", HERE / "loop.yaml", "--data", data, "--seed", seed, "--quiet", "--json", "--out", f"{folder}/out",
                             "--store", f"sqlite:{folder}/store.db", "--set", f"cache.folder={folder}/frames"])
    rounds = json.loads(text)["cells"][0]["rounds"]
    stages = {stage: sum(round_[f"{stage}_s"] for round_ in rounds) for stage in ("train", "score", "evaluate")}
    return seconds, [round_["metrics"]["accuracy"] for round_ in rounds], stages


def theirs(python, data, seed, tuned):
    seconds, text = run([python, HERE / "peers/loop_decord.py", data, "--seed", seed] + (["--tuned"] if tuned else []))
    result = json.loads(text)
    return seconds, result["accuracies"], result["stages"]


def line(who, seed, result):
    seconds, accuracies, stages = result
    print(f"{who:7} seed {seed}: {seconds:6.1f} s  accuracy {' '.join(f'{a:.3f}' for a in accuracies)}  "
          + " ".join(f"{stage} {value:.1f} s" for stage, value in stages.items()), flush=True)


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data")
parser.add_argument("--program", default=HERE.parent / "build/release/distal")
parser.add_argument("--peer-python", default=sys.executable)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--tuned", action="store_true", help="the peer keeps all frames in memory and runs no workers")
options = parser.parse_args()

rows = []
for seed in range(1, options.runs + 1):
    peer = theirs(options.peer_python, options.data, seed, options.tuned)
    line("peer", seed, peer)
    mine = ours(options.program, options.data, seed)
    line("distal", seed, mine)
    rows.append((peer, mine))
ratios = [peer[0] / mine[0] for peer, mine in rows]
print(f"peer / distal: median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}; "
      f"mean accuracy at the end {statistics.mean(peer[1][-1] for peer, _ in rows):.3f} and {statistics.mean(mine[1][-1] for _, mine in rows):.3f}")
