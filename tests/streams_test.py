"""Where videos come from: folders, patterns, pictures, pipes, an RTSP server that goes away and comes back, a camera; and what is said meanwhile."""

import atexit
import contextlib
import csv
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from rtsp_server import RtspServer, access_units, encode
from small import Place, require

sys.argv[1:] = [os.path.abspath(path) for path in sys.argv[1:]]  # the program runs in a folder of its own
place = Place()
os.environ["XDG_CACHE_HOME"] = str(place.path / "cache")
PATIENCE_S = 120  # for whatever comes at once on an idle machine
ffmpeg = [shutil.which("ffmpeg"), "-nostdin", "-v", "error", "-y"]


def command(*arguments):
    return [sys.argv[1], "predict", str(model), *map(str, arguments), "--threads", "1"]


def predict(*arguments, code=0, says="", silent="\0", stdin=None, **more):
    run = subprocess.run(command(*arguments), capture_output=True, timeout=PATIENCE_S, cwd=place.path, input=stdin, **more)
    out, err = run.stdout.decode(), run.stderr.decode()
    require(run.returncode == code, f"{arguments}: exit {run.returncode}, not {code}: {err or out}")
    require(says in err and silent not in err, f"{arguments}: says '{err.strip()}', not '{says}'")
    return out


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def wait(what, enough):
    end = time.monotonic() + PATIENCE_S
    while not enough():
        require(time.monotonic() < end, f"{what}: not within {PATIENCE_S} s")
        time.sleep(0.01)


class Feeder:
    """Writes to a named pipe as soon as somebody reads it. It ends no later than the test."""

    def __init__(self, fifo, content, closes):
        self.fifo, self.content, self.closes, self.file = fifo, content, closes, None
        self.thread = threading.Thread(target=self.write, daemon=True)
        self.thread.start()

    def write(self):
        self.file = open(self.fifo, "wb", buffering=0)
        try:
            self.file.write(self.content)
        except BrokenPipeError:
            return  # the reader says why it left
        if self.closes:
            self.file.close()

    def written(self):
        self.thread.join(PATIENCE_S)
        require(not self.thread.is_alive(), f"{self.fifo}: not all of it was read within {PATIENCE_S} s")


class Follower:
    """A command whose lines are read as they come. It ends no later than the test."""

    def __init__(self, *arguments, env=None):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=place.path, env=env)
        atexit.register(self.process.kill)
        self.lines = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def error(self):
        self.errors.seek(0)
        return self.errors.read()

    def wait(self, what, enough):
        """Of a command that goes on."""
        end = time.monotonic() + PATIENCE_S
        while not enough(list(self.lines)):
            require(self.process.poll() is None, f"{what}: exit {self.process.returncode} before it; {self.lines[-5:]} {self.error()}")
            require(time.monotonic() < end, f"{what}: not within {PATIENCE_S} s; {self.lines[-5:]} {self.error()}")
            time.sleep(0.01)

    def end(self, code, stop=None):
        if stop:
            self.process.send_signal(stop)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            require(False, f"does not end within {PATIENCE_S} s; {self.lines[-5:]} {self.error()}")
        self.thread.join(PATIENCE_S)
        require(self.process.returncode == code, f"exit {self.process.returncode}, not {code}: {self.error()}")
        return self.error()


run = place.run("out", *(word for setting in ("seeds=1", "rounds=1", "teacher.training.steps=2", "student.training.steps=4", "arms.margin=")
                         for word in ("--set", setting)))
if run.returncode != 0:
    run = place.run("out", "--set", "seeds=1")
require(run.returncode == 0, "the small recipe runs: " + run.stderr)
model, videos = place.path / "out" / "random.safetensors", place.path / "videos"
paths = [row["path"] for row in rows((videos / "test.csv").read_text())][:3]

# Folders, patterns.
tree = place.path / "tree"
(tree / "deep").mkdir(parents=True)
for name, path in zip(("cam10.mp4", "cam9.mp4", "deep/x.mp4"), paths):
    shutil.copy(videos / path, tree / name)
named = rows(predict(*(tree / name for name in ("cam9.mp4", "cam10.mp4", "deep/x.mp4"))))
require(rows(predict(tree)) == named, "a folder is the videos in it and below, in the order of their numbers")
require(rows(predict(tree / "cam*.mp4")) == named[:2], "a pattern is what matches")
predict(place.path / "frames", code=1, says="no video in this folder")
predict(tree / "no*", code=1, says="no file matches")

