"""Features that somebody else computed, in .npy files: a student that learns from them decodes nothing, strategies see them beside a student of
ours, and distal select picks from the same files what the study picks."""

import csv
import pathlib
import random
import sqlite3
import struct
import subprocess
import sys

from small import Place, paths_by_content, require

place = Place()
videos = place.path / "videos"
TRUTH = ("--set", "teacher=~", "--set", "oracle={kind: truth}", "--set", "seeds=1")
OURS = ("--set", "student.training.steps=2")


def run(out, *more, code=0, says=""):
    command = [word for word in place.command(out, *TRUTH, *more) if word != "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    require(done.returncode == code, f"{out}: exit {done.returncode}, not {code}: {done.stderr}")
    require(says in done.stderr, f"{out}: says '{done.stderr.strip()}', not '{says}'")
    return done.stderr


def save(name, rows):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    values = [value for row in rows for value in row]
    path = place.path / name
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}f", *values))
    return path


def rows_of(name):
    return list(csv.DictReader((videos / name).open()))


# The videos, and features of the pool and the test list in an order of their own: one number tells the class, six do not.
run("generated", *OURS, "--set", "rounds=0", "--set", "arms=~")
draw = random.Random(1)
clips = rows_of("pool.csv") + rows_of("test.csv")
draw.shuffle(clips)
features = [[2.0 if clip["label"] == "left" else -2.0] + [draw.gauss(0, 1) for _ in range(6)] for clip in clips]
save("f.npy", features)
(place.path / "f.csv").write_text("path\n" + "".join(clip["path"] + "\n" for clip in clips))
FILES = f"features: {place.path / 'f.npy'}, list: {place.path / 'f.csv'}"


# A student of features: nothing is decoded, so nothing is in a cache of its own.
def student(head):
    return ("--set", f"student={{model: {{name: features, {FILES}, head: {head}}}}}", "--set", f"cache.folder={place.path / 'empty'}")


said = run("probe", *student("probe"))
accuracies = [float(line.rsplit(" ", 1)[1]) for line in said.splitlines() if " round 2: " in line and "accuracy" in line]
require(len(accuracies) == 2 and min(accuracies) > 0.9, f"two arms learn what the features tell: {said}")
frames = [path for path in (place.path / "empty").rglob("*") if path.is_file() and "probes" not in path.parts]
require(frames == [], f"no frame was decoded: {frames}")
run("jobs", *student("probe"), "--jobs", "2")
require((place.path / "jobs" / "curve.csv").read_text() == (place.path / "probe" / "curve.csv").read_text(), "two jobs measure the same")
said = run("mlp", *student("mlp, hidden: 16"), "--set", "student.training={steps: 150, batch_size: 8, learning_rate: 0.05}", "--set", "rounds=0", "--set", "arms=~",
           "--set", "start=20")
require(float(said.split("accuracy ")[1].split()[0]) > 0.8, f"a hidden layer learns them too: {said}")
plan = subprocess.run([sys.argv[1], "run", *place.command("plan", *TRUTH, *student("probe"))[2:], "--dry-run"], capture_output=True, text=True, timeout=600)
require(plan.returncode == 0 and "up to 0.0 GB of cached frames" in plan.stdout, f"a plan: {plan.stdout} {plan.stderr}")

# Beside a student of ours, strategies see the features; select picks the same from the same files.
ARMS = {"k_center": "k_center", "typiclust": "typiclust", "facility_location": "facility_location", "prob_cover": "{name: prob_cover, delta: 0.4}"}
arms = "{random: {strategy: random}, " + ", ".join(f"{name}: {{strategy: {strategy}}}" for name, strategy in ARMS.items()) + "}"
embeddings = ("--set", f"embeddings={{{FILES}}}", "--set", f"arms={arms}", *OURS)
run("embedded", *embeddings)
store = sqlite3.connect(place.path / "embedded.db")
PATHS = paths_by_content(videos)


def asked(arm, rounds):
    rows = store.execute("select c.video from reservations s join runs r on r.id = s.run join clips c on c.id = s.clip"
                         f" where r.name = ? and s.round in ({','.join(map(str, rounds))}) order by s.round, s.id", [f"recipe/{arm}"])
    return [str(pathlib.Path(PATHS[video]).relative_to(videos)) for video, in rows]


def select(*arguments, code=0, says=""):
    done = subprocess.run([sys.argv[1], "select", *map(str, arguments)], capture_output=True, text=True, timeout=300)
    require(done.returncode == code and says in done.stderr, f"{arguments}: exit {done.returncode}: {done.stderr}")
    return done.stdout


