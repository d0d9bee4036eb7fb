"""A pool with files broken in many ways: the run ends well, its report names each that cannot be used with its reason, those that still show
something do no harm, none of them takes more memory; and a deadline that videos miss is a reason like any other."""

import io
import json
import os
import random
import resource
import struct
import wave
import zlib

from small import Place, require

noise = random.Random(2)


def boxes(data):
    at = 0
    while at + 8 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at : at + size]
        at += size


def index_first(data):
    """The same MP4 with its index (moov) before the pictures (mdat), so that a part of it can be played."""
    parts = dict(boxes(data))
    moov = bytearray(parts[b"moov"])
    at = moov.index(b"stco") + 8  # where the chunks of pictures lie in the file
    (count,) = struct.unpack(">I", moov[at : at + 4])
    for place in range(at + 4, at + 4 + 4 * count, 4):
        (offset,) = struct.unpack(">I", moov[place : place + 4])
        moov[place : place + 4] = struct.pack(">I", offset + len(moov))
    return parts[b"ftyp"] + bytes(moov) + b"".join(box for name, box in boxes(data) if name not in (b"ftyp", b"moov"))


def with_noise(data, start, end):
    return data[:start] + noise.randbytes(end - start) + data[end:]


def sound():
    file = io.BytesIO()
    with wave.open(file, "wb") as tone:
        tone.setnchannels(1)
        tone.setsampwidth(2)
        tone.setframerate(8000)
        tone.writeframes(noise.randbytes(16000))
    return file.getvalue()


def manifest(names):
    """A DASH manifest, which reads another file: itself without end, or any of the machine."""
    return (f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S" minBufferTime="PT1S" '
            f'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1000">'
            f'<BaseURL>{names}</BaseURL><SegmentBase/></Representation></AdaptationSet></Period></MPD>').encode()


def huge_picture(side):
    """A PNG of `side` squared, a few hundred kB that would be hundreds of MB."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    rows = zlib.compress(bytes(side * (3 * side + 1)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def most_memory():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of any run so far, kB


place = Place()
first = place.run("clean", "--set", "seeds=1")
require(first.returncode == 0, "the clean run ends: " + first.stderr)
clean_kb = most_memory()

videos = place.path / "videos"
rows = (videos / "pool.csv").read_text().splitlines()
good = (videos / rows[1].split(",")[0]).read_bytes()
label = rows[1].split(",")[1]
playable = index_first(good)
pictures = playable.index(b"mdat") + 4  # where they begin

at = good.index(b"mdat")
broken = {
    "zero": b"",
    "text": b"this is no video\n" * 50,
    "head": good[:100],
    "half": good[: len(good) // 2],
    "noise": noise.randbytes(20000),
    "json": b'{"video": null}',
    "hollow": good[:40] + b"\0" * (at - 40) + good[at:] if at > 60 else good[: at + 4] + b"\0" * (len(good) - at - 4),
    "sound": sound(),
    "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nzero.mp4\n#EXT-X-ENDLIST\n",
    "manifest": manifest("manifest.mp4"),
    "reader": manifest(rows[2].split(",")[0]),
    "concat": f"ffconcat version 1.0\nfile {rows[2].split(',')[0]}\n".encode(),
    "huge": huge_picture(9000),
    "indexed": playable[:pictures],  # the whole index and no picture
}
damaged = {  # a part of each can be shown
    "cut": playable[: pictures + (len(playable) - pictures) * 6 // 10],
    "overwritten": with_noise(playable, pictures + (len(playable) - pictures) * 5 // 10, pictures + (len(playable) - pictures) * 7 // 10),
}
for name, content in (broken | damaged).items():
    (videos / f"{name}.mp4").write_bytes(content)
(videos / "folder.mp4").mkdir()
os.symlink("nowhere.mp4", videos / "link.mp4")
named = [*broken, "folder", "link", "missing"]
(videos / "pool.csv").write_text("\n".join(rows + [f"{name}.mp4,{label},{name}" for name in [*named, *damaged]]) + "\n")

run = place.run("broken", "--set", "seeds=1", "--set", "data.synthetic=null")
require(run.returncode == 0, "the run ends over broken files: " + run.stderr)
report = json.loads((place.path / "broken" / "report.json").read_text())
reasons = {os.path.basename(video["path"]): video["reason"] for video in report["quarantined"]}
page = (place.path / "broken" / "report.html").read_text()
for name in named:
    require(reasons.get(f"{name}.mp4"), f"{name}.mp4 is named with a reason; named are {sorted(reasons)}")
    require(f"{name}.mp4" in page, f"the page names {name}.mp4")
require("no video stream (1 audio stream)" in reasons["sound.mp4"], "a file of sound alone is called that: " + reasons["sound.mp4"])
for name in ("manifest", "reader", "concat", "playlist"):
    require("not a video (it reads as" in reasons[f"{name}.mp4"], f"{name}.mp4 is not followed: " + reasons[f"{name}.mp4"])
require("9000 x 9000" in reasons["huge.mp4"] and "67 megapixels" in reasons["huge.mp4"], "a limit is said: " + reasons["huge.mp4"])
for name in damaged:
    require(f"{name}.mp4" not in reasons, f"what is left of {name}.mp4 is used: {reasons.get(f'{name}.mp4')}")
require(set(reasons) == {f"{name}.mp4" for name in named}, f"nothing else is named: {sorted(reasons)}")
require(most_memory() <= 1.2 * clean_kb, f"broken files take no more memory: {most_memory()} kB, {clean_kb} without them")

# Videos that take too long are set aside; where too few are left the run says so. How many miss a millisecond is the machine's affair.
hurried = place.run("hurried", "--set", "seeds=1", "--set", "data.synthetic=null", "--set", "input.deadline_s=0.001", "--set",
                    f"cache.folder={place.path / 'hurried-frames'}")
if hurried.returncode == 0:
    report = json.loads((place.path / "hurried" / "report.json").read_text())
    late = [video for video in report["quarantined"] if os.path.basename(video["path"]) not in reasons]
    require(all("(deadline)" in video["reason"] for video in late), f"who came late is named so: {late}")
else:
    says_so = any(word in hurried.stderr for word in ("be read", "exceed", "usable"))
    require(hurried.returncode == 1 and says_so, f"a run without videos says so: {hurried.returncode} {hurried.stderr}")
print(f"{len(named)} broken files, each named; {len(damaged)} damaged ones used; {most_memory() // 1024} MB at most, {clean_kb // 1024} without them")
