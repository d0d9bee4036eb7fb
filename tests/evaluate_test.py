"""`distal evaluate`: its numbers are scikit-learn's and scipy's on the same predictions (evaluate_check.py), labels and models meet by name, and what
cannot be used is said and counted."""

import csv
import io
import json
import os
import pathlib
import subprocess
import sys

from small import Place, require

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")


def distal(*arguments, code=0, says=""):
    run = subprocess.run([sys.argv[1], *map(str, arguments), "--quiet"], capture_output=True, text=True, timeout=300, cwd=place.path)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr or run.stdout}")
    require(says in run.stderr, f"{arguments}: says '{run.stderr.strip()}', not '{says}'")
    return run.stdout


def evaluate(*arguments, **expected):
    return distal("evaluate", *arguments, "--threads", 1, **expected)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def write(name, listed):
    (videos / name).write_text("\n".join(["path,label,group", *(",".join(row) for row in listed)]) + "\n")
    return videos / name


run = place.run("out", "--set", "seeds=1", "--set", "rounds=1", "--set", "teacher=~", "--set", "oracle={kind: truth}")
require(run.returncode == 0, "the small recipe runs: " + run.stderr)
first, second, videos = place.path / "out" / "random.safetensors", place.path / "out" / "margin.safetensors", place.path / "videos"
clips = [(row["path"], row["label"], f"patient {i // 4}") for i, row in enumerate(rows((videos / "pool.csv").read_text()))]
clips += [(row["path"], row["label"], f"patient {i % 5}") for i, row in enumerate(rows((videos / "test.csv").read_text()))]

# Another list: a label and a video that cannot be used, a row without a label, a row that stands twice.
(videos / "bad.mp4").write_text("no video\n")
elsewhere = write("elsewhere.csv", [*clips, ("bad.mp4", "left", "patient 1"), (clips[0][0], "", "patient 1"), clips[1]])
sideways = write("sideways.csv", [(path, "sideways" if i < 3 else label, group) for i, (path, label, group) in enumerate(clips)])

said = json.loads(evaluate(first, elsewhere, "--against", second, "--out", "found", "--json", says="bad.mp4"))
found = place.path / "found"
require(said == json.loads((found / "evaluation.json").read_text()), "--json prints the file")
require(len(said["unreadable"]) == 1 and said["unlabelled"] == 1 and said["duplicates"] == 1, f"what was left out is counted: {said['unreadable']}")
require(said["model"]["clips"] == len(clips) == said["paired"]["clips"], "every other clip counts")
predictions = rows((found / "predictions.csv").read_text())
require([(row["path"], row["label"], row["group"]) for row in predictions] == clips, "a row for each clip, in the order of the list")
right = sum(row["label"] == row["class"] for row in predictions)
require(said["model"]["right"] == right and said["model"]["scores"]["accuracy"] == right / len(clips), "accuracy is that of the rows")
require({group["group"]: group["clips"] for group in said["model"]["groups"]} ==
        {name: sum(clip[2] == name for clip in clips) for name in {clip[2] for clip in clips}}, "groups are those of the list")
page = (found / "evaluation.html").read_text()
require(all(f'id="{part}"' in page for part in ("scores", "against", "classes", "groups", "calibration", "data")), "the page has its sections")
require(evaluate(first, elsewhere, "--against", second, "--out", "again", "--json", says="bad.mp4").split('"command"')[0] ==
        (found / "evaluation.json").read_text().split('"command"')[0], "the same again")

# The predictions are those of predict, which says the accuracy of a labelled list too.
predicted = rows(distal("predict", first, "--list", sideways, "--threads", 1, says=" labelled clips, 95 %"))
require([row["class"] for row in predicted] == [row["class"] for row in predictions], "predict says the same")

# Labels that the model does not know are named and counted.
text = evaluate(first, sideways, "--out", "sideways")
require("3 clips of 1 label that the model does not know: sideways (3)" in text, text)
unknown = json.loads((place.path / "sideways" / "evaluation.json").read_text())["model"]
require(unknown["clips"] == len(clips) - 3 and unknown["unknown_labels"] == [{"label": "sideways", "clips": 3}], f"counted: {unknown['unknown_labels']}")
require(unknown["accuracy_unknown_labels_wrong"] == unknown["right"] / len(clips), "where they count as wrong")
require(sum(row["correct"] == "" for row in rows((place.path / "sideways" / "predictions.csv").read_text())) == 3, "and predicted all the same")

# Any file that predict takes.
distal("export", first, "--out", "model.onnx")
exported = json.loads(evaluate("model.onnx", elsewhere, "--out", "exported", "--json", says="bad.mp4"))["model"]
require(abs(exported["scores"]["log_loss"] - said["model"]["scores"]["log_loss"]) < 1e-3, f"an export is measured alike: {exported['scores']}")

# Wrong input says what and how.
for arguments, says in (((first, write("others.csv", [(path, "nobody", group) for path, _, group in clips])), "no label of the list is one of its classes"),
                        ((first, write("silent.csv", [(path, "", group) for path, _, group in clips])), "no row has a label"),
                        ((first, videos / "absent.csv"), "absent.csv"), (("absent.safetensors", elsewhere), "absent.safetensors"),
                        ((first, write("broken.csv", [("bad.mp4", "left", "x")])), "no labelled clip of the list could be read")):
    evaluate(*arguments, "--out", "refused", code=1, says=says)
require(not (place.path / "refused").exists(), "what is refused leaves nothing")

# scikit-learn and scipy, where some Python here has them.
check = pathlib.Path(__file__).with_name("evaluate_check.py")
for python in (os.environ.get("DISTAL_TEST_PYTHON"), sys.executable, "/usr/bin/python3"):
    if python and subprocess.run([python, "-c", "import sklearn, scipy"], capture_output=True).returncode == 0:
        checked = subprocess.run([python, "-B", str(check), str(found)], capture_output=True, text=True)
        require(checked.returncode == 0, checked.stdout + checked.stderr)
        print(checked.stdout.strip())
        break
else:
    print("skipped: no Python here has scikit-learn and scipy, which `bash cmake/setup.sh test` installs")
print("models are evaluated")
