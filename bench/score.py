"""From cached frames to logits: distal bench score against OpenVINO's own Python loop (peers/score_openvino.py) and PyTorch eager in float32
(peers/score_torch.py, resnet3d only), in turns: clips a second, ratio.

    python3 -m venv PLACE && PLACE/bin/pip install torch==2.13.0 safetensors openvino==2026.4.1 numpy
    python3 bench/score.py PATH/ucf101-8 --peer-python PLACE/bin/python3 [--runs 3] [--clips 224] [--threads 2] [--set model.width=32 ...]

ResNet3D-18 with random weights, clips of 16 x 112 x 112 in batches of 8, unless --set says otherwise. The peer gets the same weights as files of distal export, in float and
in int8 calibrated on the same clips, and clips that lie ready in memory; distal reads its own from the frame cache. First, on the four clips of distal export
--sample, the peer's float logits must be distal's to 1e-4 of themselves, its int8 logits must be as far from them as those of distal's own OpenVINO, and as
many layers must be in int8 as in distal bench score. bf16 takes part where the processor has it, and is then what both
compute in beside int8.
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
CALIBRATION_CLIPS = 32  # of distal bench score
DEFAULTS = ["model.name=resnet3d", "input.sampling.frames=16", "input.size_px=112", "list.csv=train.csv"]


def settings(sets):
    """key=value with dots as the tree it means."""
    tree = {}
    for text in DEFAULTS + sets:
        key, value = text.split("=", 1)
        *folders, leaf = key.split(".")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        place[leaf] = value
    return tree


def yaml(tree):
    return "{" + ", ".join(f"{key}: {yaml(value)}" for key, value in tree.items()) + "}" if isinstance(tree, dict) else tree


def export(options, folder):
    """The network of distal bench score as float.onnx and int8.onnx; what distal export says of each."""
    tree = settings(options.sets)
    with open(options.data / tree["list"]["csv"], newline="") as file:
        rows = list(csv.DictReader(file))
    common = [part for text in options.sets for part in ("--set", text)]
    json_of([options.distal, "bench", "train", "--data", options.data, "--clips", 2, "--batch", 2, "--steps", 2, "--threads", options.threads, "--out", folder, "--json",
         "--set", "training.precision=f32"] + common)  # writes the weights it begins with: those of distal bench score
    described = {"model": yaml(tree["model"]), "classes": sorted({row["label"] for row in rows}), "input": yaml(tree["input"])}
    (folder / "weights.json").write_text(json.dumps(described))
    command = [options.distal, "export", folder / "weights.safetensors", "--threads", options.threads, "--quiet", "--json"]
    clips = [options.data / row["path"] for row in rows[:min(options.clips, CALIBRATION_CLIPS)]]
    int8 = ["--int8", "--clips", CALIBRATION_CLIPS] + [part for text in options.sets if text.startswith("int8.") for part in ("--set", text)]
    return {"float": json_of(command + ["--out", folder / "float.onnx", "--sample", folder / "float"]),
            "int8": json_of(command + int8 + clips + ["--out", folder / "int8.onnx", "--sample", folder / "int8"])}


def eager_ratio(rows):
    """To PyTorch eager, run by run."""
    ratios = [row["clips_per_s"] / peer["clips_per_s"] for row, peer in zip(rows, eager)]
    return f"; to PyTorch eager f32 {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""


def require_same(precision, peer, ours, report):
    if precision in ("f32", "eager") and peer["error"] > 1e-4:
        sys.exit(f"{precision}: the peer's logits differ from distal's by {peer['error']:.1e} of themselves; not the same network")
    if precision == "int8":
        if abs(peer["error"] - report["openvino_error"]) > 0.05 * report["openvino_error"] + 1e-4:
            sys.exit(f"int8: the logits differ from those in float by {peer['error']:.2e}, in distal's OpenVINO by {report['openvino_error']:.2e}; not the same network")
        layers = f"int8: {report['int8_layers']} layers, {len(report['left_in_float'])} left in float"
        if not any(remark.startswith(layers) for remark in ours["remarks"]):
            sys.exit(f"exported: {layers}; distal bench score says {ours['remarks']}")


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data", type=pathlib.Path)
parser.add_argument("--distal", type=pathlib.Path, default=HERE.parent / "build/release/distal")
parser.add_argument("--peer-python", type=pathlib.Path, required=True)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--repeats", type=int, default=1, help="in a run; their median counts")
parser.add_argument("--clips", type=int, default=224)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--set", action="append", default=[], dest="sets", help="key=value for distal bench score")
options = parser.parse_args()

with tempfile.TemporaryDirectory(prefix="distal-bench-") as name:
    folder = pathlib.Path(name)
    reports = export(options, folder)
    ours = [options.distal, "bench", "score", "--data", options.data, "--threads", options.threads, "--batch", options.batch, "--clips", options.clips,
            "--repeats", options.repeats, "--json"]
    for text in options.sets:
        ours += ["--set", text]
    mine, peers, eager = [], {}, []
    for _ in range(options.runs):
        result = json_of(ours)
        mine.append({row["engine"]: row for row in result["engines"]})
        for precision in [engine.split()[1] for engine in mine[0] if engine.startswith("openvino")]:
            file = "int8" if precision == "int8" else "float"
            peer = json_of([options.peer_python, HERE / "peers/score_openvino.py", folder / f"{file}.onnx", folder / file, "f32" if precision == "f32" or "openvino bf16" not in mine[0] else "bf16",
                        options.threads, options.batch, options.clips, options.repeats])
            require_same(precision, peer, result, reports[file])
            peers.setdefault(precision, []).append(peer)
        if not any(text.startswith(("model.name=", "model.depth=50")) for text in options.sets):
            peer = json_of([options.peer_python, HERE / "peers/score_torch.py", folder / "weights.safetensors", folder / "float", options.threads, options.batch, options.clips, options.repeats])
            require_same("eager", peer, result, reports["float"])
            eager.append(peer)

print(f"clips {'x'.join(map(str, reports['float']['clip']))}, batches of {options.batch}, {options.threads} threads, the peer is OpenVINO {next(iter(peers.values()))[0]['version']}")
print("\n".join(result["remarks"]))
print(f"LibTorch f32 in distal: {statistics.median(row['libtorch f32']['clips_per_s'] for row in mine):.2f} clips/s")
if eager:
    print(f"PyTorch eager f32: {statistics.median(peer['clips_per_s'] for peer in eager):.2f} clips/s, error of its logits {eager[0]['error']:.1e}")
for precision, results in peers.items():
    rows = [row[f"openvino {precision}"] for row in mine]
    ratios = [row["clips_per_s"] / peer["clips_per_s"] for row, peer in zip(rows, results)]
    print(f"{precision}: distal {statistics.median(row['clips_per_s'] for row in rows):.2f} clips/s (its engine alone {statistics.median(row['alone_clips_per_s'] for row in rows):.2f}), "
          f"the peer {statistics.median(peer['clips_per_s'] for peer in results):.2f} with {results[0]['streams']} streams and {results[0]['requests']} requests: "
          f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})" + eager_ratio(rows))
    print(f"  error of the peer's logits against LibTorch's on 4 clips {results[0]['error']:.1e}, of those of distal's OpenVINO in its bench {rows[0]['error']:.1e}")