# Pictures are the video that they were taken from.
pictures = place.path / "pictures"
pictures.mkdir()
film = place.path / "film.avi"
subprocess.run([*ffmpeg, "-f", "lavfi", "-i", "testsrc=size=64x48:rate=10", "-frames:v", "40", "-c:v", "mjpeg", "-q:v", "2", film], check=True, timeout=PATIENCE_S)
subprocess.run([*ffmpeg, "-i", film, "-c", "copy", pictures / "shot%d.jpg"], check=True, timeout=PATIENCE_S)  # shot1 .. shot40
(shown,) = rows(predict(pictures, "--picture_rate", 10, "--all"))
(filmed,) = rows(predict(film, "--all"))
require(shown == dict(filmed, path=str(pictures)), f"a folder of pictures is one video: {shown} {filmed}")
slow = rows(predict(pictures, "--picture_rate", 5, "--segment_s", 4))
require([(row["start_s"], row["end_s"]) for row in slow] == [("0.000", "4.000"), ("4.000", "8.000")], f"at the rate that is said: {slow}")
require(rows(predict(pictures, "--picture_rate", 10, "--stream", "--every", "--quiet")) == rows(predict(film, "--stream", "--every", "--quiet")), "in a stream too")
predict(pictures, code=2, says="say how many a second")
(pictures / "shot7.jpg").write_text("no picture")
(holed,) = rows(predict(pictures, "--picture_rate", 10, says="1 of 40 pictures left out: shot7.jpg"))
require("1 of 40 pictures left out" in holed["problem"], f"and in the row: {holed}")

# Pipes: what a file says.
tape = place.path / "tape.ts"
subprocess.run([*ffmpeg, "-f", "lavfi", "-i", "testsrc=size=64x48:rate=25", "-frames:v", "100", "-c:v", "libx264", tape], check=True, timeout=PATIENCE_S)
every = rows(predict(tape, "--stream", "--every", "--quiet"))
require(len(every) == 6, f"an answer each 16 frames: {every}")


def nearly(text, wanted):  # times in MPEG-TS are known before decoding, so they are the same
    found = rows(text)
    require([(row["time_s"], row["class"]) for row in found] == [(row["time_s"], row["class"]) for row in wanted], f"{found} {wanted}")
    require(all(abs(float(a["probability"]) - float(b["probability"])) < 1e-5 for a, b in zip(found, wanted)), f"{found} {wanted}")


nearly(predict("-", "--stream", "--every", "--quiet", stdin=tape.read_bytes()), every)
fifo = place.path / "fifo"
os.mkfifo(fifo)
writer = Feeder(fifo, tape.read_bytes(), closes=True)
nearly(predict(fifo, "--stream", "--every", "--quiet"), every)
writer.written()
(piped,) = rows(predict("-", "--all", stdin=tape.read_bytes()))
(whole,) = rows(predict(tape, "--all"))
require(piped == dict(whole, path="-"), f"a pipe without --stream is copied, and read as a file: {piped}")
with open(videos / paths[0], "rb") as redirected:  # a file may have its index at its end
    (said,) = rows(subprocess.run(command("-"), stdin=redirected, capture_output=True, text=True, timeout=PATIENCE_S).stdout)
require(said["class"] == rows(predict(videos / paths[0]))[0]["class"] and said["path"] == "-", f"stdin may be a file: {said}")
(refused,) = rows(predict("-", code=1, stdin=b"no video", says="-: not a video"))
require("not a video" in refused["problem"], f"what is no video has its row: {refused}")
predict("-", "--stream", code=1, stdin=b"no video", says="-: what comes is not a video")

