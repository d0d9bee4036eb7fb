"""The Python program beside an exported model answers as `distal predict`, on three containers and frame rates; the graph is sound ONNX.

It wants av, numpy, onnx and onnxruntime, which cmake/setup.sh puts into .deps/python for the tests.
"""

import csv
import json
import os
import pathlib
import re
import subprocess
import sys

from small import Place, require

PACKAGES = pathlib.Path(__file__).resolve().parent.parent / ".deps" / "python"
sys.path.append(str(PACKAGES))
try:
    import av  # noqa: F401
    import numpy
    import onnx
    import onnxruntime
except ImportError as error:
    print(f"skipped: {error}; bash cmake/setup.sh test installs it")
    sys.exit(77)

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")
READER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("reader", sys.argv[1])
reader = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reader)
for line in sys.stdin.read().splitlines():
    reader.main(*line.split(","))
"""


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, cwd=place.path, **more)
    require(done.returncode == 0, f"{words}: exit {done.returncode}: {done.stderr}")
    return done.stdout


def distal(*arguments):
    return run(sys.argv[1], *arguments)


def python(*arguments, **more):
    return run(sys.executable, "-B", *arguments, env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)), **more)


def predicted(file, clips):
    (place.path / "clips.csv").write_text("path,start_s,end_s\n" + "".join(f"{','.join(clip)}\n" for clip in clips))
    lines = distal("predict", file, "--list", "clips.csv", "--all", "--json", "--quiet", "--threads", "1").splitlines()
    return numpy.array([list(json.loads(line)["probabilities"].values()) for line in lines])


def read(file, clips):
    lines = python("-c", READER, place.path / (file + ".py"), input="\n".join(",".join(clip) for clip in clips)).splitlines()
    return numpy.array([list(json.loads(line)["probabilities"].values()) for line in lines])


done = place.run("out", "--set", "seeds=1", "--set", "rounds=1", "--set", "student.training.steps=80")
require(done.returncode == 0, "the small recipe runs: " + done.stderr)
model = place.path / "out" / "margin.safetensors"
if "not built in" in distal("doctor"):
    print("skipped: built without OpenVINO")
    sys.exit(77)

# Five files: a constant rate, a variable rate, B-frames in AVI and MPEG, and 4:2:2 that lies on its side; even and odd sizes, larger and smaller than what is cached.
CLIP = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=4,noise=alls=20:all_seed=1", "-an", "-frames:v", "90")
FILES = {
    "constant.mp4": ("-c:v", "libx264", "-g", "12", "-bf", "2", "-pix_fmt", "yuv420p"),
    "variable.mkv": ("-vf", "select='not(mod(n,3))+not(mod(n,7))',scale=36:48", "-vsync", "vfr", "-c:v", "libx264", "-colorspace", "bt709", "-color_range", "pc", "-pix_fmt", "yuv420p"),
    "bframes.avi": ("-vf", "scale=161:121,fps=30", "-c:v", "mpeg4", "-bf", "2", "-q:v", "3"),
    "bframes.mpg": ("-vf", "scale=30:20", "-c:v", "mpeg2video", "-bf", "2", "-q:v", "3"),
    "turned.mp4": ("-vf", "scale=200:80", "-c:v", "libx264", "-pix_fmt", "yuv422p"),
}
for name, words in FILES.items():
    run("ffmpeg", "-v", "error", *CLIP, *words, name)
(place.path / "turned.mp4").rename(place.path / "lying.mp4")
run("ffmpeg", "-v", "error", "-i", "lying.mp4", "-c", "copy", "-metadata:s:v", "rotate=90", "turned.mp4")
SPANS = (("0", "inf"), ("0", "1"), ("0.5", "1.7"), ("1.24", "1.28"), ("2", "3.2"), ("0.04", "2.36"))
clips = [(name, *span) for name in FILES for span in SPANS]
require(len(clips) >= 24, "24 clips at least")


def as_rows(clips):
    """In a list a whole video has no span."""
    return [(name, "", "") if end == "inf" else (name, start, end) for name, start, end in clips]


expected = predicted(model, as_rows(clips))
require(expected.shape == (len(clips), 2) and numpy.ptp(expected[:, 0]) > 0.02, f"the clips differ: {expected}")
for name, more in (("frames.onnx", ()), ("clips.onnx", ("--input", "clips"))):
    distal("export", model, "--out", name, *more)
    error = numpy.abs(read(name, clips) - expected).max(axis=1)
    print(f"{name}: {len(clips)} clips, the largest difference of a probability {error.max():.1e}")
    require(error.max() <= 1e-3, f"{name}: {dict(zip(clips, error))}")
    require(numpy.abs(predicted(name, as_rows(clips)) - expected).max() <= 1e-4, f"{name}: predict says the same of it")
line = json.loads(python("frames.onnx.py", "bframes.avi", "0.5", "1.7"))
require(line["path"] == "bframes.avi" and line["class"] in ("left", "right"), f"by hand: {line}")

# Sound, with names of modules, and with what the JSON says inside.
graph = onnx.load(place.path / "frames.onnx")
onnx.checker.check_model(graph, full_check=True)
names = [node.name for node in graph.graph.node]
require(len(set(names)) == len(names) and all(re.fullmatch(r"[A-Za-z][\w./]*", name) for name in names), f"names: {names}")
require(any(name.startswith("layer") and name.endswith("/Conv") for name in names), f"names of modules: {names}")
require([value.name for value in graph.graph.input] == ["frames"] and [value.name for value in graph.graph.output][0] == "probabilities", "input and output")
inside = json.loads({row.key: row.value for row in graph.metadata_props}["distal"])
beside = json.loads((place.path / "frames.onnx.json").read_text())
require(beside["export"].pop("read_back")["largest_change_of_a_probability"] < 1e-4 and inside == beside, "the same inside and beside")
require(beside["export"]["crop"]["in_graph"] is True and beside["export"]["sampling"]["rule"] == "even", f"what it says: {beside['export']}")
distal("export", model, "--out", "frames.xml")
text = (place.path / "frames.xml").read_text()
require("rt_info" in text and "frames_of_clip" in text, "the description is in the .xml")

# The card: data, recipe, accuracy with its interval, calibration, licence.
card = (place.path / "frames.onnx.md").read_text()
for word in ("Accuracy 0.", "95 % interval", "Expected calibration error", "| pool | pool.csv | 40 |", "| learned from |", "Arm: margin.", "licence not needed"):
    require(word in card, f"the card says '{word}': {card}")

# In eight bits: as far from the network as the export says.
videos = place.path / "videos"
pool = [(str(videos / row["path"]), "0", "inf") for row in csv.DictReader((videos / "pool.csv").open())]
report = json.loads(distal("export", model, "--out", "eight.onnx", "--int8", "--list", videos / "pool.csv", "--json", "--quiet"))
change = numpy.abs(read("eight.onnx", pool) - predicted(model, as_rows(pool))).sum(axis=1).mean() / 2
print(f"eight.onnx: the probabilities change by {change:.4f} in the mean; the export says {report['change']:.4f}")
require(report["calibration_clips"] == len(pool) and change <= report["change"] + 2e-3, f"int8: {change} and {report}")

# Frames of any size: scaled in the graph, close to what libswscale makes of them.
distal("export", model, "--out", "sampled.onnx", "--sample", "s")
session = onnxruntime.InferenceSession(place.path / "sampled.onnx", providers=["CPUExecutionProvider"])
frames, wanted = numpy.load(place.path / "s_frames.npy"), numpy.load(place.path / "s_probabilities.npy")
for count in (1, len(frames)):
    found = session.run(["probabilities"], {"frames": frames[:count]})[0]
    require(numpy.abs(found - wanted[:count]).max() < 1e-4, f"{count} clips in ONNX Runtime: {found} and {wanted}")
large = session.run(["probabilities"], {"frames": frames.repeat(3, axis=2).repeat(3, axis=3)})[0]
require(numpy.abs(large - wanted).max() < 0.2, f"frames of three times the size: {large} and {wanted}")
