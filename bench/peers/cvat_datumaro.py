"""CVAT's files, written and read by datumaro; bench/round_trips.py runs it in the virtual environment that has datumaro.

    python3 cvat_datumaro.py write TASKS.json FOLDER    for each task of what `distal ask --format cvat` wrote and an answer, FOLDER/NAME.xml
    python3 cvat_datumaro.py read EXPORT.xml            prints what datumaro reads in a project, as JSON: tags of images and boxes of tracks

TASKS.json: {"labels": [...], "answers": [{"name", "label", "ranges", "frames", "unsure", "note"}]}; label: null, or that of a tag; ranges: frames
from 0, both included, and a label, [[first, last, label], ...]."""

import json
import pathlib
import shutil
import sys
import tempfile
import xml.etree.ElementTree

import datumaro
import numpy


def categories_of(labels):
    categories = datumaro.LabelCategories()
    for label in labels:
        categories.add(label, attributes={"unsure", "note"})
    return {datumaro.AnnotationType.label: categories}


PICTURE = datumaro.Image.from_numpy(data=numpy.zeros((4, 4, 3), dtype=numpy.uint8))


def write(tasks, folder):
    """A subset is written as a task of its name. A tag lies on the middle one of three frames, a range has tags on all of its own."""
    items = []
    for answer in tasks["answers"]:
        words = {"unsure": answer["unsure"], "note": answer["note"]}
        for frame in range(answer["frames"] if answer["ranges"] else 3):
            names = [label for first, last, label in answer["ranges"] if first <= frame <= last]
            if frame == 1 and answer["label"]:
                names.append(answer["label"])
            tags = [datumaro.Label(tasks["labels"].index(name), attributes=words) for name in names]
            items.append(datumaro.DatasetItem(id=f"{answer['name']}_{frame:06}", subset=answer["name"], media=PICTURE, annotations=tags, attributes={"frame": frame}))
    dataset = datumaro.Dataset.from_iterable(items, categories=categories_of(tasks["labels"]), media_type=datumaro.Image)
    dataset.export(str(folder), "cvat", save_media=True)


def read(file):
    """datumaro wants a picture for each image that is named."""
    marks = {"tags": [], "boxes": []}
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        shutil.copy(file, place / "answers.xml")
        (place / "images").mkdir()
        for image in xml.etree.ElementTree.parse(file).iter("image"):
            with open(place / "images" / image.get("name"), "wb") as picture:
                PICTURE.save(picture, ext=".png")
        dataset = datumaro.Dataset.import_from(folder, "cvat")
        labels = dataset.categories()[datumaro.AnnotationType.label]
        for item in dataset:
            for one in item.annotations:
                row = {"frame": item.attributes["frame"], "label": labels[one.label].name, "unsure": one.attributes["unsure"], "note": one.attributes["note"]}
                if one.type == datumaro.AnnotationType.label:
                    marks["tags"].append(row)
                else:
                    marks["boxes"].append({**row, "track": one.attributes["track_id"], "outside": one.attributes["outside"]})
    print(json.dumps(marks))


if sys.argv[1] == "write":
    write(json.loads(pathlib.Path(sys.argv[2]).read_text()), pathlib.Path(sys.argv[3]))
else:
    read(sys.argv[2])
