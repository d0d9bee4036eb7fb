"""A small experiment that the tests of the whole program share: generated videos, a tiny teacher, tinier students."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

for _name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[_name]  # runs of tests go to no server

RECIPE = """
question: Does the program keep its promises?
seeds: 2
data:
  synthetic: {classes: [left, right], train: 16, pool: 40, test: 16, frames: 12, size_px: 32}
  pool: {csv: pool.csv}
  test: {csv: test.csv}
input: {sampling: {frames: 4}, size_px: 16, short_side_px: 18}
teacher:
  train: {csv: train.csv}
  model: {name: resnet3d, depth: 10, width: 4}
  training: {steps: 20, batch_size: 8}
oracle: {kind: teacher, price: 2}
student:
  model: {name: resnet3d, depth: 10, width: 4}
  training: {steps: 40, batch_size: 8, checkpoint_every: 5}
start: 4
rounds: 2
budget: 8
arms:
  random: {strategy: random}
  margin: {strategy: margin}
"""


class Place:
    """A temporary folder with the recipe, a store and a cache of its own."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="distal-test-")
        self.path = pathlib.Path(self.folder.name)
        (self.path / "recipe.yaml").write_text(RECIPE)

    def command(self, out, *more):
        return [sys.argv[1], "run", str(self.path / "recipe.yaml"), "--data", str(self.path / "videos"), "--out", str(self.path / out),
                "--store", f"sqlite:{self.path / out}.db", "--threads", "1", "--quiet",
                "--set", f"cache.folder={self.path / 'frames'}", *more]

    def run(self, out, *more):
        return subprocess.run(self.command(out, *more), capture_output=True, text=True, timeout=600)


def paths_by_content(videos):
    """Paths of the videos of a folder by the hash that the store knows them by."""
    probed = subprocess.run([sys.argv[1], "probe", "--json", *sorted(map(str, videos.rglob("*.mp4")))], capture_output=True, text=True, check=True, timeout=300)
    return {video["id"]: video["path"] for video in map(json.loads, probed.stdout.splitlines())}


def require(condition, sentence):
    if not condition:
        sys.exit("FAILED: " + sentence)
