"""A model exported to ONNX, OpenVINO or int8 answers as the one it was made from; ONNX Runtime agrees where it is installed."""

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys

from small import Place, require

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")


def distal(*arguments, code=0, says=""):
    run = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True, timeout=300, cwd=place.path)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr or run.stdout}")
    require(says in run.stderr, f"{arguments}: says '{run.stderr.strip()}', not '{says}'")
    return run.stdout


def probabilities(file, *more):
    text = distal("predict", file, "--list", videos / "test.csv", "--quiet", "--threads", 1, *more)
    return [float(row["probability"]) for row in csv.DictReader(io.StringIO(text))], [row["class"] for row in csv.DictReader(io.StringIO(text))]


run = place.run("out", "--set", "seeds=1", "--set", "data.synthetic.frames=20")
require(run.returncode == 0, "the small recipe runs: " + run.stderr)
model, videos = place.path / "out" / "random.safetensors", place.path / "videos"

if "not built in" in distal("doctor"):
    distal("export", model, "--out", "m.onnx")
    distal("predict", "m.onnx", videos / "test.csv", code=1, says="without OpenVINO")
    print("skipped the rest: built without OpenVINO")
    sys.exit(0)

THEIRS = ("notes.20230115.tmp", "backup.99999999.part", "thesis.4000000.unfinished.docx", "m.4000000.unfinished.onnx", "m.4000000.tmp", "m.distal-1-12345678.tmp")
for name in THEIRS:
    (place.path / name).write_text("mine")
ours, classes = probabilities(model, "--engine", "libtorch")
require(len(ours) > 4, "there are clips")
require(probabilities(model)[0] == ours, "few clips are not worth a compilation")
require(max(abs(a - b) for a, b in zip(ours, probabilities(model, "--engine", "openvino")[0])) < 1e-5, "predict answers alike with either engine")
for name, more in (("c.onnx", ("--input", "clips")), ("c.xml", ("--input", "clips")), ("m.onnx", ()), ("m.xml", ())):
    report = json.loads(distal("export", model, "--out", name, "--json", *more))
    require(report["input"] == ("clips" if more else "frames") and report.get("change_from_frames", 0) < 1e-4, f"{name}: {report}")
    require(report["openvino_error"] < 1e-4, f"{name}: parity {report}")
    require((place.path / name).stat().st_size > 1000 and (place.path / (name + ".json")).is_file(), "the file and its description")
    theirs, named = probabilities(name)
    require(named == classes and max(abs(a - b) for a, b in zip(ours, theirs)) < 1e-5, f"{name} answers alike")
require("read back by OpenVINO" in distal("export", model, "--out", "m.onnx", "--format", "onnx"), "a report for people")

whole = json.loads(distal("export", model, "--out", "m8.onnx", "--int8", "--list", videos / "pool.csv", "--json", "--quiet"))
require(whole["int8_layers"] > 0 and whole["change"] <= 0.01 and whole["calibration_clips"] > 4, f"int8: {whole}")
theirs, _ = probabilities("m8.onnx")
require(0 < max(abs(a - b) for a, b in zip(ours, theirs)) < 0.1, "in eight bits nearly alike")
video = videos / next(csv.DictReader((videos / "pool.csv").open()))["path"]
kept = json.loads(distal("export", model, "--out", "a8.onnx", "--int8", "--list", videos / "pool.csv", "--set", "int8.accuracy_loss=0", "--json", "--quiet"))
require(kept["int8_accuracy"] >= kept["float_accuracy"] > 0, f"accuracy of int8: {kept}")
distal("export", model, "--out", "n.onnx", "--int8", video, "--set", "int8.accuracy_loss=0", code=2, says="wants --list LIST with a column label")
distal("export", model, "--out", "m8.xml", "--int8", video, "--set", "int8.range=mse", "--quiet")
require((place.path / "m8.bin").stat().st_size < (place.path / "m.bin").stat().st_size, "eight bits take less room")
require({file.name for file in place.path.glob("*.distal-*")} <= set(THEIRS), "nothing half-written is left")
require(all((place.path / name).read_text() == "mine" for name in THEIRS), "files of others stay, whatever they are called")

