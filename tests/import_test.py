"""From a folder of videos, or another tool's list, to lists, a recipe and a plan; and finished runs side by side."""

import csv
import json
import os
import shutil
import subprocess
import sys

from small import Place, require

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")


def distal(*arguments, code=0, says=""):
    run = subprocess.run([sys.argv[1], *map(str, arguments)], capture_output=True, text=True, encoding="utf-8", timeout=300, cwd=place.path)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr or run.stdout}")
    require(says in run.stdout + run.stderr, f"{arguments}: says '{(run.stdout + run.stderr).strip()}', not '{says}'")
    return run.stdout


def imported(*arguments):
    return json.loads(distal("import", *arguments, "--store", store, "--json", "--quiet"))


# What import writes, run takes; and what a list holds is read or left out, every bit of it.
PLAIN = """
question: Does run take what import writes?
seeds: 1
data: {pool: {csv: train.csv}, test: {csv: test.csv}}
input: {sampling: {frames: 2}, size_px: 16, short_side_px: 18}
oracle: {kind: truth}
student: {model: {name: resnet3d, depth: 10, width: 4}, training: {steps: 2, batch_size: 2}}
start: 1
rounds: 1
budget: 1
arms: {random: {strategy: random}}
"""
(place.path / "plain.yaml").write_text(PLAIN)


def taken(folder, *more, code=0, says="", dry=True):
    return distal("run", "plain.yaml", "--data", folder, "--store", f"sqlite:{place.path / 'plain.db'}", "--out", place.path / "plain", "--threads", 1, "--quiet",
                  "--set", f"cache.folder={place.path / 'frames'}", *more, *(["--dry-run"] if dry else []), code=code, says=says)


def adds_up(found):
    for tally in found["tallies"]:
        require(tally["total"] == tally["read"] + sum(left["count"] for left in tally["left_out"]), f"{tally} adds up")
    use = next(tally for tally in found["tallies"] if tally["what"] == "rows to make clips of")
    require(use["read"] == found["clips"], f"the rows that are read are clips: {found}")
    if "rows" in (tally["what"] for tally in found["tallies"]):
        require(next(tally["read"] for tally in found["tallies"] if tally["what"] == "rows") == use["total"], f"each row that was read is accounted for: {found}")
    return found


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


for out in ("one", "two"):
    require(place.run(out, "--set", "seeds=1").returncode == 0, "the small recipe runs")
store = f"sqlite:{place.path / 'import.db'}"
made = [(place.path / "videos" / row["path"], row["label"]) for row in rows(place.path / "videos" / "pool.csv")]
lefts, rights = ([path for path, label in made if label == side] for side in ("left", "right"))