for arm, strategy in ARMS.items():
    strategy = ("--strategy", arm, *(("--set", "strategy.delta=0.4") if arm == "prob_cover" else ()))
    for number in (1, 2):
        known = place.path / "known.csv"
        known.write_text("path\n" + "".join(path + "\n" for path in asked(arm, range(number))))
        arguments = (*strategy, "--embeddings", place.path / "f.npy", "--list", place.path / "f.csv", "--from", videos / "pool.csv", "--known", known,
                     "--count", 8, "--seed", 1, "--round", number)
        picks = [clips[int(row)]["path"] for row in select(*arguments).split()]
        wanted = asked(arm, [number])
        require(len(wanted) == 8 and picks == wanted, f"{arm}, round {number}: select picks {picks}, the study {wanted}")
        select(*arguments, "--out", place.path / "picks.csv")
        require([row["path"] for row in csv.DictReader((place.path / "picks.csv").open())] == wanted, "picks as a list")
require(asked("k_center", [1]) != asked("random", [1]), "strategies look at them")

# The same of a network from elsewhere: means over squares of 8 px of frames of 32 px, as ONNX.
def varint(number, value):
    out = b""
    for value in (number << 3, value):
        while value > 127:
            out += bytes([value & 127 | 128])
            value >>= 7
        out += bytes([value])
    return out


def field(number, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(number, len(value)).replace(bytes([number << 3]), bytes([number << 3 | 2]), 1) + value


def tensor(name, *sizes):
    shape = field(1, field(2, "batch")) + b"".join(field(1, varint(1, size)) for size in sizes)
    return field(1, name) + field(2, field(1, varint(1, 1) + field(2, shape)))


def node(kind, taken, given, **sizes):
    return field(1, field(1, taken) + field(2, given) + field(4, kind)
                 + b"".join(field(5, field(1, name) + b"".join(varint(8, value) for value in values) + varint(20, 7)) for name, values in sizes.items()))


graph = node("AveragePool", "frames", "means", kernel_shape=(8, 8), strides=(8, 8)) + node("Flatten", "means", "features")
graph += field(2, "means") + field(11, tensor("frames", 3, 32, 32)) + field(12, tensor("features", 48))
(place.path / "means.onnx").write_bytes(varint(1, 7) + field(7, graph) + field(8, field(1, "") + varint(2, 13)))
run("network", *OURS, "--set", f"embeddings={{network: {{file: {place.path / 'means.onnx'}}}}}", "--set", "arms={k_center: {strategy: k_center}}")
store = sqlite3.connect(place.path / "network.db")
known.write_text("path\n" + "".join(path + "\n" for path in asked("k_center", [0])))
pool = rows_of("pool.csv")
picks = select("--strategy", "k_center", "--network", place.path / "means.onnx", "--list", videos / "pool.csv", "--known", known, "--count", 8, "--seed", 1, "--round", 1,
               "--set", "input.sampling.frames=4", "--set", f"cache.folder={place.path / 'frames'}", "--quiet")
require([pool[int(row)]["path"] for row in picks.split()] == asked("k_center", [1]), f"select --network picks {picks}")

# Other content is another study, where it is looked at.
features[3][2] += 1
save("f.npy", features)
again = run("embedded", *embeddings)
measured = sorted({line.split(" seed ")[0] for line in again.splitlines() if " seed 1 round " in line and "accuracy" in line})
require(measured == sorted(ARMS), f"all but random are run again: {measured}")
again = run("probe", *student("probe"))
require(" round 2: " in again, "a student of other features is another one")

# A cold start looks at the same files.
cold = run("cold", *OURS, "--set", f"embeddings={{{FILES}}}", "--set", "start_draw=k_center", "--set", "arms=~", "--set", "rounds=0")
require("accuracy" in cold, cold)

# Wrong files are refused before anything is trained, in a plan too.
missing = place.path / "short.csv"
save("short.npy", features[1:])
missing.write_text("path\n" + "".join(clip["path"] + "\n" for clip in clips[1:]))
wrong = f"embeddings={{features: {place.path / 'short.npy'}, list: {missing}}}"
for more in ((), ("--set", "data.synthetic=~", "--dry-run")):
    if clips[0] in rows_of("pool.csv"):
        run("wrong", *OURS, "--set", wrong, "--set", "arms={a: {strategy: k_center}}", *more, code=1, says=f"{missing}: 1 of 40 clips of the study have no row")
    else:
        run("wrong", "--set", f"student={{model: {{name: features, features: {place.path / 'short.npy'}, list: {missing}, head: probe}}}}", *more, code=1,
            says=f"{missing}: 1 of 56 clips of the study have no row")
features[5][1] = float("nan")
save("nan.npy", features)
run("wrong", "--set", f"student={{model: {{name: features, features: {place.path / 'nan.npy'}, list: {place.path / 'f.csv'}}}}}", code=1,
    says=f"nan.npy: row 5 (the first is 0) holds NaN or infinity: {clips[5]['path']} of {place.path / 'f.csv'}:7")
select("--strategy", "k_center", "--embeddings", place.path / "nan.npy", "--list", place.path / "f.csv", "--count", 2, code=1,
       says=f"nan.npy: row 5 (the first is 0) holds NaN or infinity: {clips[5]['path']}")
print("features were looked up")
