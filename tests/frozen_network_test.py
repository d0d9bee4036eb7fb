"""A network of others as a frozen backbone: features are computed once for all trials and processes, the model finds its file again, the export holds both."""

import csv
import io
import json
import shutil
import subprocess
import sys

import small_network
from small import Place, require

place = Place()
network = place.path / "net" / "small.onnx"
network.parent.mkdir()
small_network.write(network, 24)
CLIPS = 40 + 16  # pool and test

RECIPE = """
question: Does a network from elsewhere serve as a backbone?
seeds: 2
weights: WEIGHTS
data:
  synthetic: {classes: [left, right], train: 1, pool: 40, test: 16, frames: 12, size_px: 32}
  pool: {csv: pool.csv}
  test: {csv: test.csv}
input: {sampling: {frames: 4}}
student:
  model: {name: network, network: {file: small.onnx}, head: linear}
  training: {steps: 40, batch_size: 8}
start: 4
rounds: 2
budget: 8
arms:
  random: {strategy: random}
  margin: {strategy: margin}
"""
(place.path / "recipe.yaml").write_text(RECIPE.replace("WEIGHTS", str(network.parent)))


def run(out, *more, cache="frames", code=0):
    command = [word for word in place.command(out, "--set", f"cache.folder={place.path / cache}", *more) if word != "--quiet"]
    if "--jobs" in more:
        at = command.index("--threads")
        del command[at:at + 2]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    require(done.returncode == code, f"{out}: exit {done.returncode}: {done.stderr}")
    return done.stderr


def measured(out):
    report = json.loads((place.path / out / "report.json").read_text())
    return {(cell["arm"], cell["seed"], r["round"]): r["metrics"]["accuracy"] for cell in report["cells"] for r in cell["rounds"]}


def kept(cache="frames"):
    """Rows of the files of features: a header of 64 bytes, then 8 of checksum, 8 of the clip, bf16 of 12 features."""
    return [(file.stat().st_size - 64) / (16 + 24) for file in (place.path / cache / "features").glob("*.features")]


said = run("jobs", "--jobs", "2")
if "built without OpenVINO" in said:
    print("skipped: built without OpenVINO")
    sys.exit(0)
require(said.count(f"{CLIPS} clips computed, 0 found") == 1, f"one process computes, each clip once: {said}")
require(all(f"0 clips computed, {CLIPS} found" in line for line in said.splitlines() if "found in the cache" in line and ": 0 clips" in line), said)
require(kept() == [CLIPS], f"one row a clip: {kept()}")
require(len(measured("jobs")) == 2 * 2 * 3, "two seeds, two arms, three rounds")
notes = " ".join(json.loads((place.path / "jobs" / "report.json").read_text())["notes"])
require(f"{CLIPS} found in the cache" in notes, f"the report tells: {notes}")

said = run("head", "--set", "student.model.head=mlp", "--set", "seeds=3")
require(f"0 clips computed, {CLIPS} found" in said and kept() == [CLIPS], f"another head and further seeds find them: {said}")
said = run("probe", "--set", "student={model: {name: network, network: {file: small.onnx}, head: probe}}")
require(f"0 clips computed, {CLIPS} found" in said and kept() == [CLIPS], f"a probe finds them: {said}")
said = run("anew", cache="other")
require(f"{CLIPS} clips computed, 0 found" in said, f"another folder: {said}")
require(measured("anew") == measured("jobs"), "what was found is what is computed")

said = run("wrong", "--set", "input.size_px=32", cache="unused", code=2)
require("input.size_px = 32" in said and "takes 24" in said and not (place.path / "unused").exists(), f"a wrong size, before anything is read: {said}")
for wrong, words in (("student.pretext={}", "pretext trains a backbone"), ("student.augment.flip=0.5", "frozen backbone"),
                     ("student.model.network.file=nowhere.onnx", "nowhere.onnx")):
    said = run("wrong", "--set", wrong, cache="unused", code=2)
    require(words in said, f"{wrong}: {said}")


def distal(*arguments, code=0):
    done = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True, timeout=300, cwd=place.path)
    require(done.returncode == code, f"{arguments}: exit {done.returncode}: {done.stderr}")
    return done.stdout if code == 0 else done.stderr


def probabilities(file):
    rows = csv.DictReader(io.StringIO(distal("predict", file, "--list", place.path / "videos" / "test.csv", "--quiet", "--threads", 1)))
    return [float(row["probability"]) for row in rows]


model = place.path / "jobs" / "margin.safetensors"
ours = probabilities(model)
require(len(ours) == 16, f"a row a clip: {ours}")
for out in ("m.onnx", "m.xml"):
    distal("export", model, "--out", out)
moved = place.path / "elsewhere.onnx"
network.rename(moved)
for out in ("m.onnx", "m.xml"):
    theirs = probabilities(out)
    require(len(theirs) == 16 and max(abs(a - b) for a, b in zip(ours, theirs)) < 1e-4, f"{out} holds the network and the head: {ours} {theirs}")
said = distal("predict", model, place.path / "videos" / "test.csv", code=1)
require("small.onnx, is missing" in said and "copy it beside the model" in said, said)
shutil.copy(moved, model.parent / "small.onnx")
require(probabilities(model) == ours, "found beside the model")
small_network.write(model.parent / "small.onnx", 24, seed=2)
require("is not the network that its head was trained on" in distal("predict", model, place.path / "videos" / "test.csv", code=1), "another content")

try:
    import onnx
except ImportError:
    print("skipped: onnx is not installed")
else:
    onnx.checker.check_model(str(place.path / "m.onnx"), full_check=True)
print("ok")