def lay(folder, name, video):
    (place.path / folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(video, place.path / folder / name)


# A tree: numbered files, a quarter of each class to test on.
tree = place.path / "tree"
for label, videos in (("left", lefts), ("right", rights)):
    for number, video in enumerate(videos[:16]):
        lay("tree", f"{label}/{number:03}.mp4", video)
distal("import", tree, "--store", store, "--dry-run", says="would write")
require(not (tree / "train.csv").exists() and not (place.path / "import.db").exists(), "a dry run writes nothing")
first = imported(tree)
train, test = rows(tree / "train.csv"), rows(tree / "test.csv")
require((first["clips"], first["lists"]["train"]["rows"], first["lists"]["test"]["rows"]) == (32, len(train), len(test)), f"the summary counts: {first}")
require(sorted(row["label"] for row in test) == ["left"] * 4 + ["right"] * 4, f"a quarter of each class is for testing: {test}")
require(not {row["group"] for row in train} & {row["group"] for row in test}, "no group stands on both sides")
require(imported(tree) == first, "the same import again changes nothing")
distal("import", tree, "--store", store, "--seed", 2, code=1, says="exists with other content")
distal("import", tree, "--store", store, "--seed", 2, "--force")

# The recipe that fits it is one that runs.
recipe = place.path / "fitted.yaml"
distal("new", recipe, "--store", store, "--quiet", says="next: distal run")
require("flip: 0}" in recipe.read_text(), "left and right are not flipped")
distal("new", recipe, "--data", tree, code=1, says="--force")
distal("run", recipe, "--store", store, "--dry-run", "--quiet", says="strategy margin")
distal("new", place.path / "none.yaml", "--data", place.path / "two", code=1, says="train.csv")
require(not (place.path / "none.yaml").exists(), "a recipe that cannot run is not written")

# Patients of whom each is in every class: whole patients, about a quarter of them.
for number in range(8):
    lay("patients", f"left/p{number}_a.mp4", lefts[number])
    lay("patients", f"right/p{number}_b.mp4", rights[number])
imported(place.path / "patients", "--group", "^(p[0-9])_")
require(len({row["group"] for row in rows(place.path / "patients" / "test.csv")}) == 2, "two of eight patients are for testing")
require(len(rows(place.path / "patients" / "test.csv")) == 4, "with all their videos")

# A copy under another name counts once; with other spans it goes where the video goes.
for number in range(4):
    lay("copies", f"left/{number}.mp4", lefts[number])
    lay("copies", f"right/{number}.mp4", rights[number])
lay("copies", "left/again.mp4", lefts[0])
require(adds_up(imported(place.path / "copies"))["duplicates"] == 1, "copies are counted")
(place.path / "copies" / "spans.csv").write_text("path,label,start_frame,end_frame\nleft/0.mp4,a,0,3\nleft/again.mp4,b,4,9\nleft/1.mp4,a,,\nleft/2.mp4,b,,\n")
found = imported(place.path / "copies" / "spans.csv", "--lists", place.path / "copies" / "lists")
require(any("copies of it" in note for note in found["notes"]) and found["groups"] == 3, f"copies share a group: {found}")

# Lists of other tools; the videos lie elsewhere, one is missing.
lists = place.path / "lists"
lists.mkdir()
(lists / "names.txt").write_text("left\nright\n")
(lists / "mm.txt").write_text("".join(f"left/{n:03}.mp4 0\nright/{n:03}.mp4 1\n" for n in range(9)) + "left/absent.mp4 0\n")
found = imported(lists / "mm.txt", "--videos", tree, "--classes", lists / "names.txt", "--lists", lists / "mm")
require((found["format"], found["classes"], found["missing"]) == ("mmaction2", {"left": 9, "right": 9}, 1), f"MMAction2: {found}")
require(os.path.isabs(rows(lists / "mm" / "test.csv")[0]["path"]), "videos that are not below the lists are named in full")

for number in range(4):
    lay("ucf", f"Left/v_Left_g0{number}_c01.avi", lefts[number])
(lists / "trainlist01.txt").write_text("".join(f"Left/v_Left_g0{n}_c01.avi 1\n" for n in range(3)))
(lists / "testlist01.txt").write_text("Left/v_Left_g03_c01.avi\n")
found = imported(lists / "testlist01.txt", "--videos", place.path / "ucf")
require((found["format"], found["lists"]["train"]["rows"], found["lists"]["test"]["rows"]) == ("ucf101", 3, 1), f"UCF101: {found}")

(lists / "export.json").write_text(json.dumps([{"id": n, "data": {"video": f"/data/upload/1/0123abcd-{n:03}.mp4"}, "annotations": [{"result": [
    {"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 6}], "timelinelabels": ["begin"]}},
    {"type": "timelinelabels", "value": {"ranges": [{"start": 7, "end": 12}], "timelinelabels": ["end"]}}]}]} for n in range(4)]))
found = imported(lists / "export.json", "--videos", tree / "left", "--lists", lists / "spans")
require((found["format"], found["classes"]) == ("labelstudio", {"begin": 4, "end": 4}), f"Label Studio: {found}")
spans = rows(lists / "spans" / "train.csv")[:2]
require([(row["start_frame"], row["end_frame"]) for row in spans] == [("0", "5"), ("6", "11")], f"frames from 1 become frames from 0: {spans}")
(lists / "notes.txt").write_text("dear reader\n")
distal("import", lists / "notes.txt", code=1, says="import reads tree, csv, kinetics")
distal("import", lists / "mm.txt", code=1, says="--videos names their folder")

# Every format: what import writes, run takes. Rows that give no clip, and classes that only the test side has, are left out and counted.
every = place.path / "every"
every.mkdir()
for number in range(4):
    lay("every", f"v{number}.mp4", lefts[number])
    lay("every", f"w{number}.mp4", rights[number])


def every_format(name, text, *more):
    (every / name).write_text(text)
    out = place.path / "written" / name
    found = adds_up(imported(every / name, "--lists", out, *more))
    taken(out)
    return found


def xml(body, source="v0.mp4"):
    return f"<annotations><meta><task><source>{source}</source></task></meta>{body}</annotations>"


every_format("own.csv", "path;label;start_s;end_s\r\nv0.mp4;a;0;0.2\r\nv0.mp4;a;0;0.2\r\nv1.mp4;b;;\r\nv2.mp4;a;;\r\nw1.mp4;b;0,5;1\r\n".replace("0,5", "0.5"))
found = every_format("kinetics.csv", "label,youtube_id,time_start,time_end,split\na,v0,0,10,train\nb,v0,500,510,train\nc,v1,0,10,train\na,w0,0,10,val\nd,w1,0,10,val\n,w2,0,1,train\na,gone,0,1,val\n")
require(found["classes"] == {"a": 2, "c": 1, "d": 1} and any("left out of test.csv" in note and note.endswith("d") for note in found["notes"]), f"Kinetics: {found}")
every_format("mm.txt", "".join(f"v{n}.mp4 0\nw{n}.mp4 1\n" for n in range(4)))
frames = lambda label, start, end: {"type": "timelinelabels", "value": {"ranges": [{"start": start, "end": end}], "timelinelabels": [label]}}
seconds = lambda label, start, end: {"type": "labels", "value": {"start": start, "end": end, "labels": [label]}}
choice = lambda *labels: {"type": "choices", "value": {"choices": list(labels)}}
box = {"type": "videorectangle", "value": {"sequence": [], "labels": ["Car"]}}
tasks = [("v0", [frames("a", 1, 3), box]), ("v1", [seconds("a", 0, 0.2)]), ("v2", [choice("b")]), ("w0", [choice("b")]), ("w1", [frames("a", 2, 9)]), ("w2", [choice("a", "b")]), ("w3", [])]
export = json.dumps([{"id": n, "data": {"video": f"{video}.mp4"}, "annotations": [{"result": result}]} for n, (video, result) in enumerate(tasks)])
found = every_format("both.json", export)
require([(tally["what"], tally["total"], tally["read"]) for tally in found["tallies"][:2]] == [("tasks", 7, 5), ("regions", 7, 5)], f"Label Studio counts: {found}")
body = "".join(f'<track label="{label}"><box frame="{frame}" outside="0"/><box frame="{frame + 2}" outside="1"/></track>' for label, frame in (("a", 0), ("b", 3), ("a", 5), ("b", 8)))
found = adds_up(imported(every / "own.csv"))  # no lists of a list of ours
(every / "one_line.xml").write_text(xml(body))
found = adds_up(imported(every / "one_line.xml", "--lists", place.path / "written" / "cvat"))
require(found["clips"] == 4 and "test" not in found["lists"], f"one video in CVAT has no other side: {found}")

# One clip, two labels: refused with both, in a list, under two names, from Label Studio, and from list to list.
distal("import", every / "own.csv", "--store", store)
for name, text in (("two.csv", "path,label\nv0.mp4,cat\nv1.mp4,dog\nv0.mp4,dog\n"),
                   ("two.json", json.dumps([{"id": 1, "data": {"video": "v0.mp4"}, "annotations": [{"result": [frames("cat", 1, 9), frames("dog", 1, 9)]}]}])),
                   ("two.xml", xml('<track label="cat"><box frame="1"/></track><track label="dog"><box frame="1"/></track>'))):
    (every / name).write_text(text)
    distal("import", every / name, "--store", store, "--quiet", code=1, says="has the label 'dog' here and 'cat' at")
lay("two", "cat/a.mp4", lefts[0])
lay("two", "dog/b.mp4", lefts[0])
distal("import", place.path / "two", "--store", store, "--quiet", code=1, says=f"({place.path}/two/cat/a.mp4 has the same content)")
lay("meet", "a.mp4", lefts[0])
for number in range(1, 4):
    lay("meet", f"{number}.mp4", lefts[number])
meet = place.path / "meet"
(meet / "train.csv").write_text("path,label\na.mp4,cat\n1.mp4,dog\n")
(meet / "start.csv").write_text("path,label\na.mp4,dog\n2.mp4,cat\n")
(meet / "test.csv").write_text("path,label\n3.mp4,cat\n")
taken(meet, "--set", "data.start.csv=start.csv", code=1, says="start.csv:2: ")
taken(meet, "--set", "data.start.csv=start.csv", code=1, says="has the label 'dog' here and 'cat' at")

# One source on both sides: by content, by its name as a group. Groups that lists say tell files of one name apart.
for number in range(4):
    lay("sides", f"videos/VID7{number}.mp4", lefts[number])
    lay("sides", f"clips/{number}.mp4", rights[number])
    lay("sides", f"p{number}/1.mp4", (lefts + rights)[5 + number])
sides = place.path / "sides"
lay("sides", "copy.mp4", lefts[2])
(sides / "train.csv").write_text("path,label\nvideos/VID72.mp4,x\nvideos/VID73.mp4,y\n")
(sides / "test.csv").write_text("path,label,group\nclips/0.mp4,x,VID70\nclips/1.mp4,y,VID73\n")
taken(sides, code=1, says="test.csv:3 ")
taken(sides, code=1, says="group 'VID73') and ")
taken(sides, code=1, says="train.csv:3 ")
(sides / "test.csv").write_text("path,label,group\nclips/0.mp4,x,VID70\ncopy.mp4,x,VID74\n")
taken(sides, code=1, says="they have the same content")
(sides / "train.csv").write_text("path,label,group\np0/1.mp4,x,zero\np1/1.mp4,y,one\n")
(sides / "test.csv").write_text("path,label,group\np2/1.mp4,x,two\np3/1.mp4,y,three\n")
taken(sides)
(sides / "test.csv").write_text("path,label\nfull/1.mp4,x\n")
lay("sides", "full/1.mp4", rights[9])
(sides / "train.csv").write_text("path,label\np0/1.mp4,x\nclips/2.mp4,y\n")
taken(sides, code=1, says="their videos have one name, and a list does not say the group")

# Names that are no UTF-8: files by their bytes, classes as Windows-1252.
summer = os.fsdecode(b"\xe9t\xe9")
for number in range(3):
    lay("latin", f"{summer}/{os.fsdecode(b'caf')}{summer}{number}.mp4", lefts[number])
    lay("latin", f"b/{number}.mp4", rights[number])
latin = place.path / "latin"
found = adds_up(imported(latin))
require(found["classes"] == {"b": 3, "\u00e9t\u00e9": 3}, f"classes of names that are no UTF-8: {found}")
distal("import", latin, "--store", store, "--quiet", says="\u00e9t\u00e9")
first_name = os.fsencode(next(iter(sorted((latin / summer).iterdir()))))
probed = json.loads(distal("probe", "--json", os.fsdecode(first_name)))
require(probed["frames"] == 12 and "caf\ufffdt\ufffd0.mp4" in probed["path"], f"probe --json writes JSON: {probed}")
taken(latin, "--json", dry=False)
student = sorted((place.path / "plain").rglob("*.safetensors"))[0]
lines = [json.loads(line) for line in distal("predict", student, os.fsdecode(first_name), "--json", "--quiet").splitlines()]
require(len(lines) == 1 and lines[0]["class"] in ("b", "\u00e9t\u00e9"), f"predict writes JSON: {lines}")

# Expressions that backtracking never ends, and lists that are no files, end at once.
lay("long", "x/" + "a" * 60 + "!.mp4", lefts[0])
distal("import", place.path / "long", "--store", store, "--group", "^(a+)+$", "--dry-run", "--quiet", says="--group matches 0 of 1 rows")
os.mkfifo(place.path / "pipe.csv")
for path in ("pipe.csv", "/dev/zero"):
    distal("import", path, "--store", store, code=1, says="no regular file")

# Runs side by side: the same test set or none.
both = json.loads(distal("report", "one", "two", "--out", "both.html", "--json"))
arms = {cell["arm"] for cell in both["cells"]}
require(arms == {"one/random", "one/margin", "two/random", "two/margin"}, f"arms carry their run's name: {arms}")
require({cell.get("against") for cell in both["cells"] if cell["arm"] == "two/margin"} == {"two/random"}, "each run keeps its control")
require((place.path / "both.html").stat().st_size > 1000, "the page is there")
distal("report", "one", "one/", code=2, says="given twice")
for side in ("a", "b"):
    shutil.copytree(place.path / "one", place.path / side / "run")
arms = {cell["arm"] for cell in json.loads(distal("report", "a/run", "b/run", "--out", "both.html", "--json"))["cells"]}
require(arms == {"a/run/random", "a/run/margin", "b/run/random", "b/run/margin"}, f"runs of one name are told apart: {arms}")
for field, value in (("test_groups", lambda old: ["other"] + old[1:]), ("classes", lambda old: old[:1] + ["down"]), ("budget_unit", lambda old: "seconds"),
                     ("test_id", lambda old: old[::-1])):
    other = json.loads((place.path / "two" / "report.json").read_text())
    other[field] = value(other[field])
    (place.path / "b" / "run" / "report.json").write_text(json.dumps(other))
    distal("report", "one", "b/run", "--out", "refused.html", code=1, says="one and b/run differ in")
older = json.loads((place.path / "two" / "report.json").read_text())
del older["test_id"]
(place.path / "b" / "run" / "report.json").write_text(json.dumps(older))
notes = json.loads(distal("report", "one", "b/run", "--out", "both.html", "--json"))["notes"]
require(any("did not say which clips were tested" in note for note in notes), f"what could not be checked is said: {notes}")
twice = json.loads((place.path / "two" / "report.json").read_text())
twice["cells"].append(twice["cells"][0])
(place.path / "b" / "run" / "report.json").write_text(json.dumps(twice))
distal("report", "b/run", "--out", "refused.html", code=1, says="twice")
require(not (place.path / "refused.html").exists(), "what cannot be compared gives no page")
print("imported, fitted, planned, compared")