distal("export", model, "--out", "again.safetensors")
require(probabilities("again.safetensors") == probabilities(model), "safetensors holds the same")

distal("export", model, "--out", "m.pb", code=2, says="ends in .onnx, .xml (openvino) or .safetensors")
distal("export", model, "--out", "m.xml", "--format", "onnx", code=2, says="is a name for openvino")
distal("export", model, "--out", "n.onnx", video, code=2, says="without it none is read")
distal("export", model, "--out", "n.onnx", "--int8", code=2, says="wants videos of the pool")
distal("export", model, "--out", "n.safetensors", "--int8", video, code=2, says="--int8 wants --out FILE.onnx")
distal("export", model, "--out", "n.onnx", "--int8", "absent.mp4", "--quiet", code=1, says="absent.mp4: no such file")
require("1 videos that cannot be read" in distal("export", model, "--out", "p.onnx", "--int8", video, "absent.mp4", "--quiet"), "a bad one among them is said")
distal("export", model, "--out", "n.safetensors", "--sample", "s", code=2, says="--sample is for .onnx and .xml")
distal("export", model, "--out", "n.onnx", "--set", "int8.range=mse", code=2, says="--set is for --int8")
distal("export", model, "--out", "n.onnx", "--int8", video, "--set", "int8.weight_bits=1", code=2, says="give 2 to 8")
distal("export", model, "--out", "nowhere/n.onnx", code=1, says="nowhere")
distal("export", model, "--out", "nowhere/n.xml", code=1, says="nowhere")
distal("export", model, "--out", "n.onnx", "--int8", video, "--quiet", "--set", "int8.range=widest", code=2, says="percentile")
distal("export", "absent.safetensors", "--out", "n.onnx", code=1, says="absent.safetensors")
require(not (place.path / "n.onnx").exists(), "and nothing was written")
distal("predict", "m.onnx", video, "--engine", "libtorch", code=2, says="only engine openvino reads it")
distal("predict", "m.onnx", video, "--stream", "--engine", "libtorch", code=2, says="only engine openvino reads it")
answers = [distal("predict", of, video, "--stream", "--every", *more) for of, more in ((model, ("--engine", "libtorch")), (model, ("--engine", "openvino")), ("m.onnx", ()))]
require(len(answers[0].splitlines()) > 1 and [line.split(",")[:2] for line in answers[0].splitlines()] == [line.split(",")[:2] for line in answers[1].splitlines()]
        and answers[1] == answers[2], f"a stream by each engine: {answers}")
description = json.loads((place.path / "m.onnx.json").read_text())
(place.path / "m.onnx.json").write_text(json.dumps(description | {"input": description["input"].replace("size_px: 16", "size_px: 20")}))
distal("predict", "m.onnx", video, code=1, says="takes clips [3, 4, 16, 16] and gets [3, 4, 20, 20]")
(place.path / "m.onnx.json").unlink()
distal("predict", "m.onnx", video, code=1, says="m.onnx.json: missing")

if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("numpy"):
    import numpy
    import onnxruntime

    for name, bound, more in (("s.onnx", 1e-4, ()), ("s8.onnx", 0.2, ("--int8", "--list", videos / "pool.csv", "--quiet"))):
        distal("export", model, "--out", name, "--sample", "s", "--input", "clips", *more)
        clips, expected = numpy.load(place.path / "s_clips.npy"), numpy.load(place.path / "s_logits.npy")
        session = onnxruntime.InferenceSession(str(place.path / name), providers=["CPUExecutionProvider"])
        for count in (1, len(clips)):
            logits, embedding = session.run(None, {"clips": clips[:count]})
            error = numpy.linalg.norm(logits - expected[:count]) / numpy.linalg.norm(expected[:count])
            require(error < bound and embedding.shape[0] == count, f"{name} in ONNX Runtime: {error}")
            print(f"{name}, ONNX Runtime, {count} clips: relative error {error:.1e}")
else:
    print("skipped: ONNX Runtime is not installed")
