"""What the cache of features saves: seconds of the network over a pool against seconds of scoring a round from the features on disk.

    PLACE/bin/python3 bench/features.py build/release/distal PLACE/efficientnet_lite0.onnx --set "student.model.network={range: byte, mean: [127, 127, 127], std: [128, 128, 128]}" [--clips 10000]

PLACE as in reproduce/efficientnet_lite0.py. The clips are windows of generated videos. The first run computes all features, the second finds them. Both run
one arm (margin), one seed, one round. Of each the report's seconds are read: `score_s` of round 1 is the scoring of the pool, and the first run's stage
`features` is the network. Prints the ratio; the bar is 50 for 10,000 clips of 384 features.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("network")
parser.add_argument("--clips", type=int, default=10_000)
parser.add_argument("--set", action="append", default=[])
parser.add_argument("--keep", help="folder for the videos and the cache, for another try")
arguments = parser.parse_args()

RECIPE = """
seeds: 1
no_random_arm: only seconds are looked at
data:
  synthetic: {classes: [left, right], train: 1, pool: VIDEOS, test: 8, frames: 200, size_px: 64}
  pool: {csv: pool.csv}
  test: {csv: test.csv}
clips: {unit: segment, length_s: 0.16, stride_s: 0.16}
input: {sampling: {frames: 1}}
student:
  model: {name: network, network: {file: FILE}}
  training: {steps: 50, batch_size: 32}
start: 40
rounds: 1
budget: 40
arms:
  margin: {strategy: margin}
"""

folder = pathlib.Path(arguments.keep or tempfile.mkdtemp(prefix="features-"))
folder.mkdir(exist_ok=True)
recipe = folder / "recipe.yaml"
recipe.write_text(RECIPE.replace("VIDEOS", str(-(-arguments.clips // 50))).replace("FILE", str(pathlib.Path(arguments.network).resolve())))


def run(name):
    command = [arguments.program, "run", recipe, "--data", folder / "videos", "--out", folder / name, "--store", f"sqlite:{folder / name}.db", "--jobs", "1",
               "--set", f"cache.folder={folder / 'frames'}"]
    for text in arguments.set:
        command += ["--set", text]
    began = time.monotonic()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    counts = re.search(r"(\d+) clips computed, (\d+) found", done.stderr)
    rounds = json.loads((folder / name / "report.json").read_text())["cells"][0]["rounds"]
    return time.monotonic() - began, [int(count) for count in counts.groups()], rounds


first_s, first, rounds = run("first")
later_s, later, later_rounds = run("later")
print(json.dumps({
    "clips": sum(first), "computed": [first[0], later[0]], "found": [first[1], later[1]],
    "run_s": [round(first_s, 2), round(later_s, 2)],
    "network_s": round(rounds[0]["train_s"] - later_rounds[0]["train_s"], 3),
    "load_s": round(later_rounds[0]["train_s"], 3),
    "score_s": round(later_rounds[1]["score_s"], 4),
    "ratio": round((rounds[0]["train_s"] - later_rounds[0]["train_s"]) / max(1e-9, later_rounds[1]["score_s"]), 1),
}))
