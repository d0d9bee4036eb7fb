"""What a trained model says of videos is what its run measured: of files, rows, segments and streams; a bad video costs its own line only."""

import csv
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys

from small import Place, require

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")


def predict(*arguments, code=0, says=""):
    run = subprocess.run([sys.argv[1], "predict", *map(str, arguments), "--quiet", "--threads", "1"], capture_output=True, text=True, timeout=300, cwd=place.path)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr or run.stdout}")
    require(says in run.stderr, f"{arguments}: says '{run.stderr.strip()}', not '{says}'")
    return run.stdout


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def spans(text):
    return [(row["path"], float(row["start_s"]), float(row["end_s"])) for row in rows(text)]


def write(name, *lines):
    (videos / name).write_text("\n".join(lines) + "\n")
    return videos / name


# 40 frames at 25 per second: 1.6 s, two answers of a stream.
run = place.run("out", "--set", "seeds=1", "--set", "data.synthetic.frames=40")
require(run.returncode == 0, "the small recipe runs: " + run.stderr)
model, videos = place.path / "out" / "random.safetensors", place.path / "videos"
test = rows((videos / "test.csv").read_text())
paths = [row["path"] for row in test]

# As measured by the run itself.
found = predict(model, "--list", videos / "test.csv")
require([row["path"] for row in rows(found)] == paths, "a line for each row, in its order, with the path as written")
right = sum(row["class"] == truth["label"] for row, truth in zip(rows(found), test))
cells = json.loads((place.path / "out" / "report.json").read_text())["cells"]
(accuracy,) = [cell["rounds"][-1]["metrics"]["accuracy"] for cell in cells if cell["arm"] == "random"]
require(abs(right / len(test) - accuracy) < 1e-9, f"the accuracy of the report: {accuracy}, here {right} of {len(test)}")

# Files by name, every class, as JSON, to a file.
full = [videos / path for path in paths[:3]]
named = rows(predict(model, *full, "--all"))
require([row["class"] for row in named] == [row["class"] for row in rows(found)][:3], "the same by name")
for row in named:
    each = {name: float(row[name]) for name in ("left", "right")}
    require(abs(sum(each.values()) - 1) < 1e-5 and row["class"] == max(each, key=each.get), f"probabilities: {row}")
    require(row["probability"] == row[row["class"]] and (row["start_s"], row["end_s"]) == ("0.000", "1.600"), f"the best, of the whole video: {row}")
objects = [json.loads(line) for line in predict(model, *full, "--all", "--json").splitlines()]
require([(o["path"], o["class"], f"{o['probability']:.6f}", f"{o['probabilities']['left']:.6f}") for o in objects] ==
        [(row["path"], row["class"], row["probability"], row["left"]) for row in named], "JSON says the same")
require(predict(model, *full, "--out", "said.csv") == "said.csv\n", "--out names its file")
require((place.path / "said.csv").read_text() == predict(model, *full), "and holds what stdout gets")

# Rows with spans, a row that stands twice, a copy; segments.
shutil.copy(videos / paths[0], videos / "a, copy.mp4")
listed = write("spans.csv", "path,start_s,end_s,label", f"{paths[0]},0.4,0.8,nobody", f"{paths[0]},0.4,0.8,", f'"a, copy.mp4",0.4,0.8,unlabelled')
require(spans(predict(model, "--list", listed)) == [(paths[0], 0.4, 0.8)] * 2 + [("a, copy.mp4", 0.4, 0.8)], "each row has its line, whatever its label")
require([span[1:] for span in spans(predict(model, full[0], "--segment_s", 0.5))] == [(0, 0.5), (0.5, 1), (1, 1.5)], "segments, the last from half its length on")
cut = rows(predict(model, "--list", listed, "--segment_s", 0.4))
require([float(row["start_s"]) for row in cut] == [0.4] * 3, f"of a span, the segments whose middle it covers: {cut}")

