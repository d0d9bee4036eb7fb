"""A network of others as teacher, from an ONNX file to the report: its answers are those that the frames of the videos give by its own input and
normalisation; what does not fit is said before anything is decoded; texts classify where it gives embeddings."""

import contextlib
import json
import math
import pathlib
import shutil
import sqlite3
import subprocess
import sys

import tiny_onnx
from small import Place, paths_by_content, require

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of distal's default, ImageNet's
MATRIX, BIAS = [[2.0, -1.0], [0.5, 1.5], [-1.0, 1.0]], [0.3, -0.2]
FRAMES = 8  # of a clip, where the network takes single frames
SMALL = ["--set", "seeds=1", "--set", "rounds=1", "--set", "budget=8", "--set", "student.training.steps=2", "--set", "arms={random: {strategy: random}}"]

place = Place()


def command(out, oracle, *more):
    return place.command(out, *SMALL, "--set", f"oracle={{{oracle}}}", *more)


def run(out, oracle, *more, code=0, says=()):
    done = subprocess.run(command(out, oracle, *more), capture_output=True, text=True, timeout=300)
    require(done.returncode == code, f"{out}: exit {done.returncode}, not {code}: {done.stderr or done.stdout}")
    for words in says:
        require(words in done.stderr, f"{out}: says '{done.stderr}', not '{words}'")
    require(code == 0 or done.stderr.count("\n") == 1, f"{out}: one line: {done.stderr}")
    return done


def network(path, more="", oracle="", output="scores"):
    return f"kind: network, network: {{file: {path}, size_px: 32, output: {output}{more}}}, short_side_px: 32{oracle}"


def answers(out):
    """Of each video that was asked about, by its path."""
    with contextlib.closing(sqlite3.connect(place.path / f"{out}.db")) as store:
        rows = store.execute("select clips.video, probabilities, version from answers join clips on clips.id = answers.clip where oracle = 'network'").fetchall()
    require(len(rows) == 8 and len({version for _, _, version in rows}) == 1, f"{out}: 8 answers of one version: {rows}")
    paths = paths_by_content(place.path / "videos")
    return {paths[video]: json.loads(probabilities) for video, probabilities, _ in rows}


def colours(video):
    """The mean of each channel of the frames that a teacher is shown: the centres of 8 equal parts of 12 frames, by ffmpeg's own decoder."""
    raw = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i", str(video), "-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         capture_output=True, check=True).stdout
    step = 32 * 32 * 3
    require(len(raw) == 12 * step, f"12 frames of 32 x 32: {len(raw)}")
    tick = 12 / FRAMES
    shown = [raw[at * step:(at + 1) * step] for at in (int(tick / 2 + tick * i) for i in range(FRAMES))]
    return [[sum(frame[channel::3]) / (32 * 32) / 255 for channel in range(3)] for frame in shown]


def softmax(scores):
    exps = [math.exp(score - max(scores)) for score in scores]
    return [value / sum(exps) for value in exps]


def mean(rows):
    return [sum(column) / len(rows) for column in zip(*rows)]


def scores(video):
    """By the network, of the mean over frames."""
    normal = [[(c - m) / s for c, m, s in zip(colour, MEAN, STD)] for colour in colours(video)]
    return mean([[sum(c * MATRIX[i][k] for i, c in enumerate(row)) + BIAS[k] for k in range(2)] for row in normal])


def require_near(found, wanted, what):
    require(all(abs(a - b) < 1e-4 for a, b in zip(found, wanted)), f"{what}: {found}, not {wanted}")


