"""A network of others as teacher of a study against OpenVINO's own Python loop (peers/teacher_openvino.py), in turns: clips a second, ratio. The bar is .95.

    python3 -m venv PLACE && PLACE/bin/pip install torch==2.13.0 onnx onnxscript openvino==2026.4.1 numpy av
    python3 bench/teacher.py PATH/ucf101-8 --peer-python PLACE/bin/python3 [--runs 3] [--clips 96] [--batch 8] [--threads 2] [--precision bf16]

A network of the size of ViT-S/16 with random weights (peers/vit_onnx.py), 8 frames a clip at 224 x 224. Both begin with decoded frames in files: distal with its frame
cache, which a run before has filled, the peer with one .npy a clip. distal's time is the stage `ask` of a round that asks about all of these clips: batches are
made, the network is run, answers are checked and stored.
"""

import argparse
import csv
import json
import pathlib
import statistics
import sys
import tempfile

from process import json_of

HERE = pathlib.Path(__file__).resolve().parent
FRAMES = 8
RECIPE = """
question: How fast does a teacher from elsewhere answer?
seeds: 1
no_random_arm: it is a measurement
data: {{pool: {{csv: train.csv}}, test: {{csv: test.csv}}, test_clips: 8}}
input: {{sampling: {{frames: 2}}, size_px: 32}}
oracle:
  kind: network
  network: {{file: {file}, size_px: 224, precision: {precision}}}
  sampling: {{frames: {frames}}}
  batch_size: {batch}
student: {{model: {{name: resnet3d, depth: 10, width: 4}}, training: {{steps: 1}}}}
start: 8
start_draw: stratified_by_hidden_labels
rounds: 1
budget: {clips}
arms: {{asked: {{strategy: random}}}}
"""

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data", type=pathlib.Path)
parser.add_argument("--distal", type=pathlib.Path, default=HERE.parent / "build/release/distal")
parser.add_argument("--peer-python", type=pathlib.Path, required=True)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--clips", type=int, default=96)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--precision", choices=["bf16", "f32"], default="bf16")
options = parser.parse_args()

with tempfile.TemporaryDirectory(prefix="distal-bench-") as name:
    folder = pathlib.Path(name)
    with open(options.data / "train.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    model = folder / "vit.onnx"
    json_of([options.peer_python, HERE / "peers/vit_onnx.py", model, len({row["label"] for row in rows})])
    (folder / "recipe.yaml").write_text(RECIPE.format(file=model, precision=options.precision, frames=FRAMES, batch=options.batch, clips=options.clips))
    (folder / "frames").mkdir()

    def ours(number):
        report = json_of([options.distal, "run", folder / "recipe.yaml", "--data", options.data, "--threads", options.threads, "--quiet", "--json", "--out", folder / f"out{number}",
                          "--store", f"sqlite:{folder}/{number}.db", "--set", f"cache.folder={folder}/cache"])
        last = report["cells"][0]["rounds"][-1]
        if last["answers"] != options.clips + 8:
            sys.exit(f"{last['answers'] - 8} clips were asked about, not {options.clips}")
        return options.clips / last["ask_s"]

    def theirs():
        videos = [options.data / row["path"] for row in rows[:options.clips]]
        return json_of([options.peer_python, HERE / "peers/teacher_openvino.py", model, folder / "frames", options.precision, options.threads, options.batch, FRAMES, 1] + videos)

    ours("warm")
    theirs()
    mine, peers = [], []
    for run in range(options.runs):
        mine.append(ours(run))
        peers.append(theirs())
        print(f"run {run + 1}: distal {mine[-1]:.2f} clips/s, the peer {peers[-1]['clips_per_s']:.2f}", flush=True)

ratios = [one / peer["clips_per_s"] for one, peer in zip(mine, peers)]
print(f"{options.clips} clips of {FRAMES} frames, batches of {options.batch} clips, {options.threads} threads, {options.precision}, the peer is OpenVINO {peers[0]['version']} "
      f"with {peers[0]['streams']} streams and {peers[0]['requests']} requests")
print(f"distal {statistics.median(mine):.2f} clips/s, the peer {statistics.median(peer['clips_per_s'] for peer in peers):.2f}: "
      f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); the bar is .95")
