"""Videos drawn from a seed (container, codec, key flags, splices, cuts, edit lists, open and closed groups of pictures, B-frames, rates, truncated)
are read frame for frame and time for time as ffmpeg's command line decodes them from front to back, in order and each frame alone; or refused
with a reason. `--count N --seed S` draws others than the suite does, `--keep FOLDER` keeps what was wrong.

Frames carry their number as eight bars, so that a wrong frame is not taken for a coded one. A frame that stands in for a patched one of a damaged
file is compared with the one it shows. Where ffmpeg's own times do not ascend, ours must ascend and stay within a millisecond of them or go on."""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

WIDTH, HEIGHT = 64, 48
COMPLAINTS = re.compile(r"slice end not reached|concealing|rror while decoding")
CUT_SHORT = re.compile(r"corrupt input packet")
FAR = 6  # mean difference of a frame beyond which it is another one: two scalers, and chroma of 4:2:0


def paint(count, width, height, first=0):
    """RGB frames: eight bars say the number, a red square moves, corners are saturated."""
    out = bytearray()
    bar, ground = height // 4, bytearray()
    for y in range(height - bar):
        for x in range(width):
            ground += bytes((64 + (x // 8 * 37 + y // 8 * 11) % 128, 64 + (x // 8 * 19 + y // 8 * 53) % 128, 120))
    for number in range(first, first + count):
        row = b"".join(bytes((v, v, v)) * ((k + 1) * width // 8 - k * width // 8) for k in range(8) for v in (235 if number >> k & 1 else 20,))
        frame = bytearray(row * bar + ground)
        at = number * 5 % (width - 10)
        for y in range(height // 2, height // 2 + 8):
            begin = 3 * (y * width + at)
            frame[begin : begin + 24] = bytes((240, 40, 40)) * 8
        out += frame
    return bytes(out)


def number_of(frame, width, height):
    number = 0
    for k in range(8):
        left, right = int((k + 0.35) * width / 8), int((k + 0.65) * width / 8) + 1
        bright = [frame[3 * (y * width + x) + 1] for y in range(height // 16 + 1, height // 5) for x in range(left, right)]
        number |= (sum(bright) > 128 * len(bright)) << k
    return number


def far_apart(one, other):
    return sum(abs(a - b) for a, b in zip(one[::5], other[::5])) / (len(one) / 5)


def ffmpeg(*arguments, data=None):
    return subprocess.run(["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-y", "-threads", "1", *map(str, arguments)], input=data, capture_output=True).returncode == 0


# ---- what is drawn: codec, its options, its containers (a name's ending; ps, frag and raw ones by format).
X264, X265 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "4", "-pix_fmt", "yuv420p"], ["-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
CODECS = {
    "h264": (12, X264, "mp4 mov mkv ts avi flv h264 mpg frag"),
    "hevc": (6, X265, "mp4 mkv ts hevc frag"),
    "mpeg4": (5, ["-c:v", "mpeg4", "-q:v", "2"], "mp4 avi mkv m4v ts"),
    "xvid": (1, ["-c:v", "libxvid", "-q:v", "2"], "avi mp4"),
    "mpeg2": (4, ["-c:v", "mpeg2video", "-q:v", "2"], "ts mpg vob mkv m2v"),
    "mpeg1": (1, ["-c:v", "mpeg1video", "-q:v", "2"], "mpg m1v"),
    "vp8": (2, ["-c:v", "libvpx", "-b:v", "2M", "-crf", "4", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "8", "-auto-alt-ref", "1"], "webm mkv ivf"),
    "vp9": (2, ["-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "8", "-deadline", "realtime", "-cpu-used", "8", "-lag-in-frames", "8"], "webm mkv mp4 ivf"),
    "av1": (1, ["-c:v", "libsvtav1", "-preset", "12", "-crf", "10"], "mp4 mkv ivf obu"),
    "h263": (1, ["-c:v", "h263", "-q:v", "2"], "h263 3gp"),
    "flv1": (1, ["-c:v", "flv1", "-q:v", "2"], "flv mkv"),
    "wmv2": (1, ["-c:v", "wmv2", "-q:v", "2"], "wmv avi"),
    "msmpeg4": (1, ["-c:v", "msmpeg4", "-q:v", "2"], "avi mkv"),
    "mjpeg": (2, ["-c:v", "mjpeg", "-q:v", "2"], "avi mov mkv mjpeg"),
    "raw": (1, ["-c:v", "rawvideo", "-pix_fmt", "bgr24"], "avi mkv mov"),
    "palette": (1, ["-c:v", "rawvideo", "-pix_fmt", "pal8"], "avi mov"),
    "ffv1": (1, ["-c:v", "ffv1"], "mkv avi"),
    "png": (1, ["-c:v", "png"], "mov mkv"),
    "qtrle": (1, ["-c:v", "qtrle"], "mov"),
    "zmbv": (1, ["-c:v", "zmbv"], "avi"),
    "theora": (1, ["-c:v", "libtheora", "-q:v", "9"], "ogv"),
    "gif": (1, [], "gif"),
    "prores": (1, ["-c:v", "prores_ks"], "mov"),
}
INTER = {"h264", "hevc", "mpeg4", "mpeg2", "vp8", "vp9", "av1"}
ENDS = {"ps": "mpg", "frag": "mp4"}
TWICE = {"ts", "mpg", "vob", "h264", "hevc", "m2v", "m1v", "m4v", "h263", "mjpeg"}  # files of these put together are one


class Drawn:
    def __init__(self, folder, seed):
        self.folder, self.dice = folder, random.Random(seed)
        dice = self.dice
        self.codec = dice.choices(list(CODECS), [row[0] for row in CODECS.values()])[0]
        _, self.options, containers = CODECS[self.codec]
        self.container = dice.choice(containers.split())
        self.count, self.rate = dice.randint(1, 6) if dice.random() < 0.06 else dice.randint(14, 60), dice.choice(["25", "25", "30000/1001", "12", "60", "500", "2000"])
        if self.codec in ("mpeg1", "mpeg2") and self.rate not in ("25", "30000/1001", "60"):
            self.rate = "25"
        if self.rate in ("500", "2000") and self.codec in ("mpeg4", "xvid", "flv1", "h263", "wmv2", "msmpeg4"):
            self.rate = "50"
        if self.codec == "h263":
            self.rate = "30000/1001"
        self.size = (176, 144) if self.codec == "h263" else (WIDTH, HEIGHT)
        self.gop, self.b, self.open_gop = dice.choice([1, 5, 8, 12, 12, 30, 250]), dice.choice([0, 0, 2, 3]), dice.random() < 0.4
        self.steps = []
        self.cover = False  # the second video stream is one picture
        self.gap = False  # some seconds are missing, as where packets were lost

    def name(self, stem):
        return self.folder / f"{stem}.{ENDS.get(self.container, self.container)}"

    def coding(self):
        options = [*self.options]
        if self.codec in INTER | {"flv1", "h263", "wmv2", "msmpeg4", "xvid", "theora", "mpeg1", "qtrle", "zmbv", "ffv1"}:
            options += ["-g", str(self.gop)]
        if self.codec == "h264":
            options += ["-bf", str(self.b), "-x264-params", f"open-gop={int(self.open_gop)}:scenecut=0:b-pyramid={self.dice.choice(['none', 'normal', 'strict'])}"]
        elif self.codec == "hevc":
            options += ["-x265-params", f"log-level=none:keyint={max(self.gop, 2)}:min-keyint={max(self.gop, 2)}:open-gop={int(self.open_gop)}:bframes={self.b}:crf=6"]
        elif self.codec in ("mpeg4", "mpeg2", "mpeg1", "xvid"):
            options += ["-bf", str(min(self.b, 2))]
            if self.codec == "mpeg2" and not self.open_gop:
                options += ["-flags", "+cgop", "-sc_threshold", "1000000000"]
        if self.codec == "h264" and self.dice.random() < 0.1:
            options += ["-flags", "+ildct+ilme", "-x264opts", "tff=1"]
            self.steps.append("interlaced")
        return options

    def encode(self, path, first, count, more=()):
        width, height = self.size
        filters = []
        if self.dice.random() < 0.15:
            filters = ["-vf", self.dice.choice(["select='not(eq(mod(n,7),3))'", "setpts='if(gt(N,9),PTS+3/TB,PTS)'"]), "-vsync", "vfr"]
            self.steps.append("variable")
        if self.codec in ("palette", "gif"):
            filters = ["-filter_complex", "split[a][b];[a]palettegen[p];[b][p]paletteuse"]
        form = {"frag": ["-movflags", "frag_keyframe+empty_moov+default_base_moof"], "m4v": ["-f", "m4v"], "mjpeg": ["-f", "mjpeg"], "vob": ["-f", "vob"]}.get(self.container, [])
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", self.rate, "-i", "-"]
        return ffmpeg(*source, *filters, *self.coding(), *form, *more, path, data=paint(count, width, height, first))

    def make(self):
        path = self.name("v")
        if not self.encode(path, 0, self.count):
            return None
        dice, container = self.dice, self.container
        choices = [None] * 4 + ["cut tail"]
        choices += ["twice"] * 3 * (container in TWICE)
        choices += ["all key", "all key"] * (container in ("mp4", "mov", "mkv", "avi", "webm", "frag") and self.codec not in ("xvid",))
        choices += ["none key"] * (container in ("mkv", "avi", "webm"))
        choices += ["copy from", "copy from"] * (container in ("mp4", "mkv", "ts", "mov", "flv", "mpg"))
        choices += ["edits", "edits"] * (container in ("mp4", "mov"))
        choices += ["remux"] * (self.codec in ("h264", "hevc", "mpeg4", "mpeg2"))
        choices += ["parts"] * (self.codec in ("h264", "hevc"))
        choices += ["beside"] * (container in ("mp4", "mov", "mkv", "avi"))
        choices += ["turned"] * (self.codec == "h264" and container in ("mp4", "mkv", "ts", "mov"))
        step = dice.choice(choices)
        if step:
            self.steps.append(step)
            path = getattr(self, step.replace(" ", "_"))(path)
        return path

    def label(self):
        return f"{self.codec} in {self.container}, {self.count} frames, {self.rate}/s, gop {self.gop}{' open' if self.open_gop else ''}, b {self.b}: {', '.join(self.steps) or 'plain'}"

    # -- what happens to a file; each returns the new path, or None where ffmpeg cannot
    def cut_tail(self, path):
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * self.dice.uniform(0.4, 0.97))])
        return path

    def twice(self, path):
        other = self.name("other")
        if self.dice.random() < 0.5:
            self.size, self.open_gop = (80, 64) if self.dice.random() < 0.3 and self.codec != "h263" else self.size, not self.open_gop
        later = self.dice.choice([0, 0, 3, 30, 100]) if self.container in ("ts", "mpg", "vob") else 0
        if not self.encode(other, self.count, self.dice.randint(8, 30), ["-output_ts_offset", later] if later else []):
            return None
        both = [path.read_bytes(), other.read_bytes()]
        if later and self.dice.random() < 0.5:
            both.reverse()
        self.gap = later > 0
        if later:
            self.steps[-1] = f"twice, {later} s {'earlier' if both[1] == path.read_bytes() else 'later'}"
        path.write_bytes(b"".join(both))
        return path

    def parts(self, path):
        """Parameters that change in mid-stream, in sets as short as they come."""
        raw = "h264" if self.codec == "h264" else "hevc"
        parts, self.b = [], 0
        if self.codec == "h264" and self.dice.random() < 0.6:
            self.steps[-1] = "parts, baseline"
            self.options = [*X264, "-profile:v", "baseline"]
        for number, quality in enumerate([["-qp", "12"], ["-qp", "31"], ["-qp", "12"]]):
            part = self.folder / f"part{number}.{raw}"
            if not self.encode(part, 20 * number, 20, quality if self.codec == "h264" else []):
                return None
            parts.append(part.read_bytes())
        (self.folder / f"parts.{raw}").write_bytes(b"".join(parts))
        to = self.folder / f"parts.{self.dice.choice(['mp4', 'mkv', 'ts'])}"
        return to if ffmpeg("-fflags", "+genpts", "-r", "25", "-i", self.folder / f"parts.{raw}", "-c", "copy", to) else None

    def beside(self, path):
        """A second video stream of another codec and size, before or after."""
        other, to = self.folder / "other.avi", self.name("beside")
        codec, lasts_s = self.dice.choice(["mjpeg", "mpeg4", "png"]), self.dice.choice(["0.2", "2"])  # one picture or ten
        self.cover = lasts_s == "0.2" and codec != "mpeg4"
        self.steps[-1] = f"beside {codec} {lasts_s} s"
        if not ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=96x80:rate=5:duration={lasts_s}", "-c:v", codec, "-q:v", "2", other):
            return None
        maps = ["-map", "0", "-map", "1"] if self.dice.random() < 0.5 else ["-map", "1", "-map", "0"]
        return to if ffmpeg("-i", path, "-i", other, *maps, "-c", "copy", to) else None

    def copy_from(self, path):
        to = self.name("copied")
        return to if ffmpeg("-ss", f"{self.dice.uniform(0.05, 0.7) * self.count / eval(self.rate):.4f}", "-i", path, "-c", "copy", to) else None

    def remux(self, path):
        to = self.folder / f"remuxed.{self.dice.choice(['mp4', 'mkv', 'ts', 'mov', 'avi'])}"
        self.steps[-1] = f"remux to {to.suffix}"
        return to if ffmpeg("-fflags", "+genpts", "-i", path, "-c", "copy", to) else None

    def turned(self, path):
        to = self.name("turned")
        angle = self.dice.choice([90, 180, 270])
        done = ffmpeg("-i", path, "-c", "copy", "-bsf:v", f"h264_metadata=display_orientation=insert:rotate={angle}", to)
        return to if done else None

    def all_key(self, path, key=True):
        data = bytearray(path.read_bytes())
        if data[:4] == b"RIFF":
            at = data.rfind(b"idx1")
            for row in range(at + 8, at + 8 + struct.unpack_from("<I", data, at + 4)[0], 16):
                struct.pack_into("<I", data, row + 4, 0x10 if key else 0)
        elif data[4:8] == b"ftyp" and data.rfind(b"stss") > 0:
            at = data.rfind(b"stss")
            data[at : at + 4] = b"free"
        elif data[4:8] == b"ftyp":
            self.sync_fragments(data)
        else:
            self.flag_blocks(data, 0, len(data), key)
        path.write_bytes(data)
        return path

    def none_key(self, path):
        return self.all_key(path, key=False)

    @staticmethod
    def sync_fragments(data):
        """Clears sample_is_non_sync_sample in trex, tfhd and trun (ISO 14496-12)."""
        def clear(at):
            struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] & ~0x10000)
        for tag in (b"trex", b"tfhd", b"trun"):
            at = data.find(tag)
            while at >= 0:
                flags, p = struct.unpack_from(">I", data, at + 4)[0] & 0xFFFFFF, at + 8
                if tag == b"trex":
                    clear(p + 16)
                elif tag == b"tfhd":
                    p += 4 + 8 * bool(flags & 1) + 4 * sum(bool(flags & bit) for bit in (2, 8, 16))
                    if flags & 32:
                        clear(p)
                else:
                    (count,) = struct.unpack_from(">I", data, p)
                    p += 4 + 4 * bool(flags & 1)
                    if flags & 4:
                        clear(p)
                        p += 4
                    for _ in range(count):
                        p += 4 * bool(flags & 0x100) + 4 * bool(flags & 0x200)
                        if flags & 0x400:
                            clear(p)
                            p += 4
                        p += 4 * bool(flags & 0x800)
                at = data.find(tag, at + 4)

    @staticmethod
    def flag_blocks(data, at, end, key):
        """The key flag of each SimpleBlock of a Matroska file."""
        def number(p, mask):
            length = 1
            while not data[p] & (0x80 >> (length - 1)):
                length += 1
            value = int.from_bytes(data[p : p + length], "big")
            return value & ((1 << 7 * length) - 1) if mask else value, length
        while at < end:
            name, length = number(at, False)
            at += length
            size, length = number(at, True)
            at += length
            if name in (0x18538067, 0x1F43B675):
                Drawn.flag_blocks(data, at, min(end, at + size), key)
            elif name == 0xA3:
                data[at + 3] = data[at + 3] & 0x7F | 0x80 * key
            at += size

    def edits(self, path):
        """Plays one to three parts of the media, perhaps after a pause."""
        data = bytearray(path.read_bytes())

        def find(names, at=0, end=None):
            end = end or len(data)
            while at + 8 <= end:
                (size,) = struct.unpack_from(">I", data, at)
                if data[at + 4 : at + 8] == names[0]:
                    return (at, size) if len(names) == 1 else find(names[1:], at + 8, at + size)
                at += size
            return None

        track = [b"moov", b"trak"]
        scale = struct.unpack_from(">I", data, find([*track, b"mdia", b"mdhd"])[0] + 20)[0]
        movie = struct.unpack_from(">I", data, find([b"moov", b"mvhd"])[0] + 20)[0]
        list_at, old = find([*track, b"edts", b"elst"]), find([*track, b"edts"])
        if not list_at:
            return None
        begin = struct.unpack_from(">i", data, list_at[0] + 20)[0]
        length, parts = self.count / eval(self.rate), self.dice.randint(1, 3)
        rows = [struct.pack(">Iihh", round(0.2 * movie), -1, 1, 0)] * (self.dice.random() < 0.2)
        for _ in range(parts):
            start, lasts = self.dice.uniform(0, 0.6) * length, self.dice.uniform(0.2, 0.4) * length
            rows.append(struct.pack(">Iihh", max(1, round(lasts * movie)), begin + round(start * scale), 1, 0))
        self.steps[-1] = f"{parts} edits"
        elst = struct.pack(">I4sII", 16 + 12 * len(rows), b"elst", 0, len(rows)) + b"".join(rows)
        edts = struct.pack(">I4s", 8 + len(elst), b"edts") + elst
        grown = len(edts) - old[1]
        if data.find(b"moov") < data.find(b"mdat"):
            return None
        for names in ([b"moov"], track):
            at, size = find(names)
            struct.pack_into(">I", data, at, size + grown)
        path.write_bytes(data[: old[0]] + edts + data[old[0] + old[1] :])
        return path


def reference(path, stream=0):
    """What ffmpeg's command line decodes: frames, times in seconds, their size, whether it complains of their content, and of a packet that is cut short."""
    run = subprocess.run(["ffmpeg", "-nostdin", "-hide_banner", "-v", "info", "-i", str(path), "-map", f"0:V:{stream}", "-vsync", "passthrough", "-vf", "showinfo",
                          "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True)
    said = run.stderr.decode("latin-1")
    base = re.search(r"config in time_base: (\d+)/(\d+)", said)
    sizes = re.findall(r"rawvideo.*?, (\d+)x(\d+)[ ,]", said)
    if not base or not sizes:
        return [], [], (0, 0), True, False
    width, height = map(int, sizes[-1])
    tick_s = int(base[1]) / int(base[2])
    times = [None if t == "NOPTS" else int(t) * tick_s for t in re.findall(r"\] n: *\d+ pts: *(-?\d+|NOPTS)", said)]
    step = 3 * width * height
    frames = [run.stdout[at : at + step] for at in range(0, len(run.stdout) - step + 1, step)]
    return frames, times, (width, height), bool(COMPLAINTS.search(said)), bool(CUT_SHORT.search(said))


def judge(program, path, folder, seed, cut, drawn):
    """What is wrong, in words; what was read or why not."""
    run = subprocess.run([program, str(path), str(folder / "frames"), str(seed)], capture_output=True, text=True, timeout=600)
    if run.returncode != 0:
        return [f"exit {run.returncode}: {run.stderr[-200:]}"], {}
    read = json.loads(run.stdout)
    frames, times, size, complains, cut_short = reference(path)
    if "error" not in read and "beside" in str(path) and size != (read["width"], read["height"]):  # two videos in one file; covers and pictures are none
        frames, times, size, complains, cut_short = reference(path, stream=1)
    if drawn.cover and (read.get("width"), read.get("height")) == (96, 80):
        return ["a cover is taken for the video"], read
    if "error" in read:
        return ([] if read["error"].startswith(str(path) + ": ") else ["a refusal without its file: " + read["error"]]), read
    wrong = []
    width, height, count = read["width"], read["height"], read["frames"]
    if (width, height) != size or count != len(frames):
        return [f"frames {count} of {width}x{height}, ffmpeg {len(frames)} of {size}"], read
    step, data = 3 * width * height, (folder / "frames").read_bytes()
    turned = "turned" in str(path)
    for i in range(count):
        mine, theirs = data[i * step : (i + 1) * step], frames[read["shown"][i]]
        numbers = (0, 0) if turned else (number_of(mine, width, height), number_of(theirs, width, height))
        if numbers[0] != numbers[1] or far_apart(mine, theirs) > FAR:
            wrong.append(f"frame {i} shows {numbers[0]}, right {numbers[1]}, off by {far_apart(mine, theirs):.1f}")
    if any(shown != i for i, shown in enumerate(read["shown"])) and not read["damage"]:
        wrong.append("stand-ins in a file that is not called damaged")
    if read["damage"] and not cut and not drawn.gap and not complains:
        wrong.append("a sound file is called damaged")
    if cut and cut_short and not read["damage"]:
        wrong.append("a file that is cut short is not called damaged")
    if read["stray"] or read["fresh"]:
        wrong.append(f"alone otherwise than in order: {read['stray']} {read['fresh']}")
    mine = read["time_s"]
    if any(b <= a for a, b in zip(mine, mine[1:])):
        wrong.append("times do not ascend")
    ascend = len(times) == count and None not in times and all(b >= a for a, b in zip(times, times[1:]))
    if ascend:
        off = [abs(m - (t - times[0])) for m, t in zip(mine, times)]
        for i, t in enumerate(times):  # of frames that ffmpeg gives one time ours lie between that and the next
            later = next((n for n in times[i:] if n > t), t + times.count(t) * max(0.0015, 1 / eval(drawn.rate)))
            if times.count(t) > 1 and t - times[0] - 0.0015 <= mine[i] <= later - times[0] + 0.0015:
                off[i] = 0
        if max(off) > 0.0015:
            wrong.append(f"time of frame {off.index(max(off))} off by {max(off):.4f} s")
    read["compared times"] = ascend
    return wrong, read


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="video_frames, which the build makes")
    parser.add_argument("--count", type=int, default=28)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=pathlib.Path)
    arguments = parser.parse_args()
    if not shutil.which("ffmpeg"):
        print("skipped: the command ffmpeg is missing")
        return 0
    tally, reasons, bad, frames, untimed = collections.Counter(), collections.Counter(), 0, 0, 0
    for draw in range(arguments.seed * 100000, arguments.seed * 100000 + arguments.count):
        with tempfile.TemporaryDirectory(prefix="distal-drawn-") as name:
            folder = pathlib.Path(name)
            drawn = Drawn(folder, draw)
            path = drawn.make()
            if not path or not path.exists() or path.stat().st_size == 0:
                tally["not made"] += 1
                continue
            wrong, read = judge(arguments.program, path, folder, draw, "cut tail" in drawn.steps, drawn)
            if wrong:
                bad += 1
                print(f"draw {draw}: {drawn.label()}: {'; '.join(wrong[:4])} [{read.get('doubt', '')} {read.get('damage', '')}]", flush=True)
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, arguments.keep / f"{draw}{path.suffix}")
            elif "error" in read:
                tally["refused"] += 1
                reasons[re.sub(r"\d[\d.]*", "N", read["error"].removeprefix(str(path) + ": "))] += 1
            else:
                tally["by seeks" if read["seekable"] else "from the start"] += 1
                tally["damaged"] += bool(read["damage"])
                tally["with stand-ins"] += any(shown != i for i, shown in enumerate(read["shown"]))
                frames += read["frames"]
                untimed += not read["compared times"]
    made = arguments.count - tally["not made"]
    if made < 0.8 * arguments.count or tally["refused"] > 0.15 * made or frames == 0:
        bad += 1
        print(f"too few files were made and read: {made} made, {tally['refused']} refused, {frames} frames")
    print(f"{arguments.count} drawn: {bad} wrong; {dict(tally)}; {frames} frames right in order and alone; {untimed} files whose times ffmpeg does not give ascending")
    for reason, count in reasons.most_common():
        print(f"  refused {count}: {reason}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
