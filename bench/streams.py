"""A server, a pipe and a camera followed for a while, with three cuts each: bench/README.md.

  streams.py DISTAL FAKE_CAMERA_SO [--seconds 3600] [--rate 5] [--cuts 3] [--away 5]

The three run at the same time, 64 x 48 px at --rate pictures a second, with a model that this script trains on generated videos.
The RTSP server goes away for --away seconds at each cut, the camera is unplugged, and the program that writes to the pipe stops.
A window is the 16 frames of an answer. Lost are those of which a source sent all frames without a cut between them, and that have no answer.
"""

import argparse
import atexit
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

tests = pathlib.Path(__file__).resolve().parent.parent / "tests"
sys.path.insert(0, str(tests))
sys.dont_write_bytecode = True
from rtsp_server import RtspServer, access_units, encode  # noqa: E402
from small import Place  # noqa: E402

WINDOW = 16

parser = argparse.ArgumentParser()
parser.add_argument("distal")
parser.add_argument("camera")
parser.add_argument("--seconds", type=float, default=3600)
parser.add_argument("--rate", type=int, default=5)
parser.add_argument("--cuts", type=int, default=3)
parser.add_argument("--away", type=float, default=5)
options = parser.parse_args()
sys.argv[1] = options.distal

place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")
run = place.run("out", "--set", "seeds=1")
if run.returncode != 0:
    sys.exit(run.stderr)
model = place.path / "out" / "random.safetensors"


def resident_kb(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


class Followed:
    def __init__(self, name, source, env=None, stdin=subprocess.DEVNULL):
        self.name, self.memory = name, []
        self.out = place.path / (name + ".jsonl")
        self.process = subprocess.Popen([options.distal, "predict", str(model), source, "--stream", "--every", "--json", "--threads", "1"], stdin=stdin,
                                        stdout=open(self.out, "w"), stderr=open(place.path / (name + ".err"), "w"), env=env)
        atexit.register(self.process.kill)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.code = self.process.wait(60)
        self.lines = [json.loads(line) for line in self.out.read_text().splitlines()]

    def answers(self):
        """Of each unbroken part."""
        parts = [0]
        for line in self.lines:
            if line.get("event") == "gap":
                parts.append(0)
            parts[-1] += "class" in line
        return parts

    def report(self, sent):
        """`sent`: pictures of each unbroken part."""
        got = self.answers()
        wanted = [count // WINDOW for count in sent]
        # The last part was stopped by us: what was on its way then is no loss.
        lost = sum(max(0, a - b) for a, b in zip(wanted[:-1], got[:-1])) + max(0, wanted[-1] - got[-1] - 1)
        if len(got) != len(wanted):
            lost = f"{len(got)} parts, not {len(wanted)}"
        half = len(self.memory) // 2
        first, second = max(self.memory[half // 5 : half] or [0]), max(self.memory[half:] or [0])
        end = self.lines[-1]
        print(f"{self.name:8} exit {self.code}  cuts {len(got) - 1}  pictures {sum(sent):7}  windows {sum(wanted):6}  answers {sum(got):6}  lost beyond cuts {lost}  "
              f"dropped {end['dropped']}  damaged {end['damaged']}  memory, MB: most in the first half {first / 1024:.1f}, in the second {second / 1024:.1f}", flush=True)


encode(place.path / "shots.h264", 10 * options.rate, rate=options.rate, gop=options.rate)
server = RtspServer(access_units(place.path / "shots.h264"), options.rate)
raw, log, gone = place.path / "frames.yuyv", place.path / "taken.log", place.path / "gone"
subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48", "-frames:v", "50", "-pix_fmt", "yuyv422", "-f", "rawvideo", str(raw)], check=True, timeout=120)
writer = subprocess.Popen(["ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", f"testsrc=size=64x48:rate={options.rate}", "-c:v", "libx264", "-g", str(options.rate), "-bf", "0",
                           "-tune", "zerolatency", "-f", "mpegts", "-progress", str(place.path / "progress"), "-"], stdout=subprocess.PIPE)
env = {**os.environ, "LD_PRELOAD": options.camera, "FAKE_CAMERA": "/dev/video77", "FAKE_CAMERA_FRAMES": str(raw), "FAKE_CAMERA_RATE": str(options.rate),
       "FAKE_CAMERA_LOG": str(log), "FAKE_CAMERA_GONE": str(gone)}
atexit.register(writer.kill)
followed = [Followed("rtsp", server.address), Followed("pipe", "-", stdin=writer.stdout), Followed("camera", "/dev/video77", env=env)]
writer.stdout.close()


def cut():
    gone.touch()
    writer.send_signal(signal.SIGSTOP)
    server.cut(options.away)
    time.sleep(options.away)
    writer.send_signal(signal.SIGCONT)
    gone.unlink()


began = time.monotonic()
cuts = [threading.Timer(options.seconds * (i + 1) / (options.cuts + 1), cut) for i in range(options.cuts)]
for each in cuts:
    each.daemon = True
    each.start()
while time.monotonic() - began < options.seconds:
    time.sleep(2)
    for each in followed:
        each.memory.append(resident_kb(each.process.pid))
for each in cuts:
    each.join(120)

followed[0].stop()
server.cut(1e9)
followed[2].stop()
writer.send_signal(signal.SIGINT)
writer.wait(60)
followed[1].process.wait(60)
followed[1].stop()
written = int([line for line in (place.path / "progress").read_text().splitlines() if line.startswith("frame=")][-1].split("=")[1])
print(f"{options.seconds:g} s, {options.rate} pictures a second, {options.cuts} cuts of {options.away:g} s", flush=True)
followed[0].report(server.sent)
followed[1].report([written])
followed[2].report([int(line) for line in log.read_text().split()])
for each in followed:
    print(f"{each.name}: {(place.path / (each.name + '.err')).read_text()}")
