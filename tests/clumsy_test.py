"""What clumsy hands give every command: each input is refused with place, what and cure, in our words, and nothing half-written is left."""

import concurrent.futures
import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading

from small import require

# What libraries and the system say when nobody translates it.
FOREIGN = ["what():", "terminate called", "json.exception", "yaml-cpp", "[json", "c10::", "at::", "torch/", "stoi", "stol", "stod", "basic_string", "std::", "SQLITE",
           "sqlite3", "SQL logic", "Exception raised from", "frame #", "nlohmann", "regex_error", "bad_alloc", "vector::_M", "map::at", "bad optional", "out_of_range",
           "filesystem error", "filesystem_error", "libprotobuf", "google/protobuf", "openvino/", "src/core", "Check '", "bad conversion", "bad file", "CLI::", "soci", "errno",
           "enforce fail", "Segmentation", "core dumped", "AVERROR", "Traceback", "no such table", "is not a database", "unable to open", "httplib", "pugi", "re2",
           "Invalid data found", "stack smashing", "what distal does not foresee", "bug in distal", "1797693134862315"]
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")

program = os.path.abspath(sys.argv[1])
folder = tempfile.TemporaryDirectory(prefix="distal-test-")
place = pathlib.Path(folder.name)
given = place / "given"  # what the inputs are made of; it stays as it is
given.mkdir()
environment = {**os.environ, "XDG_CACHE_HOME": str(place / "cache"), "LC_ALL": "C.UTF-8"}
environment.pop("NO_SUCH_TOKEN", None)

RECIPE = """seeds: 1
data: {pool: {csv: pool.csv}, test: {csv: test.csv}}
input: {sampling: {frames: 4}, size_px: 16, short_side_px: 18}
student: {model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 2, batch_size: 4}}
start: 4
rounds: 1
budget: 2
"""


def put(name, content=""):
    """A file of that content, for one input."""
    path = given / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def changed(name, old, new):
    """The right recipe, but for one place."""
    require(old in RECIPE, f"'{old}' stands in the recipe")
    return put(name, RECIPE.replace(old, new))


def npy(name, sizes, values, dtype="<f4", order="False", header=None):
    text = header or f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': ({', '.join(map(str, sizes))},), }}"
    text += " " * (63 - (10 + len(text)) % 64) + "\n"
    return put(name, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + struct.pack(f"<{len(values)}f", *values))


def safetensors(name, header, values=b""):
    text = json.dumps(header).encode()
    return put(name, struct.pack("<Q", len(text)) + text + values)


def database(name, *statements):
    with sqlite3.connect(given / name) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return f"sqlite:{given / name}"


def run(recipe, *more, command="run"):
    return [command, recipe, "--data", videos, "--out", "out", "--threads", "1", "--quiet", *more]


def sets(*pairs):
    return [word for pair in pairs for word in ("--set", pair)]


def listed(name, text, *more):
    """A run whose pool is this list."""
    put(f"videos/{name}", text)
    return run(good, *sets(f"data.pool.csv={name}"), *more)


def imports(name, text, *more):
    return ["import", put(f"tools/{name}", text), "--lists", "lists", "--quiet", *more]


def predicts(model, *more):
    return ["predict", model, *(more or [video]), "--quiet", "--threads", "1"]


def selects(*more):
    return ["select", *more, "--out", "picks.npy"]


def with_files(path):
    return sorted((str(file.relative_to(path)), file.lstat().st_size, file.lstat().st_mtime_ns) for file in path.rglob("*") if not file.is_dir())


# ---- what is right -------------------------------------------------------------------------------------------------------

good = put("good.yaml", RECIPE)
videos = given / "videos"
made = subprocess.run([program, "run", str(good), "--data", str(videos), "--out", str(given / "run"), "--store", f"sqlite:{given / 'run.db'}", "--threads", "1", "--quiet",
                       *sets("data.synthetic={classes: [left, right], train: 4, pool: 8, test: 4, frames: 12, size_px: 32}", "rounds=0", "arms={one: {}}")],
                      capture_output=True, text=True, timeout=300, env=environment)
require(made.returncode == 0, "the right recipe runs: " + made.stderr)
model = given / "run" / "one.safetensors"
pool = (videos / "pool.csv").read_text()
video = videos / pool.splitlines()[1].split(",")[0]
description = json.loads(model.with_suffix(".json").read_text())
for name, row in zip("ab", pool.splitlines()[1:]):
    put(f"tools/{name}.mp4", (videos / row.split(",")[0]).read_bytes())

pytorch = b"PK\x03\x04\x00\x00\x08\x08" + bytes(200)
put("onnx/text.onnx", "dear reader\n")
put("onnx/cut.onnx", bytes([0x08, 0x08, 0x3A, 0xFF, 0xFF, 0x03]) + bytes(100))
put("onnx/text.xml", "dear reader\n")
put("onnx/alone.xml", "<?xml version='1.0'?><net name='x' version='11'></net>")
put("onnx/empty.onnx")
put("onnx/bare.onnx", bytes([0x08, 0x08]))
for name in ("text.onnx", "cut.onnx", "text.xml", "alone.xml", "empty.onnx"):
    put(f"onnx/{name}.json", json.dumps(description))
os.mkfifo(given / "pipe")
for ending in (".onnx", ".xml", ".safetensors"):
    os.mkfifo(given / f"pipe{ending}")
