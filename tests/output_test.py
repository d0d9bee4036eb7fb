"""What a command prints reaches stdout, or the command says that it did not and fails: a full disk, a closed stdout. A reader that left ends it
without a word. A stderr that cannot be written stops nothing."""

import os
import subprocess
import sys

from small import Place, require

place = Place()
done = place.run("out", "--set", "seeds=1", "--set", "rounds=1")
require(done.returncode == 0, "the run that is printed from ends: " + done.stderr)
videos = sorted(str(path) for path in (place.path / "videos").rglob("*.mp4"))[:3]
model = place.path / "out" / "random.safetensors"
scores, seconds = place.path / "scores.npy", place.path / "seconds.npy"
for path, shape, size in ((scores, b"(2, 2)", 16), (seconds, b"(2,)", 8)):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + b", }"
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(size))
same = place.command("out", "--set", "seeds=1", "--set", "rounds=1")[1:]
new_lists = place.path / "lists"
new_lists.mkdir()

COMMANDS = {
    "help": ["--help"],
    "help of a command": ["run", "--help"],
    "list": ["list"],
    "list --json": ["list", "--json"],
    "list of a method": ["list", "badge"],
    "probe": ["probe", *videos],
    "probe --json": ["probe", "--json", *videos],
    "predict": ["predict", model, *videos, "--quiet"],
    "predict --json": ["predict", model, *videos, "--quiet", "--json"],
    "predict --stream": ["predict", model, videos[0], "--quiet", "--stream", "--every"],
    "predict --out": ["predict", model, *videos, "--quiet", "--out", place.path / "predicted.csv"],
    "select": ["select", "--strategy", "margin", "--count", "1", "--logits", scores],
    "select --json": ["select", "--strategy", "margin", "--count", "1", "--logits", scores, "--json"],
    "report": ["report", place.path / "out", "--out", place.path / "again.html"],
    "report --json": ["report", place.path / "out", "--out", place.path / "again.html", "--json"],
    "run": same,
    "run --json": [*same, "--json"],
    "run --dry-run": [*same, "--dry-run"],
    "run --dry-run --json": [*same, "--dry-run", "--json"],
    "doctor": ["doctor"],
    "doctor --json": ["doctor", "--json"],
    "import": ["import", place.path / "videos", "--store", f"sqlite:{place.path}/import.db", "--lists", new_lists, "--quiet"],
    "export": ["export", model, "--out", place.path / "model.safetensors"],
    "bench decode": ["bench", "decode", "--data", place.path / "videos", "--list", "test.csv"],
}
COMMANDS["new"] = ["new", place.path / "new.yaml", "--data", place.path / "videos", "--force", "--quiet"]
# Tried on a full disk alone: they take long, or print as a command above does.
SLOW = {"new", "doctor --json", "run --dry-run --json", "predict --out", "bench decode", "import", "export", "predict --stream"}


def run(words, **more):
    return subprocess.run([sys.argv[1], *map(str, words)], stderr=subprocess.PIPE, text=True, timeout=600, **more)


for name, words in COMMANDS.items():
    with open("/dev/full", "w") as full:
        lost = run(words, stdout=full)
    require(lost.returncode == 1 and "distal: stdout: cannot be written (No space left on device)" in lost.stderr,
            f"{name} on a full disk says so and fails: {lost.returncode} {lost.stderr}")
    require(lost.stderr.count("stdout") == 1, f"{name} says it once: {lost.stderr}")

    if name in SLOW:
        continue
    reading, writing = os.pipe()
    os.close(reading)
    unread = run(words, stdout=writing)
    os.close(writing)
    require(unread.returncode == 141 and unread.stderr == "", f"{name} ends without a word where nobody reads: {unread.returncode} {unread.stderr}")

    whole = run(words, stdout=subprocess.DEVNULL)
    require(whole.returncode == 0, f"{name} works: {whole.returncode} {whole.stderr}")

# A number that is free is taken by the next file that is opened, be it the store.
closed = run(same, preexec_fn=lambda: os.close(1))
require(closed.returncode == 1 and "stdout: cannot be written (Bad file descriptor)" in closed.stderr, f"a closed stdout: {closed.returncode} {closed.stderr}")
require(run(same, stdout=subprocess.DEVNULL).returncode == 0, "nothing was written into the store or the results instead")

# What is lost of stderr is words: the result is the same, on a full disk and where it is closed.
damaged = place.path / "damaged.mp4"
pictures = bytearray(open(videos[0], "rb").read())
middle = (pictures.index(b"mdat") + pictures.index(b"moov")) // 2
pictures[middle:middle + 300] = bytes(300)
damaged.write_bytes(pictures)
TALKING = {
    "probe": ["probe", *videos],
    "run": [word for word in place.command("quiet", "--set", "seeds=1", "--set", "rounds=0")[1:] if word != "--quiet"],
    "run that stands": [word for word in same if word != "--quiet"],
    "select k_center": ["select", "--strategy", "k_center", "--count", "1", "--embeddings", scores],
    "select of fewer rows": ["select", "--count", "9", "--logits", scores],
    "select of fewer seconds": ["select", "--seconds", "9", "--durations", seconds, "--logits", scores],
    "predict of a damaged video": ["predict", model, damaged],
}
for name, words in TALKING.items():
    heard = run(words, stdout=subprocess.PIPE)
    require(heard.returncode == 0 and heard.stdout and (name == "probe" or heard.stderr), f"{name} talks: {heard.returncode} {heard.stderr}")
    with open("/dev/full", "w") as full:
        for how, more in (("full", {"stderr": full}), ("closed", {"preexec_fn": lambda: os.close(2)})):
            silent = subprocess.run([sys.argv[1], *map(str, words)], stdout=subprocess.PIPE, text=True, timeout=600, **more)
            require(silent.returncode == 0 and silent.stdout == heard.stdout, f"{name} works with a {how} stderr: {silent.returncode} {silent.stdout}")
with open("/dev/full", "w") as full:
    silent = subprocess.run([sys.argv[1], "probe", "absent.mp4"], stdout=subprocess.PIPE, stderr=full, text=True, timeout=600)
    require(silent.returncode == 1, f"an error without stderr keeps its code: {silent.returncode}")
print(f"{len(COMMANDS)} commands on a full disk and without a reader")