# ---- what does not fit is said before a frame is decoded
plain = tiny_onnx.mean_colour(place.path / "plain.onnx", MATRIX, BIAS)
permuted = tiny_onnx.mean_colour(place.path / "permuted.onnx", MATRIX, BIAS, metadata={"classes": '["right", "left"]'})
wide = tiny_onnx.mean_colour(place.path / "wide.onnx", [row + [0.0] for row in MATRIX], BIAS + [0.0])
probable = tiny_onnx.mean_colour(place.path / "probable.onnx", MATRIX, BIAS, softmax=True)
texts = tiny_onnx.npy(place.path / "texts.npy", [[1.0, 0.2, -0.5], [-0.3, 1.0, 0.4]])
narrow = tiny_onnx.npy(place.path / "narrow.npy", [[1.0, 0.2], [-0.3, 1.0]])
run("order", network(permuted), code=1, says=["another order (right, left)", "(left, right)", "oracle.classes"])
run("width", network(wide), code=1, says=["gives 3 numbers a clip", "2 classes (left, right)"])
run("names", network(wide, oracle=", classes: [left, right, up]"), code=1, says=["knows up, which the lists do not have", "drop_other_classes"])
run("probable", network(probable), code=1, says=["gives probabilities", "oracle.answers: probabilities"])
run("texts", network(plain, output="colour", oracle=f", zero_shot: {{embeddings: {narrow}}}"), code=1, says=["have 2 numbers each, and the network gives 3"])
run("output", network(plain, output="logits"), code=1, says=["oracle.network.output", "logits", "scores"])
run("absent", network(place.path / "none.onnx"), code=1, says=["none.onnx"])
run("frames", network(plain, ", frames: 4", ", sampling: {frames: 8}"), code=2, says=["sampling.frames = 8 and network.frames = 4"])
run("nothing", "kind: network", code=2, says=["oracle.network.file"])
run("program", network(place.path / "x.pt"), "--untrusted", code=2, says=["oracle.network.file: ", "is a program, which --untrusted refuses"])
require(not [path for path in (place.path / "frames").rglob("*") if path.suffix in (".frames", ".probe")], "nothing was decoded or probed")

# ---- to the report
done = subprocess.run([word for word in command("plain", network(plain)) if word != "--quiet"], capture_output=True, text=True, timeout=300)
require(done.returncode == 0 and "taken on trust" in done.stderr + done.stdout, f"without names the order is taken on trust: {done.returncode} {done.stderr}")
report = json.loads((place.path / "plain" / "report.json").read_text())
require(report["teacher"] == "network " + plain, f"the report says who answered: {report['teacher']}")
given = answers("plain")
if shutil.which("ffmpeg"):
    for name, answer in given.items():
        require_near(answer, softmax(scores(name)), f"{name} by the network")
else:
    print("answers are not compared with the frames: the command ffmpeg is missing")
require(len({tuple(answer) for answer in given.values()}) > 1, f"answers differ: {given}")

# ---- by names: in the order of the lists
run("stated", network(permuted, oracle=", classes: [right, left]"))
for name, answer in answers("stated").items():
    require_near(answer, given[name][::-1], f"{name} in the order of the lists")
(place.path / "names.txt").write_text("left\nright\nup\n")
run("dropped", network(wide, oracle=f", classes: {place.path / 'names.txt'}, drop_other_classes: true"))
run("softmax", network(probable, oracle=", answers: probabilities"))
run("batches", network(plain, oracle=", batch_size: 3"), "--set", "seeds=2", "--jobs", "2")
for out in ("dropped", "softmax"):
    for name, answer in answers(out).items():
        require_near(answer, given[name], f"{out}: {name}")

# ---- by texts
run("zero", network(plain, output="colour", oracle=f", zero_shot: {{embeddings: {texts}, classes: [left, right], temperature: 0.5}}"))
rows = [[1.0, 0.2, -0.5], [-0.3, 1.0, 0.4]]
for name, answer in answers("zero").items() if shutil.which("ffmpeg") else ():
    feature = mean([[(c - m) / s for c, m, s in zip(colour, MEAN, STD)] for colour in colours(name)])
    cosines = [sum(a * b for a, b in zip(feature, row)) / math.hypot(*feature) / math.hypot(*row) for row in rows]
    require_near(answer, softmax([cosine / 0.5 for cosine in cosines]), f"{name} by texts")
report = json.loads((place.path / "zero" / "report.json").read_text())
require("temperature 0.5" in report["teacher"], f"the temperature is stated: {report['teacher']}")

# ---- before the labels of the lists
done = run("mixed", f"first: {{{network(plain)}}}, then: {{kind: truth}}, when: confidence < 0.9, limit: {{answers_per_round: 3}}")
print("a network of others answers by its own input, in the order of the lists, and is refused where it does not fit")