os.mkfifo(given / "beside.onnx.json")
weights = model.read_bytes()
(header_bytes,) = struct.unpack("<Q", weights[:8])
nan_weights = weights[:-4] + struct.pack("<f", float("nan"))
put("models/cut.safetensors", weights[: len(weights) // 2])
put("models/nan.safetensors", nan_weights)
put("models/flipped.safetensors", weights[:-3] + bytes([weights[-3] ^ 1]) + weights[-2:])
put("models/broken.safetensors", weights)
put("models/broken.json", "{\"model\": ")
put("models/other.safetensors", weights)
put("models/other.json", json.dumps(description | {"classes": ["up", "down"]}))
put("models/number.safetensors", weights)
put("models/number.json", json.dumps(description | {"classes": 2}))
safetensors("models/bare.safetensors", {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(4))
safetensors("models/type.safetensors", {"w": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}, bytes(4))
logits = npy("rows.npy", (4, 2), [0.5] * 8)
embeddings = npy("five.npy", (5, 3), [1.0] * 15)
results = json.loads((given / "run" / "report.json").read_text())
for name, text in {"cut": (given / "run" / "report.json").read_text()[:300], "other": "{\"format\": 7}", "list": "[1, 2]", "word": json.dumps(results | {"cells": "none"}), "none": ""}.items():
    put(f"runs/{name}/report.json", text)
put("runs/recipe/recipe.yaml", "seeds: [\n")
put("runs/recipe/report.json", "{}")
shutil.copy(given / "run.db", given / "damaged.db")
with open(given / "damaged.db", "r+b") as file:
    file.seek(100)
    file.write(b"\xff" * 8192)
(given / "empty").mkdir()
put("beside/a.mp4", video.read_bytes())
put("bad/list.csv", "path,label\nno.mp4,left\n")
put("bad/no.mp4", "dear reader\n")
put("exists.yaml", "seeds: 1\n")
sound = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + 800, b"WAVE", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", 800) + bytes(800)
put("sound.wav", sound)
put("page.mp4", "<html><body>Please log in</body></html>")
put("escape\x1b[31m.mp4", "no video")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    closed = free.getsockname()[1]


class Page(http.server.BaseHTTPRequestHandler):
    """What answers where somebody thinks a teacher is: a login."""

    def do_GET(self):
        body = b"<html>Please log in</html>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


page = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
threading.Thread(target=page.serve_forever, daemon=True).start()

# ---- what is wrong: what it is, the exit code, what is said, the words -----------------------------------------------------

bomb = "".join(f"k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9 if n else ['x'] * 9)}]\n" for n in range(9))
HEAD = pool.splitlines()[0] + "\n"
ROW = pool.splitlines()[1] + "\n"
INPUTS = [
    # the command line
    ("no command", 2, ["a command is missing", "distal --help"], []),
    ("a misspelt command", 2, ["trian is no command", "did you mean train?"], ["trian", good]),
    ("run without a recipe", 2, ["recipe is missing", "distal run --help"], ["run"]),
    ("an option of others", 2, ["--epochs 10 is not expected here", "distal run --help"], run(good, "--epochs", "10")),
    ("an option without its value", 2, ["--set: a value is missing", "distal run --help"], ["run", good, "--set"]),
    ("no threads", 2, ["--threads", "'0' is no number from 1 to 1024", "distal run --help"], ["run", good, "--threads", "0"]),
    ("threads in words", 2, ["--threads", "'two' is no number from 1 to 1024"], ["run", good, "--threads", "two"]),
    ("a thousand threads too many", 2, ["--threads", "'+2e3' is no number from 1 to 1024"], ["run", good, "--threads", "+2e3"]),
    ("threads of old", 2, ["--threads", "'010' is no number from 1 to 1024"], ["run", good, "--threads", "010"]),
    ("half a seed", 2, ["--seed", "a whole number", "distal run --help"], ["run", good, "--seed", "1.5"]),
    ("too many jobs", 2, ["--jobs", "from 1 to 256"], run(good, "--jobs", "100000")),
    ("segments of no length", 2, ["--segment_s", "'0' is no number 0.001 or more", "distal predict --help"], predicts(model, video, "--segment_s", "0")),
    ("segments without end", 2, ["--segment_s", "'1e-9' is no number 0.001 or more"], predicts(model, video, "--segment_s", "1e-9")),
    ("segments of NaN", 2, ["--segment_s", "'nan' is no number"], predicts(model, video, "--segment_s", "nan")),
    ("a rate below zero", 2, ["--rate", "'-1' is no number"], predicts(model, video, "--stream", "--rate", "-1")),
    ("an engine that is none", 2, ["--engine", "cuda", "libtorch", "openvino", "distal predict --help"], predicts(model, video, "--engine", "cuda")),
    ("predict without videos", 2, ["predict wants videos", "or give --list LIST"], ["predict", model]),
    ("two streams at once", 2, ["--stream reads one video, not 2"], predicts(model, video, video, "--stream")),
    ("--every without --stream", 2, ["--every", "--stream", "distal predict --help"], predicts(model, video, "--every")),
    ("a method that is none", 2, ["bagde is no family and no method", "did you mean badge?"], ["list", "bagde"]),
    ("bench of what", 2, ["takes one of decode, score, train"], ["bench"]),
    ("a bench that is none", 2, ["dekode is no command", "distal bench takes one of decode, score, train"], ["bench", "dekode"]),
    ("export without --out", 2, ["--out is missing", "distal export --help"], ["export", model]),
    ("export to what", 2, ["--out m.pb", "ends in .onnx, .xml (openvino) or .safetensors"], ["export", model, "--out", "m.pb"]),
    ("export to nowhere", 1, ["--out nowhere/m.onnx", "there is no folder nowhere", "make it first"], ["export", model, "--out", "nowhere/m.onnx"]),
    ("samples to nowhere", 1, ["--sample nowhere/s", "there is no folder nowhere", "make it first"], ["export", model, "--out", "m.onnx", "--sample", "nowhere/s"]),
    *((f"export into a pipe, {ending}", 1, [f"given/pipe{ending}", "device, pipe or socket", "name a file"], ["export", model, "--out", given / f"pipe{ending}"]) for ending in (".onnx", ".xml", ".safetensors")),
    ("export beside a pipe", 1, ["given/beside.onnx.json", "device, pipe or socket", "name a file"], ["export", model, "--out", given / "beside.onnx"]),
    ("export to a long name", 1, ["its name has 305 bytes", "give a shorter name"], ["export", model, "--out", "m" * 300 + ".onnx"]),
    ("an output to a long name", 1, ["its name has 300 bytes", "give a shorter name"], predicts(model, video, "--out", "o" * 300)),
    ("a sweep of nothing", 2, ["good.yaml", "has no sweep section", "or use distal run"], run(good, command="sweep")),
    ("train of arms", 2, ["arms.yaml", "has arms", "distal run compares them", "--set arms= "], run(put("arms.yaml", RECIPE + "arms: {a: {strategy: random}, b: {strategy: margin}}\n"), command="train")),
    ("the order of nothing", 2, ["--order wants a recipe"], ["doctor", "--order"]),
    ("a share of all", 2, ["--test-share", "'25' is no number from 0 to 1"], ["import", videos, "--test-share", "25"]),
    ("no frame rate", 2, ["--frame-rate", "'0' is no number from 0.001 to 1000000"], ["import", videos, "--frame-rate", "0"]),
    ("a format that is none", 2, ["--format", "coco", "labelstudio"], ["import", videos, "--format", "coco"]),
    ("import of nothing", 2, ["absent", "missing", "give a folder of CLASS/VIDEO, or a list"], ["import", "absent"]),
    # recipes
    ("no such recipe", 2, ["absent.yaml", "no such recipe", "distal new writes one"], run("absent.yaml")),
    ("nearly a recipe", 2, ["given/god.yaml", "no such recipe", "did you mean ", "given/good.yaml?"], run(given / "god.yaml")),
    ("a folder as recipe", 2, ["given/videos", "a folder", "name a file"], run(videos)),
    ("a pipe as recipe", 2, ["given/pipe", "device, pipe or socket", "write it to a file first"], run(given / "pipe")),
    ("a video as recipe", 2, [".mp4:1:", "not YAML", "if it is the right"], run(video)),
    ("a recipe in UTF-16", 2, ["wide.yaml:1:1", "UTF-16", "save it as UTF-8"], run(put("wide.yaml", RECIPE.encode("utf-16")))),
    ("an empty recipe", 2, ["empty.yaml", "data.pool.csv is missing", "name a list"], run(put("empty.yaml"))),
    ("a word as recipe", 2, ["word.yaml:1:1", "must be a section", "key: value"], run(put("word.yaml", "resnet\n"))),
    ("a list as recipe", 2, ["list.yaml:1:1", "must be a section", "key: value"], run(put("list.yaml", "- seeds\n"))),
    ("a tab", 2, ["tab.yaml:2:", "a tab", "indent with spaces"], run(put("tab.yaml", "student:\n\tmodel: tsn\n"))),
    ("an open quote", 2, ["quote.yaml:", "quotes are not closed", "write the closing one"], run(put("quote.yaml", "question: \"Why\nseeds: 1\n"))),
    ("an open bracket", 2, ["bracket.yaml:", "'{' is not closed", "write its '}'"], run(put("bracket.yaml", "data: {pool: {csv: a.csv}\nseeds: 1\n"))),
    ("a key that stands twice", 2, ["twice.yaml:2:1", "'seeds'", "the first is in line 1", "keep one"], run(put("twice.yaml", "seeds: 1\nseeds: 2\n"))),
    ("two documents", 2, ["two.yaml:2:1", "a second document", "keep one document"], run(put("two.yaml", "seeds: 1\n---\nseeds: 2\n"))),
    ("an alias of itself", 2, ["self.yaml:1:", "an alias ('*')", "write the value out"], run(put("self.yaml", "seeds: &a [*a]\n"))),
    ("an alias bomb", 2, ["bomb.yaml:", "values up to here", "write fewer"], run(put("bomb.yaml", bomb))),
    ("brackets without end", 2, ["deep.yaml:1:", "nested deeper than", "no option is"], run(put("deep.yaml", "seeds: " + "[" * 100000 + "\n"))),
    ("a tag", 2, ["tag.yaml:1:", "tags (", "leave it out"], run(put("tag.yaml", "seeds: !!python/object:os.system 1\n"))),
    ("a misspelt option", 2, ["steps.yaml:4:", "student.training.stepz", "did you mean steps?"], run(changed("steps.yaml", "{steps: 2", "{stepz: 2"))),
    ("a number in words", 2, ["many.yaml:4:", "student.training.steps = many", "a whole number"], run(changed("many.yaml", "steps: 2", "steps: many"))),
    ("a number without end", 2, ["huge.yaml:4:", "student.training.steps = 1e99", "a whole number"], run(changed("huge.yaml", "steps: 2", "steps: 1e99"))),
    ("half a batch", 2, ["half.yaml:4:", "student.training.batch_size = 0.5", "a whole number"], run(changed("half.yaml", "batch_size: 4", "batch_size: 0.5"))),
    ("frames below zero", 2, ["minus.yaml:3:", "input.sampling.frames = -4", "lies outside [1"], run(changed("minus.yaml", "frames: 4", "frames: -4"))),
    ("a backbone that is none", 2, ["net.yaml:4:", "student.model", "resnet4d", "did you mean resnet3d?"], run(changed("net.yaml", "name: resnet3d", "name: resnet4d"))),
    ("a list as section", 2, ["data.yaml:2:", "a list stands here", "key: value"], run(changed("data.yaml", "data: {pool: {csv: pool.csv}, test: {csv: test.csv}}", "data: [pool.csv, test.csv]"))),
    ("a scalar arm", 2, ["arm.yaml:8:", "arms.margin must be a section", "{strategy: margin}"], run(put("arm.yaml", RECIPE + "arms: {margin: margin}\n"))),
    ("arms in a list", 2, ["armlist.yaml:8:", "arms must be a section"], run(put("armlist.yaml", RECIPE + "arms: [margin, random]\n"))),
    ("an arm with a path", 2, ["slash.yaml:8:", "arm ../x", "no '/'"], run(put("slash.yaml", RECIPE + "arms: {../x: {strategy: margin}}\n"))),
    ("an arm with an escape", 2, ["esc.yaml:8:", "control character", "take it away"], run(put("esc.yaml", RECIPE + 'arms: {"red\\e[31m": {strategy: margin}}\n'))),
    ("two arms with one file", 2, ["files.yaml:8:", "those of arm", "another name"], run(put("files.yaml", RECIPE + "arms: {a: {strategy: margin}, A: {strategy: random}}\n"))),
    ("no test list", 2, ["test.yaml:", "data.test.csv is missing", "nothing can be claimed"], run(changed("test.yaml", ", test: {csv: test.csv}", ""))),
    ("no budget", 2, ["budget = 0", "set a budget"], run(good, *sets("budget=0"))),
    ("a teacher that is not there", 2, ["oracle.kind = teacher needs a teacher section"], run(good, *sets("oracle.kind=teacher"))),
    ("a key with a gap", 2, ["--set student..steps", "is no key", "such as student.training.steps"], run(good, *sets("student..steps=3"))),
    ("an open bracket in --set", 2, ["--set student.model", "'[' is not closed"], run(good, *sets("student.model=[tsn"))),
    ("videos without number", 2, ["data.synthetic.train", "lies outside [0, 100000]"], run(good, *sets("data.synthetic={train: 9e15}"))),
    ("pictures without end", 2, ["input.size_px", "lies outside [8, 4096]"], run(good, *sets("input.size_px=100000"))),
    ("batches without end", 2, ["student.training.batch_size", "this machine has", "lower it"], run(good, *sets("input.size_px=4096", "student.training.batch_size=10000"))),
    ("a sweep without end", 2, ["sweep.yaml:", "arms, at most", "compare fewer"], run(put("sweep.yaml", RECIPE + "sweep: {pool: [" + ", ".join(map(str, range(1, 400))) + "], rounds: [" + ", ".join(map(str, range(1, 400))) + "]}\n"), command="sweep")),
    ("half an expression", 2, ["groups", "a bracket ( or ) has no partner", "write one such as"], run(good, *sets("data.pool.groups='(left'"))),
    ("a pair that is none", 1, ["flip_labels", "left-right", "left:right"], run(good, *sets("student.augment.flip_labels=[left-right]"))),
    ("frozen what", 1, ["freeze", "encoder", "there are backbone"], run(good, *sets("student.model.freeze=[encoder]"))),
    # lists of videos
    ("no list", 1, ["absent.csv", "no such file", "path,label"], run(good, *sets("data.pool.csv=absent.csv"))),
    ("a folder as list", 1, ["videos/videos", "a folder", "name a file"], run(good, *sets("data.pool.csv=videos"))),
    ("a pipe as list", 1, ["given/pipe", "device, pipe or socket", "write it to a file first"], run(good, *sets(f"data.pool.csv={given / 'pipe'}"))),
    ("a workbook", 1, ["book.csv", "a workbook", "save the sheet as CSV"], listed("book.csv", pytorch)),
    ("an empty list", 1, ["none.csv:1", "the file is empty", "path,label"], listed("none.csv", "")),
    ("a header alone", 1, ["header.csv:1", "no line after the header", "at least one video"], listed("header.csv", HEAD)),
    ("other columns", 1, ["columns.csv:1", "needs a column path", "it has file, class"], listed("columns.csv", "file,class\na.mp4,left\n")),
    ("no column label", 1, ["unlabelled.csv:1", "needs a column label", "it has path, group"], listed("unlabelled.csv", "path,group\na.mp4,g\n")),
    ("a comma in a path", 1, ["comma.csv:3", "4 fields where the header has 3", "quote a field"], listed("comma.csv", HEAD + ROW + "a,b.mp4,left,g\n")),
    ("no label", 1, ["label.csv:3", "empty label", "name a class or remove the line"], listed("label.csv", HEAD + ROW + "a.mp4,,g\n")),
    ("an open quote in a list", 1, ["quote.csv:3", "never closes", "close it"], listed("quote.csv", HEAD + ROW + '"a.mp4,left,g\n')),
    ("seconds in words", 1, ["words.csv:2", "start_s is 'soon'", "such as 12.5"], listed("words.csv", "path,label,start_s,end_s\na.mp4,left,soon,3\n")),
    ("a span that ends before it begins", 1, ["span.csv:2", "is empty", "end_s must be after start_s"], listed("span.csv", "path,label,start_s,end_s\na.mp4,left,3,1\n")),
    ("half a span", 1, ["end.csv:2", "a span with one end", "give both ends"], listed("end.csv", "path,label,start_s,end_s\na.mp4,left,3,\n")),
    ("one end's column", 1, ["start.csv:1", "start_s and end_s come together"], listed("start.csv", "path,label,start_s\na.mp4,left,3\n")),
    ("two labels of one clip", 1, ["both.csv:3", "'right' here and 'left' at", "leave one of the rows out"], listed("both.csv", HEAD + ROW + ROW.replace("left", "right"))),
    ("a list of zeros", 1, ["zeros.csv", "zero bytes", "save the list as text"], listed("zeros.csv", bytes(4096))),
    ("videos that are nowhere", 1, ["nowhere.csv", "no usable clip among 2 rows", "gone.mp4: no such file", "check its path"], listed("nowhere.csv", "path,label\ngone.mp4,left\nlost.mp4,right\n")),
    ("pool and test are one", 1, ["test.csv:2", "one source video", "keep all clips of it on one side"], run(good, *sets("data.pool.csv=test.csv"))),
    ("a class nobody teaches", 1, ["up.csv:2", "unknown label 'up'", "the classes are left, right"], run(good, *sets(f"data.test.csv={put('videos/up.csv', HEAD + ROW.replace('left', 'up')).name}"))),
    ("more rounds than clips", 1, ["arm ", "exceed the pool's", "lower rounds or budget"], run(good, *sets("budget=500"))),
    # lists of other tools
    ("a letter", 1, ["letter.txt", "no known format", "--format NAME"], imports("letter.txt", "dear reader\n")),
    ("videos beside the classes", 1, ["beside/a.mp4", "CLASS/VIDEO"], ["import", given / "beside", "--quiet"]),
    ("a folder without videos", 1, ["given/empty", "no video below it", "CLASS/VIDEO"], ["import", given / "empty", "--quiet"]),
    ("a video as list", 2, [".mp4", "a video", "give the folder"], ["import", video, "--quiet"]),
    ("Label Studio, cut off", 1, ["cut.json", "line 1, column", "may be cut off"], imports("cut.json", '[{"id": 1, "data": {"video": "a.mp4"}, "annotations": [')),
    ("Label Studio's JSON-MIN", 1, ["min.json", "JSON-MIN", "export from Label Studio as JSON"], imports("min.json", '[{"video": "a.mp4", "annotation_id": 3, "annotator": 1}]')),
    ("Label Studio's CSV", 1, ["studio.csv:1", "loses spans", "export from Label Studio as JSON"], imports("studio.csv", "annotation_id,annotator,lead_time,video\n1,1,2.5,a.mp4\n")),
    ("no task", 1, ["no.json", "no list of tasks", "export from Label Studio as JSON"], imports("no.json", "[]")),
    ("tasks without an answer", 1, ["open.json", "1 without an answer", "timelinelabels"], imports("open.json", '[{"id": 1, "data": {"video": "a.mp4"}, "annotations": []}]')),
    ("brackets in Label Studio", 1, ["deep.json", "nested deeper than", "check that it is the right file"], imports("deep.json", "[" * 100000)),
    ("CVAT, cut off", 1, ["cut.xml:", "no XML", "export from CVAT again"], imports("cut.xml", "<annotations><track label='a'>")),
    ("CVAT for images", 1, ["images.xml", "no track and no tag", "label the video in CVAT"], imports("images.xml", "<annotations><meta><task><source>a.mp4</source></task></meta></annotations>")),
    ("CVAT's frame in words", 1, ["frame.xml:2", "frame is 'one'", "export from CVAT again"], imports("frame.xml", "<annotations><meta><task><source>a.mp4</source></task></meta>\n<track label='a'><box frame='one' outside='0'/></track></annotations>")),
    ("CVAT with entities", 1, ["bomb.xml", "defines entities", "export from CVAT again"], imports("bomb.xml", "<!DOCTYPE annotations [<!ENTITY a 'x'>]><annotations><track/></annotations>")),
    ("Kinetics without times", 1, ["kinetics.csv:1", "needs a column time_start"], imports("kinetics.csv", "label,youtube_id\na,x\n")),
    ("Kinetics' seconds in words", 1, ["late.csv:2", "time_start is 'late'", "write seconds"], imports("late.csv", "label,youtube_id,time_start,time_end,split\na,x,late,10,train\n")),
    ("folders of frames", 1, ["frames.txt:1", "folders of frames", "give the list of the videos"], imports("frames.txt", "a 120 0\nb 90 1\n")),
    ("a class without name", 1, ["class.txt:2", "class number 7", "there are 2 class names", "--classes"], imports("class.txt", "a.mp4 0\nb.mp4 7\n", "--classes", put("names.txt", "left\nright\n"))),
    ("names that are nowhere", 1, ["names.csv", "no such file", "check the path"], imports("mm.txt", "a.mp4 0\nb.mp4 1\n", "--classes", "names.csv")),
    ("videos elsewhere", 1, ["else.txt", "none of its 1 videos lies in", "--videos names their folder"], imports("else.txt", "gone.mp4 0\n")),
    ("half an expression for groups", 2, ["--group", "has no partner", "write one such as"], imports("group.txt", "a.mp4 0\nb.mp4 1\n", "--group", "(p[0-9]+")),
    ("a store that is none, after import", 1, ["not a store", "name another file with --store"], imports("store.txt", "a.mp4 0\nb.mp4 1\n", "--store", f"sqlite:{put('text.db', 'dear reader ' * 100)}")),
    # models
    ("no model", 1, ["absent.safetensors", "no such file", "check the path"], predicts("absent.safetensors")),
    ("results as model", 1, ["given/run", "a folder", "name a file"], predicts(given / "run")),
    ("an empty model", 1, ["nothing.safetensors", "an empty file", "is it the right one?"], predicts(put("models/nothing.safetensors"))),
    ("a letter as model", 1, ["letter.safetensors", "text, no safetensors", "give a .safetensors file"], predicts(put("models/letter.safetensors", "dear reader, this is no model\n"))),
    ("a description as model", 1, ["side.json", "JSON text, no safetensors", "give a .safetensors file"], predicts(put("models/side.json", '{"model": "x"}\n'))),
    ("a video as model", 1, [".mp4: no model", "the model stands before the videos"], ["predict", video, model]),
    ("a file of PyTorch", 1, ["model.pt", "PyTorch", "safetensors.torch.save_file"], predicts(put("models/model.pt", pytorch))),
    ("a pickle", 1, ["model.pth", "PyTorch", "safetensors.torch.save_file"], predicts(put("models/model.pth", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M" + bytes(100)))),
    ("a model that was cut", 1, ["cut.safetensors", "the file is cut or damaged", "copy it again"], predicts(given / "models/cut.safetensors")),
    ("a model with a flipped bit", 1, ["flipped.safetensors", "checksum differs", "copy it or train it again"], predicts(given / "models/flipped.safetensors")),
    ("a model of NaN", 1, ["nan.safetensors", "NaN or infinite", "copy it or train it again"], predicts(given / "models/nan.safetensors")),
    ("a model without description", 1, ["bare.json", "missing", "the .json written beside it"], predicts(given / "models/bare.safetensors")),
    ("a type that is none", 1, ["type.safetensors", "dtype F99", "convert the file to F32"], predicts(given / "models/type.safetensors")),
    ("a broken description", 1, ["broken.json", "ends too early", "may be cut off"], predicts(given / "models/broken.safetensors")),
    ("another's description", 1, ["other.json", "not the description", "put back the right one"], predicts(given / "models/other.safetensors")),
    ("a number of classes", 1, ["number.json", "\"classes\"", "a list of texts"], predicts(given / "models/number.safetensors")),
    ("an ONNX file that is none", 1, ["text.onnx", "no ONNX file", "distal export"], predicts(given / "onnx/text.onnx")),
    ("an ONNX file that was cut", 1, ["cut.onnx", "cut off", "copy it again"], predicts(given / "onnx/cut.onnx")),
    ("an empty ONNX file", 1, ["empty.onnx", "an empty file", "is it the right one?"], predicts(given / "onnx/empty.onnx")),
    ("an .xml that is none", 1, ["text.xml", "no <net> in it", "distal export"], predicts(given / "onnx/text.xml")),
    ("an .xml without its .bin", 1, ["alone.xml", "alone.bin", "missing", "copy both files"], predicts(given / "onnx/alone.xml")),
    ("an ONNX file alone", 1, ["bare.onnx.json", "missing", "lies beside it"], predicts(given / "onnx/bare.onnx")),
    ("export of what was exported", 1, ["text.onnx", "no safetensors", "give a .safetensors file"], ["export", given / "onnx/text.onnx", "--out", "m.onnx"]),
    ("weights that are nowhere", 1, ["w.safetensors", "no such file", "check the path"], run(good, *sets("student.model.init=w.safetensors"))),
    ("weights of another network", 1, ["init", "bare.safetensors", "give weights of this backbone"], run(good, *sets(f"student.model.init={given / 'models/bare.safetensors'}"))),
    # videos
    ("no video", 1, ["gone.mp4: no such file", "check its path"], predicts(model, "gone.mp4")),
    ("a page as video", 1, ["page.mp4: not a video", "remove it from the list"], predicts(model, given / "page.mp4")),
    ("sound", 1, ["sound.wav", "no video stream (1 audio stream)", "remove it from the list"], ["probe", given / "sound.wav"]),
    ("a folder as video", 1, ["given/empty: not a file", "name a video file", "1 of 1 files cannot be used"], ["probe", given / "empty"]),
    ("a pipe as video", 1, ["given/pipe: not a file", "name a video file"], ["probe", given / "pipe"]),
    ("a name with an escape", 1, ["escape.[31m.mp4: not a video", "remove it from the list"], ["probe", given / "escape\x1b[31m.mp4"]),
    ("a video as list of videos", 1, [".mp4", "zero bytes", "save the list as text"], ["predict", model, "--list", video, "--quiet"]),
    ("an output to nowhere", 1, ["nowhere/out.csv", "cannot be written", "check that the folder exists"], predicts(model, video, "--out", "nowhere/out.csv")),
    ("an output to a pipe", 1, ["given/pipe", "device, pipe or socket", "name a file"], predicts(model, video, "--out", given / "pipe")),
    ("copies of nothing", 1, ["nowhere: no such folder", "name that of the lists"], ["shrink", "nowhere", "--out", "copies"]),
    ("copies without a list", 1, ["given/empty", "no list (.csv) in it", "distal import makes them"], ["shrink", given / "empty", "--out", "copies"]),
    ("copies over the videos", 2, ["--out is the folder of the videos", "copies want one of their own"], ["shrink", videos, "--out", videos]),
    ("a list that is not there", 1, ["videos/absent.csv", "no such file", "path,label"], ["shrink", videos, "--out", "copies", "--list", "absent.csv"]),
    # arrays
    ("select of nothing", 2, ["--count N, or --seconds S"], ["select"]),
    ("how many there are", 2, ["select needs to know the clips", "--pool"], selects("--count", "5")),
    ("fewer than none", 2, ["--count", "'-5' is no number 0 or more"], selects("--count", "-5", "--pool", "10")),
    ("more than the world", 2, ["--pool", "from 0 to 100000000"], selects("--count", "5", "--pool", "9000000000000000000")),
    ("a strategy that is none", 2, ["bagde", "did you mean badge?"], selects("--count", "2", "--pool", "9", "--strategy", "bagde")),
    ("what the strategy needs", 2, ["badge also needs", "--embeddings"], selects("--count", "2", "--strategy", "badge", "--logits", logits)),
    ("rows that do not fit", 2, ["--logits has 4 rows and --embeddings has 5", "in one order"], selects("--count", "2", "--strategy", "badge", "--logits", logits, "--embeddings", embeddings)),
    ("a letter as array", 1, ["letter.npy", "no .npy file", "numpy.save"], selects("--count", "2", "--logits", put("letter.npy", "dear reader\n"))),
    ("an array that was cut", 1, ["cut.npy", "cut off", "copy or save it again"], selects("--count", "2", "--logits", npy("cut.npy", (4, 2), [1.0]))),
    ("an array of one dimension", 1, ["flat.npy", "2 dimensions are wanted"], selects("--count", "2", "--logits", npy("flat.npy", (4,), [1.0] * 4))),
    ("an array of objects", 1, ["objects.npy", "numbers of type", "astype('float32')"], selects("--count", "2", "--logits", npy("objects.npy", (4, 2), [1.0] * 8, dtype="|O"))),
    ("an array by columns", 1, ["fortran.npy", "Fortran order", "numpy.ascontiguousarray"], selects("--count", "2", "--logits", npy("fortran.npy", (4, 2), [1.0] * 8, order="True"))),
    ("an array of structures", 1, ["fields.npy", "header"], selects("--count", "2", "--logits", npy("fields.npy", (), [1.0], header="{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"))),
    ("logits as probabilities", 2, ["minus.npy", "row 0", "below 0", "give them as --logits"], selects("--count", "2", "--probabilities", npy("minus.npy", (2, 2), [-1.0, 2.0] * 2))),
    ("per cent", 2, ["cent.npy", "row 0", "these are per cent", "divide them by 100"], selects("--count", "2", "--probabilities", npy("cent.npy", (2, 2), [40.0, 60.0] * 2))),
    ("scores of NaN", 1, ["row 1", "is not finite", "leave the clip out"], selects("--count", "1", "--strategy", "margin", "--logits", npy("nan.npy", (2, 2), [1.0, 2.0, float("nan"), 1.0]))),
    ("a pipe as array", 1, ["given/pipe", "device, pipe or socket", "write it to a file first"], selects("--count", "2", "--logits", given / "pipe")),
    ("picks to nowhere", 1, ["nowhere/p.npy", "cannot be written", "check that the folder exists"], ["select", "--count", "2", "--pool", "9", "--out", "nowhere/p.npy"]),
    # results
    ("a run that is nowhere", 1, ["given/nowhere: no such folder", "give the folder of a run"], ["report", given / "nowhere"]),
    ("a folder without a run", 1, ["given/empty/report.json", "no finished run here", "distal run writes it"], ["report", given / "empty"]),
    ("a page as run", 1, ["report.html", "no finished run here", "distal run writes it"], ["report", given / "run" / "report.html"]),
    ("a run that was cut", 1, ["runs/cut/report.json", "line ", "may be cut off"], ["report", given / "runs/cut"]),
    ("an empty run", 1, ["runs/none/report.json", "empty", "copy or write it again"], ["report", given / "runs/none"]),
    ("a run of the future", 1, ["runs/other/report.json", "format 7", "write it again"], ["report", given / "runs/other"]),
    ("a list as run", 1, ["runs/list/report.json", "format 0", "write it again"], ["report", given / "runs/list"]),
    ("cells in words", 1, ["runs/word/report.json", "cells is \"none\" instead of a list", "write it again"], ["report", given / "runs/word"]),
    ("one run twice", 2, ["given twice", "name each run once"], ["report", given / "run", given / "run"]),
    ("a page to nowhere", 1, ["nowhere/r.html", "cannot be written", "check that the folder exists"], ["report", given / "run", "--out", "nowhere/r.html"]),
    ("a page over a folder", 1, ["given/empty", "cannot be replaced", "name another file"], ["report", given / "run", "--out", given / "empty"]),
    ("a page into a pipe", 1, ["given/pipe", "device, pipe or socket", "name a file"], ["report", given / "run", "--out", given / "pipe"]),
    ("results into a file", 1, ["given/good.yaml", "cannot be made", "name another"], ["run", good, "--data", videos, "--out", good, "--threads", "1", "--quiet"]),
    ("results over others", 1, ["given/run", "results of another recipe", "give another --out"], ["run", good, "--data", videos, "--out", given / "run", "--threads", "1", "--quiet"]),
    ("results of a broken recipe", 1, ["runs/recipe", "cannot be read", "give another --out"], ["run", good, "--data", videos, "--out", given / "runs/recipe", "--threads", "1", "--quiet"]),
    ("a demo in a file", 1, ["good.yaml", "name another"], ["demo", "--out", good, "--threads", "1", "--quiet"]),
    ("a demo in a folder with a colon", 1, ["given/good.yaml/a: b", "cannot be made", "name another"], ["demo", "--out", good / "a: b", "--threads", "1", "--quiet"]),
    # new
    ("a recipe over another", 1, ["exists.yaml", "exists", "--force"], ["new", given / "exists.yaml", "--data", videos]),
    ("a recipe to nowhere", 1, ["nowhere/r.yaml", "there is no folder nowhere", "make it first"], ["new", "nowhere/r.yaml", "--data", videos]),
    ("a recipe for nothing", 1, ["train.csv", "no such file", "path,label"], ["new", "r.yaml", "--data", given / "empty"]),
    ("a recipe for few", 1, ["train.csv", "usable clips", "five a class", "add some"], ["new", "r.yaml", "--data", videos, "--quiet"]),
    ("weights to start from", 2, ["--init absent.safetensors", "missing", "mobilenet_v2"], ["new", "r.yaml", "--data", videos, "--init", "absent.safetensors"]),
    ("a store without lists", 1, ["run.db", "no import has written lists", "distal import"], ["new", "r.yaml", "--store", f"sqlite:{given / 'run.db'}"]),
    # stores
    ("a path as store", 1, ["store results.db", "not a store URL", "sqlite:distal.db"], run(good, "--store", "results.db")),
    ("a server as store", 1, ["postgresql:", "no PostgreSQL", "use sqlite:PATH"], run(good, "--store", "postgresql://localhost/distal")),
    ("a store without name", 1, ["store sqlite:", "no file named", "sqlite:distal.db"], run(good, "--store", "sqlite:")),
    ("a folder as store", 1, ["given/empty", "a directory", "name a file in it"], run(good, "--store", f"sqlite:{given / 'empty'}")),
    ("a plan with a path as store", 1, ["store results.db", "not a store URL", "sqlite:distal.db"], run(good, "--dry-run", "--store", "results.db")),
    ("a plan into a file", 1, ["good.yaml/out: cannot be made", "is no folder", "give another --out"], ["run", good, "--data", videos, "--dry-run", "--quiet", "--out", good / "out"]),
    ("a store in no folder", 1, ["nowhere", "does not exist", "mkdir -p"], run(good, "--store", "sqlite:nowhere/s.db")),
    ("a pipe as store", 1, ["given/pipe", "device, pipe or socket", "name a file"], run(good, "--store", f"sqlite:{given / 'pipe'}")),
    ("a letter as store", 1, ["letter.db", "not a store", "name another file with --store"], run(good, "--store", f"sqlite:{put('letter.db', 'dear reader ' * 100)}")),
    ("a video as store", 1, [".mp4", "not a store", "name another file with --store"], run(good, "--store", f"sqlite:{video}")),
    ("another program's store", 1, ["others.db", "belongs to another program", "--store"], run(good, "--store", database("others.db", "create table t (x)", "pragma application_id = 7"))),
    ("a newer store", 1, ["newer.db", "version 999", "use a newer distal"], run(good, "--store", database("newer.db", "create table t (x)", "pragma user_version = 999", f"pragma application_id = {0x6473746c}"))),
    ("a damaged store", 1, ["damaged.db", "restore a copy"], run(good, "--store", f"sqlite:{given / 'damaged.db'}")),
    # teachers
    ("a teacher without a path", 2, ["oracle.kind = model needs oracle.path"], run(good, *sets("oracle.kind=model"))),
    ("a teacher without an address", 2, ["oracle.kind = http needs oracle.url", "http://host:8000/v2/models/NAME"], run(good, *sets("oracle.kind=http"))),
    ("a teacher that is nowhere", 1, ["gone.safetensors", "no such file", "check the path"], run(good, *sets("oracle={kind: model, path: gone.safetensors}"))),
    ("a letter as teacher", 1, ["good.yaml", "not a TorchScript file", "torch.jit.trace"], run(good, *sets(f"oracle={{kind: torchscript, path: {good}}}"))),
    ("an archive as teacher", 1, ["model.pt", "damaged, cut off", "torch.jit.trace"], run(good, *sets(f"oracle={{kind: torchscript, path: {given / 'models/model.pt'}}}"))),
    ("a program from strangers", 2, ["oracle.path", "--untrusted refuses", "use oracle.kind model, network or http"], run(good, "--untrusted", *sets("oracle={kind: torchscript, path: t.pt}"))),
    ("half an address", 1, ["oracle.url = 'localhost:8000'", "http://host:8000/v2/models/NAME"], run(good, *sets("oracle={kind: http, url: 'localhost:8000'}"))),
    ("nobody at the address", 1, [f"127.0.0.1:{closed}", "start the server, or correct oracle.url"], run(good, *sets(f"oracle={{kind: http, url: 'http://127.0.0.1:{closed}/v2/models/m', retries: 0}}"))),
    ("a login at the address", 1, ["/v2/models/m", "a web page", "open the address in a browser"], run(good, *sets(f"oracle={{kind: http, url: 'http://127.0.0.1:{page.server_port}/v2/models/m', retries: 0}}"))),
    ("a token that is not set", 1, ["NO_SUCH_TOKEN", "oracle.token_env", "export it"], run(good, *sets(f"oracle={{kind: http, url: 'http://127.0.0.1:{page.server_port}/v2/models/m', token_env: NO_SUCH_TOKEN}}"))),
    # benches
    ("a bench without its list", 1, ["train.csv", "no such file", "path,label"], ["bench", "decode", "--data", given / "empty"]),
    ("a bench of no clip", 2, ["--clips", "'0' is no number 1 or more"], ["bench", "score", "--data", videos, "--clips", "0"]),
]

# A run that is refused once its folder is made leaves the folder with its recipe, and an empty store.
LEFT = {"out/recipe.yaml", "out/threads.json", "distal.db", "distal.db-wal", "distal.db-shm"}


def wrong_with(input):
    """What is wrong with the answer to it, with the answer; empty: nothing."""
    number, (name, code, words, arguments) = input
    work = place / f"work-{number}"
    work.mkdir()
    try:
        answer = subprocess.run([program, *map(str, arguments)], capture_output=True, timeout=60, cwd=work, env=environment, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"{name}: no answer in 60 s"
    said = answer.stdout.decode("utf-8", "surrogateescape") + answer.stderr.decode("utf-8", "surrogateescape")
    left = {str(file.relative_to(work)) for file in work.rglob("*") if not file.is_dir()} - LEFT
    wrong = [f"exit {answer.returncode}, not {code}"] if answer.returncode != code else []
    wrong += [f"no '{word}'" for word in words if word not in said]
    wrong += [f"'{word}' of a library" for word in FOREIGN if word in said]
    wrong += ["a control character"] if CONTROL.search(said) else []
    wrong += ["not one complaint"] if len(re.findall("^distal: ", answer.stderr.decode("utf-8", "replace"), re.MULTILINE)) != 1 else []
    wrong += [f"left: {sorted(left)}"] if left else []
    if os.environ.get("SAY_ALL"):
        print(f"{name} [{answer.returncode}]: {said.strip()[:600]}")
    return f"{name}: {'; '.join(wrong)}: {said.strip()[:600]!r}" if wrong else ""


before = with_files(given)
with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as workers:
    failed = [line for line in workers.map(wrong_with, enumerate(INPUTS)) if line]
page.shutdown()
require(not failed, f"{len(failed)} of {len(INPUTS)}:\n" + "\n".join(failed))
changes = set(with_files(given)) ^ set(before)
require(not changes, f"what was given stays as it was: {sorted(changes)}")
print(f"{len(INPUTS)} clumsy inputs, each with place, what and cure")