# Segments tile the time of the answers; what is said says how late it is.
segments = rows(predict(tape, "--stream", "--segments", "--window_s", 100, "--least_s", 0.5, says="delay at most 104 s (3.2 s looked back upon, window 100 s, least duration 0.5 s)"))
require((segments[0]["start_s"], segments[-1]["end_s"]) == ("0.000", every[-1]["time_s"]), f"from the first frame to the last answer: {segments}")
require(all(a["end_s"] == b["start_s"] and a["class"] != b["class"] for a, b in zip(segments, segments[1:])), f"one after the other: {segments}")
require(all(row["class"] and float(row["probability"]) >= 0.5 and not row["problem"] for row in segments), f"of the class that is most probable: {segments}")
require(rows(predict(tape, "--stream", "--segments", "--least_s", 100, "--quiet")) == [], "nothing lasts as long")
unsure = rows(predict(tape, "--stream", "--enter", 1, "--every", "--quiet"))
require({row["class"] for row in unsure} == {""} and len(unsure) == 6, f"no class is sure enough: {unsure}")
objects = [json.loads(line) for line in predict(tape, "--stream", "--segments", "--json", "--quiet").splitlines()]
require([o.get("event") for o in (objects[0], objects[-1])] == ["start", "end"] and objects[0]["delay_s"] == objects[0]["looks_back_s"], f"{objects}")
spans = [(o["start_s"], o["end_s"]) for o in objects[1:-1]]
require(spans[0][0] == 0 and all(a[1] == b[0] for a, b in zip(spans, spans[1:])), f"segments join: {spans}")

# An RTSP server, cut off twice: each connection answers for all of its frames, and the gap is marked.
shots = place.path / "shots.h264"
encode(shots, 48, rate=50)
units = access_units(shots)
require(len(units) == 48, "an access unit a picture")
server = RtspServer(units, 50)
follower = Follower(server.address, "--stream", "--every", "--json", "--reconnect_s", 60)
answers = lambda lines: [i for i, line in enumerate(lines) if '"time_s"' in line and '"class"' in line]
gaps = lambda lines: [i for i, line in enumerate(lines) if '"event":"gap"' in line]
follower.wait("answers", lambda lines: len(answers(lines)) >= 3)
for cut in (1, 2):
    server.cut(0.3)
    follower.wait("the server is back", lambda lines: len(gaps(lines)) == cut)
    follower.wait("answers again", lambda lines: len(answers(lines)) and answers(lines)[-1] > gaps(lines)[-1])
error = follower.end(130, signal.SIGINT)
server.close()
require("lost at" in error and "frames come again" in error and "0 damaged" in error, f"it is said: {error}")
objects = [json.loads(line) for line in follower.lines]
require(abs(objects[0]["answer_every_s"] - 0.32) < 0.01 and abs(objects[0]["delay_s"] - 1.6) < 0.05, f"80 frames of 50 a second: {objects[0]}")
counts, at = [0], -1.0
for each in objects:
    if each.get("event") == "gap":
        require(each["start_s"] == at_lost and each["end_s"] - each["start_s"] >= 0.3, f"a gap is as long as nothing came: {each}")
        counts.append(0)
    if each.get("event") == "lost":
        at_lost = each["time_s"]
    if "class" in each:
        counts[-1] += 1
        require(each["time_s"] > at, f"times ascend: {each}")
        at = each["time_s"]
