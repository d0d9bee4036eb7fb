"""Weights that a stopped run kept, damaged in every way before it goes on: thrown away and trained again, to the curve of an undisturbed run. A model
whose weights are not numbers is refused by its file and tensor. A run ends whatever OMP_DYNAMIC says."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import time

from small import Place, require

place = Place()
RECIPE = ("--set", "seeds=1", "--set", "student.training.steps=60")


def flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1:]


DAMAGE = {"a bit": flip, "a page of zeros": lambda data: data[:len(data) // 2] + bytes(4096) + data[len(data) // 2 + 4096:], "cut": lambda data: data[:len(data) // 2],
          "empty": lambda data: b"", "header": lambda data: data[:20] + b"#" + data[21:]}

whole = place.run("whole", *RECIPE)
require(whole.returncode == 0, "the run that nobody stops: " + whole.stderr)
curve = (place.path / "whole" / "curve.csv").read_text()

# Stopped within the second student: one is kept, and a checkpoint.
process = subprocess.Popen(place.command("stopped", *RECIPE), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
unfinished = place.path / "stopped" / "unfinished"
while not (len(list(unfinished.glob("*[0-9a-f].safetensors"))) >= 3 and list(unfinished.glob("*.checkpoint.safetensors"))):
    require(process.poll() is None, "the run goes on until it is stopped")
    time.sleep(0.005)
process.send_signal(signal.SIGKILL)
process.communicate()
for name, damage in DAMAGE.items():
    slug = name.replace(" ", "-")
    shutil.copytree(place.path / "stopped", place.path / slug)
    for file in place.path.glob("stopped.db*"):
        shutil.copy(file, str(file).replace("stopped.db", f"{slug}.db"))
    kept = list((place.path / slug / "unfinished").glob("*.safetensors"))
    for file in kept:
        file.write_bytes(damage(file.read_bytes()))
    command = [word for word in place.command(slug, *RECIPE) if word != "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    require(done.returncode == 0, f"{name}: {done.stderr}")
    require("thrown away, it is trained again" in done.stderr, f"{name}: says so: {done.stderr}")
    require((place.path / slug / "curve.csv").read_text() == curve, f"{name}: the same curve")
    for student in ("random", "margin"):
        require((place.path / slug / f"{student}.safetensors").read_bytes() == (place.path / "whole" / f"{student}.safetensors").read_bytes(), f"{name}: the same {student}")

model = place.path / "whole" / "margin.safetensors"
data = bytearray(model.read_bytes())
data[-4:] = struct.pack("<f", float("nan"))
bad = place.path / "bad.safetensors"
bad.write_bytes(data)
video = str(next((place.path / "videos" / "videos").glob("*.mp4")))
for command in (("predict", str(bad), video), ("export", str(bad), "--out", str(place.path / "bad.onnx"))):
    refused = subprocess.run([sys.argv[1], *command], capture_output=True, text=True)
    require(refused.returncode == 1 and f"{bad}: tensor " in refused.stderr and "NaN" in refused.stderr, f"{command[0]}: {refused.returncode} {refused.stderr}")
require(not (place.path / "bad.onnx").exists(), "nothing is exported")

# oneDNN would wait for ever for threads that OpenMP does not give it.
ends = subprocess.run([word for word in place.command("dynamic", *RECIPE)], capture_output=True, text=True, timeout=600, env={**os.environ, "OMP_DYNAMIC": "true"})
require(ends.returncode == 0, f"with OMP_DYNAMIC: {ends.stderr}")
command = place.command("dynamic2", *RECIPE)
command[command.index("--threads") + 1] = "2"
ends = subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ, "OMP_DYNAMIC": "TRUE"})
require(ends.returncode == 0, f"with OMP_DYNAMIC and two threads: {ends.stderr}")
print(f"{len(DAMAGE)} kinds of damage: the same curve; NaN refused; ends whatever OMP_DYNAMIC says")
