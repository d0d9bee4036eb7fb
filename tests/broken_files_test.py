"""A pool with ten kinds of broken files: the run ends well and its report names each with its reason."""

import json
import os
import random

from small import Place, require

place = Place()
first = place.run("clean", "--set", "seeds=1")
require(first.returncode == 0, "the clean run ends: " + first.stderr)

videos = place.path / "videos"
rows = (videos / "pool.csv").read_text().splitlines()
good = (videos / rows[1].split(",")[0]).read_bytes()
label = rows[1].split(",")[1]
noise = random.Random(2)


def write(name, content):
    (videos / name).write_bytes(content)


write("zero.mp4", b"")
write("text.mp4", b"this is no video\n" * 50)
write("head.mp4", good[:100])
write("half.mp4", good[: len(good) // 2])
write("noise.mp4", noise.randbytes(20000))
write("json.mp4", b'{"video": null}')
at = good.index(b"mdat")
write("hollow.mp4", good[:40] + b"\0" * (at - 40) + good[at:] if at > 60 else good[: at + 4] + b"\0" * (len(good) - at - 4))
(videos / "folder.mp4").mkdir()
os.symlink("nowhere.mp4", videos / "link.mp4")
broken = ["zero", "text", "head", "half", "noise", "json", "hollow", "folder", "link", "missing"]
(videos / "pool.csv").write_text("\n".join(rows + [f"{name}.mp4,{label},{name}" for name in broken]) + "\n")

run = place.run("broken", "--set", "seeds=1", "--set", "data.synthetic=null")
require(run.returncode == 0, "the run ends over broken files: " + run.stderr)
report = json.loads((place.path / "broken" / "report.json").read_text())
reasons = {os.path.basename(video["path"]): video["reason"] for video in report["quarantined"]}
page = (place.path / "broken" / "report.html").read_text()
for name in broken:
    require(reasons.get(f"{name}.mp4"), f"{name}.mp4 is named with a reason; named are {sorted(reasons)}")
    require(f"{name}.mp4" in page, f"the page names {name}.mp4")
print(f"{len(broken)} broken files, each named")
