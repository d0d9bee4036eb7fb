"""CVAT's files, written and read by datumaro; bench/round_trips.py runs it in the virtual environment that has datumaro.

    python3 cvat_datumaro.py write TASKS.json FOLDER    for each task of what `distal ask --format cvat` wrote and an answer, FOLDER/NAME.xml
    python3 cvat_datumaro.py read FOLDER                prints what datumaro reads in FOLDER, as JSON

TASKS.json: {"labels": [...], "answers": [{"name", "label", "unsure", "note"}]}."""

import json
import pathlib
import sys

import datumaro
import numpy


def categories_of(labels):
    categories = datumaro.LabelCategories()
    for label in labels:
        categories.add(label, attributes={"unsure", "note"})
    return {datumaro.AnnotationType.label: categories}


def write(tasks, folder):
    """A subset is written as a task of its name. The tag lies on the middle one of three frames."""
    items = []
    for answer in tasks["answers"]:
        for frame in range(3):
            tags = []
            if frame == 1 and answer["label"]:
                tags = [datumaro.Label(tasks["labels"].index(answer["label"]), attributes={"unsure": answer["unsure"], "note": answer["note"]})]
            picture = datumaro.Image.from_numpy(data=numpy.zeros((4, 4, 3), dtype=numpy.uint8))
            items.append(datumaro.DatasetItem(id=f"{answer['name']}_{frame:06}", subset=answer["name"], media=picture, annotations=tags, attributes={"frame": frame}))
    dataset = datumaro.Dataset.from_iterable(items, categories=categories_of(tasks["labels"]), media_type=datumaro.Image)
    dataset.export(str(folder), "cvat", save_media=True)


def read(folder):
    dataset = datumaro.Dataset.import_from(str(folder), "cvat")
    labels = dataset.categories()[datumaro.AnnotationType.label]
    rows = []
    for item in dataset:
        for tag in item.annotations:
            rows.append({"name": item.subset, "frame": item.attributes["frame"], "label": labels[tag.label].name, "unsure": tag.attributes.get("unsure"),
                         "note": tag.attributes.get("note")})
    print(json.dumps(sorted(rows, key=lambda row: (row["name"], row["frame"]))))


if sys.argv[1] == "write":
    write(json.loads(pathlib.Path(sys.argv[2]).read_text()), pathlib.Path(sys.argv[3]))
else:
    read(pathlib.Path(sys.argv[2]))