# Bad videos cost their own line.
(videos / "bad.mp4").write_text("no video\n")
mixed = (full[0], videos / "bad.mp4", "absent.mp4", full[1])
kept = predict(model, *mixed, code=1, says="2 of 4 clips cannot be used")
others = rows(predict(model, full[0], full[1]))
require([row for row in rows(kept) if row["class"]] == others, "the others are said as without them")
require([(row["path"], row["problem"] != "") for row in rows(kept)][1:3] == [(str(mixed[1]), True), ("absent.mp4", True)], "and they have their own rows")
predict(model, *mixed, code=1, says="bad.mp4")
predict(model, *mixed, code=1, says="absent.mp4")
objects = [json.loads(line) for line in predict(model, *mixed, "--json", code=1).splitlines()]
require(["error" in o for o in objects] == [False, True, True, False] and "absent.mp4" in objects[2]["error"], f"errors in their place: {objects}")
whole = full[0].read_bytes()
moov, mdat = whole.index(b"moov") - 4, whole.index(b"mdat") - 4
size = struct.unpack(">I", whole[moov : moov + 4])[0]
index = bytearray(whole[moov : moov + size])
at = index.index(b"stco") + 8
for place_of in range(at + 4, at + 4 + 4 * struct.unpack(">I", index[at : at + 4])[0], 4):
    struct.pack_into(">I", index, place_of, struct.unpack(">I", index[place_of : place_of + 4])[0] + size)
first_half = whole[:mdat] + index + whole[mdat : mdat + (moov - mdat) * 6 // 10]  # the index first, then a part of the pictures
(videos / "half.mp4").write_bytes(first_half)
sound, damaged = rows(predict(model, full[0], videos / "half.mp4", says="truncated: "))
require("truncated: " in damaged["problem"] and not sound["problem"], "damage is said, in its row too")
(damaged,) = predict(model, videos / "half.mp4", "--json").splitlines()
require("truncated: " in json.loads(damaged)["damage"], "as JSON too")
predict(model, videos / "half.mp4", "--stream", says="half.mp4: damaged")
late = write("late.csv", "path,start_s,end_s", f"{paths[0]},0,1", f"{paths[0]},5,6")
require([row["class"] != "" for row in rows(predict(model, "--list", late, code=1, says="after the end of the video"))] == [True, False], "a span that is not there is an error of its row")

# A stream: an answer each 16 frames, said where the class changes.
every = rows(predict(model, full[0], "--stream", "--every"))
require([row["time_s"] for row in every] == ["0.600", "1.240"], f"at the newest frame of each slot: {every}")
changes = [row for before, row in zip([{"class": None}] + every, every) if row["class"] != before["class"]]
require(rows(predict(model, full[0], "--stream")) == changes, "only changes without --every")
require([row["time_s"] for row in rows(predict(model, full[0], "--stream", "--every", "--rate", 12.5))] == ["1.200"], "half the frames, half the answers")
(one,) = [line for line in predict(model, full[0], "--stream", "--rate", 12.5, "--json", "--all").splitlines() if '"event"' not in line]
require(set(json.loads(one)["probabilities"]) == {"left", "right"}, f"a stream as JSON: {one}")
predict(model, full[0], "--stream", "--rate", 5, code=1, says="8 frames count and an answer takes 16")
predict(model, "absent.mp4", "--stream", code=1, says="absent.mp4")

for wrong in ((), (full[0], "--list", listed), (full[0], "--every"), (full[0], "--rate", 5), (*full, "--stream"), (full[0], "--stream", "--out", "x"),
              (full[0], "--stream", "--segment_s", 1), (full[0], "--segment_s", 0)):
    predict(model, *wrong, code=2)
predict("absent.safetensors", full[0], code=1, says="absent.safetensors")

# Stopped, it leaves nothing.
many = write("many.csv", "path", *(path for _ in range(400) for path in paths))
command = [sys.argv[1], "predict", str(model), "--list", str(many), "--threads", "1"]
process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
require(process.stdout.readline() == "path,start_s,end_s,class,probability,problem\n" and process.stdout.readline(), "lines come while it works")
process.send_signal(signal.SIGTERM)
error = process.communicate(timeout=300)[1]
require(process.returncode == 143 and "stopped by signal" in error, f"SIGTERM ends it: {process.returncode} {error}")
print(f"{len(test)} videos as measured, segments, rows, streams, bad files, stopped")