dropped = objects[-1]["dropped"]  # none, unless the machine stands still for more than a second
require(objects[-1] == {"event": "end", "reason": "stopped", "answers": sum(counts), "dropped": dropped, "damaged": 0}, f"{objects[-1]}")
require(len(counts) == len(server.sent) == 3, f"{counts}, sent {server.sent}")
require(all(0 <= sent // 16 - count <= dropped for count, sent in zip(counts[:-1], server.sent)),
        f"every window of a connection is answered: {counts}, sent {server.sent}, dropped {dropped}")

# It ends with the source where nobody waits, and says so where it waited in vain; a segment under way is said.
server = RtspServer(units, 50, most=40, hurry=4)
found = rows(predict(server.address, "--stream", "--every", "--reconnect_s", 0))
require(len(found) == 2 and found[0]["time_s"] == "0.300", f"40 frames of 50 a second have two answers: {found}")
server.close()
server = RtspServer(units, 50, hurry=2)
follower = Follower(server.address, "--stream", "--segments", "--window_s", 100, "--reconnect_s", 0.2)
follower.wait("the header", lambda lines: len(lines) >= 1)
wait("40 pictures", lambda: server.sent[0] >= 40)
server.cut(1000)
error = follower.end(1)
require("not back within 0.2 s" in error, f"{error}")
found = rows("".join(follower.lines))
answered = [row for row in found if row["problem"] == ""]
require(found[len(answered):] == found[-1:] and found[-1]["problem"].startswith("lost: ") and float(answered[-1]["end_s"]) > 0.6, f"what was answered, and the loss: {found}")
server.close()
predict("rtsp://me:secret@127.0.0.1:1/x", "--stream", code=1, says="rtsp://me:***@127.0.0.1:1/x: cannot be opened", silent="secret")

# A server that sends to another address: that one is not asked, and gets no password.
def redirecting(listener, to):
    with contextlib.suppress(OSError):
        connection = listener.accept()[0]
        connection.settimeout(60)
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(4096)
        number = next(line for line in asked.decode().splitlines() if line.lower().startswith("cseq"))
        connection.sendall(f"RTSP/1.0 302 Moved\r\n{number}\r\nLocation: {to}\r\n\r\n".encode())
        connection.recv(4096)


with socket.create_server(("127.0.0.1", 0)) as named, socket.create_server(("127.0.0.1", 0)) as other:
    threading.Thread(target=redirecting, args=(named, f"rtsp://localhost:{other.getsockname()[1]}/s"), daemon=True).start()
    predict(f"rtsp://ann:secret@127.0.0.1:{named.getsockname()[1]}/s", "--stream", code=1, says="the server sends to another address", silent="secret")
    other.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        connection = other.accept()[0]
        connection.settimeout(5)
        with contextlib.suppress(ConnectionError):
            heard = connection.recv(4096)
            require(heard == b"", f"the other server hears {heard}")

# Ctrl-C while a pipe is silent: the segment under way is said.
follower = Follower(fifo, "--stream", "--segments", "--window_s", 100)
writer = Feeder(fifo, tape.read_bytes() * 12, closes=False)
follower.wait("a segment", lambda lines: len(lines) >= 2)
writer.written()
error = follower.end(130, signal.SIGINT)
require(f"{fifo}: stopped; " in error, f"it says what was: {error}")

# A camera, unplugged and plugged in again.
raw = place.path / "frames.yuyv"
subprocess.run([*ffmpeg, "-f", "lavfi", "-i", "testsrc=size=64x48:rate=25", "-frames:v", "20", "-pix_fmt", "yuyv422", "-f", "rawvideo", raw], check=True, timeout=PATIENCE_S)
log, gone = place.path / "taken.log", place.path / "gone"
env = {**os.environ, "LD_PRELOAD": str(pathlib.Path(sys.argv[2]).parent / "libfake_camera.so"), "FAKE_CAMERA": "/dev/video77",
       "FAKE_CAMERA_FRAMES": str(raw), "FAKE_CAMERA_RATE": "50", "FAKE_CAMERA_LOG": str(log), "FAKE_CAMERA_GONE": str(gone)}
follower = Follower("/dev/video77", "--stream", "--every", "--json", env=env)
wait("a camera's answers", lambda: follower.process.poll() is not None or len(answers(list(follower.lines))) >= 2)
if follower.process.poll() is not None:  # AddressSanitizer wants to be loaded first
    error = follower.end(1)
    require("install it" in error or "ASan" in error, f"a camera: {error}")
    print("no camera is tested: " + error.strip())
else:
    gone.touch()
    follower.wait("it is lost", lambda lines: any('"event":"lost"' in line for line in lines))
    gone.unlink()
    follower.wait("it is back", lambda lines: len(gaps(lines)) == 1 and answers(lines)[-1] > gaps(lines)[0])
    follower.end(130, signal.SIGINT)
    first = sum(1 for i in answers(follower.lines) if i < gaps(follower.lines)[0])
    dropped, taken = json.loads(follower.lines[-1])["dropped"], int(log.read_text().split()[0])
    require(0 <= taken // 16 - first <= dropped, f"every window of a camera is answered: {first}, taken {taken}, dropped {dropped}")

for wrong in (("http://127.0.0.1/a.mp4",), ("rtsp://127.0.0.1/a",), (tree / "cam9.mp4", "--window_s", 1), (tree, "--stream"),
              (tape, "--stream", "--leave", 0.5), (tape, "--stream", "--every", "--segments"), ("-", "-")):
    predict(*wrong, code=2, stdin=b"")
predict("/dev/null", code=1, says="not a camera")
print(f"folders, patterns, pictures, pipes, {sum(counts)} answers over two cuts, a camera")
