"""distal select over .npy files of somebody else: the rows of a plain loop, limits that hold, and a cure for each wrong input."""

import csv
import json
import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from small import require

folder = tempfile.TemporaryDirectory(prefix="distal-test-")
place = pathlib.Path(folder.name)


def save(name, rows):
    shape = (len(rows),) if not isinstance(rows[0], list) else (len(rows), len(rows[0]))
    values = [value for row in rows for value in (row if isinstance(row, list) else [row])]
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    path = place / name
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}f", *values))
    return path


def select(*arguments, code=0, says=""):
    run = subprocess.run([sys.argv[1], "select", *map(str, arguments)], capture_output=True, text=True, timeout=300)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr or run.stdout}")
    require(says in run.stderr, f"{arguments}: says '{run.stderr.strip()}', not '{says}'")
    return [int(line) for line in run.stdout.split()] if code == 0 and "--out" not in arguments and "--json" not in arguments else run.stdout


def distance(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b))


draw = random.Random(1)
points = [[draw.gauss(0, 1) for _ in range(5)] for _ in range(60)]
labelled = points[:3]
logits = [[draw.gauss(0, 2) for _ in range(3)] for _ in range(60)]
embeddings, known, scores = save("e.npy", points), save("l.npy", labelled), save("z.npy", logits)

# k-center by a plain loop
centres, wanted = list(labelled), []
for _ in range(10):
    row = max((r for r in range(60) if r not in wanted), key=lambda r: min(distance(points[r], c) for c in centres))
    wanted.append(row)
    centres.append(points[row])
picks = select("--strategy", "k_center", "--count", 10, "--embeddings", embeddings, "--labelled", known, "--set", "strategy.normalize=false")
require(picks == wanted, f"k_center: {picks}, not {wanted}")
require(select("--strategy", "k_center", "--count", 10, "--embeddings", embeddings, "--labelled", known, says="not normalised") == wanted, "k_center takes features as they are")

# of features scaled to length 1 under the other name
unit = [[x / math.sqrt(sum(y * y for y in p)) for x in p] for p in points]
centres, wanted = unit[:3], []
for _ in range(10):
    row = max((r for r in range(60) if r not in wanted), key=lambda r: min(distance(unit[r], c) for c in centres))
    wanted.append(row)
    centres.append(unit[row])
picks = select("--strategy", "k_center_cosine", "--count", 10, "--embeddings", embeddings, "--labelled", known, says="features are normalised")
require(picks == wanted, f"k_center_cosine: {picks}, not {wanted}")

# least confidence by sorting, and as an array that NumPy reads
select("--strategy", "least_confidence", "--count", 5, "--logits", scores, "--out", place / "rows.npy")
rows = struct.unpack("<5q", (place / "rows.npy").read_bytes()[-40:])
top = [max(math.exp(z) for z in row) / sum(math.exp(z) for z in row) for row in logits]
require(list(rows) == sorted(range(60), key=lambda r: top[r])[:5], f"least_confidence: {rows}")
require(json.loads(select("--strategy", "badge", "--count", 4, "--logits", scores, "--embeddings", embeddings, "--json"))["rows"]
        == select("--strategy", "badge", "--count", 4, "--logits", scores, "--embeddings", embeddings), "the same seed, the same rows")

