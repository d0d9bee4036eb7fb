"""Copies of videos: made once, continued after a stop, quick to read; bad videos cost themselves alone; lists hold for the copies."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from small import Place, require

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")


def shrink(*arguments, code=0, says=""):
    run = subprocess.run([sys.argv[1], "shrink", *map(str, arguments), "--quiet"], capture_output=True, text=True, timeout=300, cwd=place.path)
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {run.stderr or run.stdout}")
    require(says in run.stderr + run.stdout, f"{arguments}: says '{run.stderr.strip() or run.stdout}', not '{says}'")
    return run.stdout


def rows(path):
    return list(csv.DictReader(path.open()))


run = place.run("out", "--set", "seeds=1", "--dry-run")
run = place.run("out", "--set", "seeds=1", "--set", "data.synthetic.size_px=96")
require(run.returncode == 0, "the small recipe runs: " + run.stderr)
videos, copies = place.path / "videos", place.path / "copies"
count = len({row["path"] for name in ("train", "pool", "test") if (videos / f"{name}.csv").exists() for row in rows(videos / f"{name}.csv")})

first = rows(videos / "test.csv")[0]["path"]
shutil.move(videos / first, place.path / "aside.mp4")
(videos / first).write_text("no video\n")
shutil.copy(place.path / "aside.mp4", videos / "other.mkv")  # an .mp4 inside, by content a video all the same
(videos / "more.csv").write_text(f'label,path,note\nleft,other.mkv,"a, b"\nleft,{first},\n')

require(f"would make {count + 1} copies" in shrink(videos, "--out", copies, "--dry-run") and not copies.exists(), "a dry run says what it would do and writes nothing")
(copies / "sub").mkdir(parents=True)
theirs = [copies / "sub" / name for name in ("report.20240101.tmp", "b.mp4.99999999.part", "c.mp4.distal-1-12345678.tmp")]
for file in theirs:
    file.write_text("mine")
made = json.loads(shrink(videos, "--out", copies, "--short-side", 32, "--gop", 4, "--json"))
require(all(file.read_text() == "mine" for file in theirs), "files of others stay, whatever they are called")
require((made["made"], made["kept"], [bad["path"] for bad in made["bad"]]) == (count, 0, [first]), f"all but the bad one: {made}")
require(made["bytes_after"] < made["bytes_before"] and made["read_videos"] > 0 and made["read_after_s"] > 0, f"and what was gained: {made}")
require(rows(copies / "more.csv") == [{"label": "left", "path": "other.mkv.mp4", "note": "a, b"}], "lists name the copies, with every column")
require([row["path"] for row in rows(copies / "test.csv")] == [row["path"] for row in rows(videos / "test.csv")][1:], "and leave out what has none")

again = json.loads(shrink(videos, "--out", copies, "--short-side", 32, "--gop", 4, "--json"))
require((again["made"], again["kept"]) == (0, count), f"nothing twice: {again}")
shutil.copy(place.path / "aside.mp4", videos / first)
require(json.loads(shrink(videos, "--out", copies, "--short-side", 32, "--gop", 4, "--json"))["made"] == 1, "a video that was mended is made up for")
require(first in [row["path"] for row in rows(copies / "test.csv")], "and stands in its list again")

# Damage is said each time, also of a video that has its copy.
hurt = place.path / "hurt"
hurt.mkdir()
pictures = bytearray((videos / "other.mkv").read_bytes())
middle = (pictures.index(b"mdat") + pictures.index(b"moov")) // 2
pictures[middle:middle + 2500] = bytes(2500)
(hurt / "a.mp4").write_bytes(pictures)
(hurt / "l.csv").write_text("path,label\na.mp4,left\n")
for kept, more in ((0, "--json"), (1, "--json"), (1, None)):
    said = shrink(hurt, "--out", place.path / "from hurt", *filter(None, [more]))
    require("damaged, and what can be read of it is used" in said if more is None else (json.loads(said)["kept"], len(json.loads(said)["damaged"])) == (kept, 1), f"damage is said: {said}")

# Names of files come from anywhere.
(videos / "\x1b]0;PWNED\x07.mp4").write_text("no video\n")
(videos / "evil.csv").write_text("path,label\nother.mkv,left\n\x1b]0;PWNED\x07.mp4,left\n")
said = shrink(videos, "--out", place.path / "evil", "--list", "evil.csv", says="made 1 copy, 0 there already, 1 video cannot be read")
require(".]0;PWNED..mp4" in said and "\x1b" not in said and "\x07" not in said, f"a name is said in printable characters: {said}")
(videos / "evil.csv").unlink()

# Without times of its own (the pictures alone, as cameras export them) it is copied all the same; what cannot be read costs itself alone.
if shutil.which("ffmpeg"):
    mixed = place.path / "mixed"
    mixed.mkdir()
    shutil.copy(videos / "other.mkv", mixed / "z.mkv")
    subprocess.run(["ffmpeg", "-v", "error", "-i", videos / "other.mkv", "-c:v", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", mixed / "raw.mp4"], check=True)
    (mixed / "m.mp4").write_text('<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>')
    (mixed / "l.csv").write_text("path,label\nraw.mp4,left\nm.mp4,left\nz.mkv,left\n")
    for kept in (0, 2):
        made = json.loads(shrink(mixed, "--out", place.path / "from mixed", "--json"))
        require((made["made"], made["kept"], [bad["path"] for bad in made["bad"]]) == (2 - kept, kept, ["m.mp4"]), f"each video for itself: {made}")
    require([row["path"] for row in rows(place.path / "from mixed" / "l.csv")] == ["raw.mp4", "z.mkv.mp4"], "and the lists are made")
    (mixed / "raw.csv").write_text("path,label\nraw.mp4,left\n")
    said = shrink(mixed, "--out", place.path / "from mixed", "--list", "raw.csv")
    require(said.endswith(f"{place.path / 'from mixed' / 'raw.csv'}\n"), f"and said, also where no video can be timed: {said}")
else:
    print("raw streams are not tried: the command ffmpeg is missing")

# Stopped half-way, continued by the same command.
process = subprocess.Popen([sys.argv[1], "shrink", str(videos), "--out", str(place.path / "cut"), "--threads", "1", "--quiet"], stderr=subprocess.PIPE, text=True)
while not list((place.path / "cut").rglob("*.mp4")) and process.poll() is None:
    time.sleep(0.01)
process.send_signal(signal.SIGTERM)
said = process.communicate(timeout=300)[1]
if process.returncode != 0:  # a quick machine may have been done
    require(process.returncode == 143 and "the same command continues" in said, f"a stop is a stop: {process.returncode} {said}")
    require(not list((place.path / "cut").rglob("*.distal-*")), "nothing half-written is left")
    there = len(list((place.path / "cut").rglob("*.mp4")))
    rest = json.loads(shrink(videos, "--out", place.path / "cut", "--json"))
    require(rest["kept"] == there and rest["kept"] + rest["made"] == count + 1, f"continues: {there} were there, {rest}")

shrink(videos, "--out", videos, code=2, says="copies want one of their own")
shrink(place.path / "nowhere", "--out", copies, code=1, says="no such folder")
shrink(copies / "videos" if (copies / "videos").is_dir() else place.path / "cache", "--out", place.path / "x", code=1, says="no list (.csv) in it")
(videos / "outside.csv").write_text("path,label\n../aside.mp4,left\n")
shrink(videos, "--out", copies, "--list", "outside.csv", code=1, says="lies outside")
(place.path / "file").write_text("")
shrink(videos, "--out", place.path / "file", "--list", "more.csv", code=1, says="file")