# limits: seconds, and clips of a video
durations = save("d.npy", [float(2 + row % 3) for row in range(60)])
(place / "videos.txt").write_text("\n".join(f"v{row // 10}" for row in range(60)) + "\n")
picks = select("--strategy", "margin", "--seconds", 30, "--logits", scores, "--durations", durations, "--videos", place / "videos.txt", "--set", "selection.per_video=2")
require(sum(2 + row % 3 for row in picks) <= 30 and all(sum(row // 10 == v for row in picks) <= 2 for v in range(6)), f"limits: {picks}")
require(len(set(select("--count", 7, "--pool", 20))) == 7, "random needs to know the number only")
require(select("--count", "+7", "--pool", "2e1") == select("--count", 7, "--pool", 20), "numbers are written as in recipes")
require(select("--count", 7, "--pool", 0) == [] and len(select("--count", 99, "--logits", scores, says="asked for 99 rows, there are 60: all are chosen")) == 60,
        "no more than there are")
select("--count", 20, "--logits", scores, "--videos", place / "videos.txt", "--set", "selection.per_video=2", says="asked for 20 rows: the limits of selection leave 12 of 60")
select("--seconds", 1000, "--logits", scores, "--durations", durations, says="asked for 1000 s, all 60 rows last 180 s")

# probabilities are probabilities: which row is not, why, and the cure
right = [[math.exp(z) / sum(math.exp(y) for y in row) for z in row] for row in logits]


def broken(row, values):
    return save("p.npy", right[:row] + [values] + right[row + 1:])


require(select("--strategy", "margin", "--count", 5, "--probabilities", save("p.npy", right)) == select("--strategy", "margin", "--count", 5, "--logits", scores),
        "probabilities choose as their logits do")
select("--strategy", "margin", "--count", 5, "--probabilities", save("p.npy", [[1.0, 0.0, 0.0]] * 60))
select("--strategy", "margin", "--count", 5, "--probabilities", save("p.npy", [[0.33, 0.33, 0.33]] * 60))  # two digits
for values, says in (([0.9, 0.5, 0.3], "row 3 (the first is 0) sums to 1.7, and probabilities sum to 1 (within 0.01)"), ([0.0, 0.0, 0.0], "row 3 (the first is 0) sums to 0"),
                     ([-0.2, 0.7, 0.5], "row 3 (the first is 0) holds -0.2, below 0"), ([float("nan"), 0.5, 0.5], "row 3 (the first is 0) holds NaN"),
                     ([float("inf"), 0.0, 0.0], "row 3 (the first is 0) holds NaN or infinity"), ([20.0, 30.0, 50.0], "these are per cent: divide them by 100"),
                     ([1.5, 0.0, 0.0], "sums to 1.5")):
    for flag, strategy in (("--probabilities", "margin"), ("--teacher", "disagreement")):
        more = ["--logits", scores] if flag == "--teacher" else []
        select("--strategy", strategy, "--count", 5, flag, broken(3, values), *more, code=2, says=says)
        select("--strategy", strategy, "--count", 5, flag, broken(3, values), *more, code=2, says=f"{flag} {place / 'p.npy'}: row 3")

# wrong input
select("--strategy", "badge", "--count", 3, "--logits", scores, code=2, says="badge also needs --embeddings (or --network)")
select("--strategy", "marginn", "--count", 3, "--logits", scores, code=2, says="margin")
select("--strategy", "margin", "--logits", scores, code=2, says="--count N, or --seconds S")
select("--strategy", "margin", "--count", 3, "--logits", scores, "--embeddings", known, code=2, says="--logits has 60 rows and --embeddings has 3")
select("--strategy", "margin", "--count", 3, "--logits", durations, code=1, says="2 dimensions are wanted")
select("--strategy", "margin", "--count", 3, "--logits", place / "none.npy", code=1, says="no such file")
select("--strategy", "margin", "--count", 3, "--probabilities", scores, code=2, says="give them as --logits")
select("--strategy", "margin", "--count", 3, "--logits", scores, "--set", "selection.gap=3", code=2, says="gap")
select("--count", 3, code=2, says="give --list, --logits")
select("--strategy", "margin", "--count", 2.5, "--logits", scores, code=2, says="--count")
select("--strategy", "rad", "--count", 3, "--logits", scores, code=2, says="rad also needs --set strategy.error=SHARE")
require(len(select("--strategy", "rad", "--count", 3, "--logits", scores, "--set", "strategy.error=0.2")) == 3, "rad with an error")
select("--strategy", "margin", "--seconds", 3, "--logits", scores, code=1, says="duration")
select("--strategy", "k_center", "--count", 3, "--embeddings", save("nan.npy", [[1.0, 2.0], [float("nan"), 0.0]]), code=1, says="row 1 of the embeddings is not finite")

# lists name the clips of the rows
(place / "list.csv").write_text("path,start_s,end_s\n" + "".join(f"v{row // 10}.mp4,{row % 10},{row % 10 + 2}\n" for row in range(60)))
(place / "from.csv").write_text("video,start_s,end_s\n" + "".join(f"./v{row // 10}.mp4,{row % 10}.0,{row % 10 + 2}.0\n" for row in range(59, 9, -1)))
(place / "known.csv").write_text("path,start_s,end_s,label\nv0.mp4,0,2,run\nv0.mp4,1,3,\nv0.mp4,2,4,walk\n")
named = ("--embeddings", embeddings, "--list", place / "list.csv")
picks = select("--strategy", "k_center", "--count", 10, *named, "--known", place / "known.csv")
centres, wanted = list(points[:3]), []
for _ in range(10):
    row = max((r for r in range(3, 60) if r not in wanted), key=lambda r: min(distance(points[r], c) for c in centres))
    wanted.append(row)
    centres.append(points[row])
require(picks == wanted, f"known clips are centres and not chosen: {picks}, not {wanted}")
picks = select("--strategy", "k_center", "--count", 50, *named, "--from", place / "from.csv")
require(sorted(picks) == list(range(10, 60)), f"chooses among these alone: {picks}")
picks = select("--strategy", "margin", "--seconds", 9, "--logits", scores, "--list", place / "list.csv", "--set", "selection.per_video=1")
require(len(picks) == 4 and len({row // 10 for row in picks}) == 4, f"a list gives videos and times: {picks}")
select("--strategy", "k_center", "--count", 2, *named, "--out", place / "picks.csv")
picks = list(csv.DictReader((place / "picks.csv").open()))
require(len(picks) == 2 and all(f"{pick['path']},{pick['start_s']},{pick['end_s']}" in (place / "list.csv").read_text() for pick in picks), f"clips of the rows: {picks}")
require(select("--count", 5, "--list", place / "list.csv", "--round", 1) != select("--count", 5, "--list", place / "list.csv", "--round", 2), "rounds draw anew")
(place / "twice.csv").write_text((place / "list.csv").read_text().replace("v0.mp4,1,3", "v0.mp4,0,2.0"))
for more, code, says in (((*named[:2], "--list", place / "twice.csv"), 1, "twice.csv:3: v0.mp4, 0.000 .. 2.000 s stands at"), ((*named[:2], "--known", place / "known.csv"), 2, "--list is missing"),
                         ((*named[:2], "--list", place / "known.csv"), 2, "--embeddings has 60 rows and --list has 3"), ((*named, "--labelled", known, "--known", place / "known.csv"), 2, "leave --labelled out"),
                         ((*named[:2], "--out", place / "picks.csv"), 2, "--list is missing")):
    select("--strategy", "k_center", "--count", 2, *more, code=code, says=says)
(place / "other.csv").write_text("path\nv0.mp4\n")
select("--strategy", "k_center", "--count", 2, *named, "--known", place / "other.csv", code=1, says="other.csv:2: v0.mp4 is in no row of")
print("chosen")
