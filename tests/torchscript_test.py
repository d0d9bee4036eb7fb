"""A TorchScript file is a program: every command says so, --untrusted refuses it, and whatever it does it does in a process of its own, which ends
at a deadline, at a signal and with its parent."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import zipfile

from small import Place, require

PICKLE = b"\x80\x02c__torch__\nM\nq\x00)\x81}q\x01X\x08\x00\x00\x00trainingq\x02\x89sb."
SOFTMAX = "return torch.softmax(torch.mean(torch.flatten(x, 2), [2]), 1)[:, 0:2] + 0.16666"
FEW = ["--set", "oracle.kind=torchscript", "--set", "oracle.price=0", "--set", "seeds=1", "--set", "rounds=1", "--set", "budget=3", "--set", "student.training.steps=2",
       "--set", "arms={random: {strategy: random}}"]


def write(path, *body, pickle=PICKLE):
    """A module whose forward has these lines, without PyTorch."""
    lines = "\n    ".join(body)
    source = f"class M(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n  def forward(self: __torch__.M,\n    x: Tensor) -> Tensor:\n    {lines}\n"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in {"m/version": "3\n", "m/data.pkl": pickle, "m/code/__torch__.py": source, "m/constants.pkl": b"\x80\x02).", "m/byteorder": "little"}.items():
            file.writestr(name, content)
    return str(path)


place = Place()
ONES = "return torch.div(torch.ones([torch.size(x, 0), 2]), 2)"
good = write(place.path / "good.pt", ONES)


def command(path, *more, out=None, quiet=False):
    words = place.command(out or pathlib.Path(path).stem, *FEW, "--set", f"oracle.path={path}", *more)
    return [word for word in words if quiet or word != "--quiet"]


def run(path, *more, **options):
    return subprocess.run(command(path, *more, **options), capture_output=True, text=True, timeout=300)


def workers(of):
    """Processes that execute a TorchScript file for that one."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(b"distal-torchscript-worker\0%d\0" % of):
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def gone(process):
    for _ in range(1000):
        try:
            if pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


# ---- it is said, and refused where it may not be
ended = run(good)
require(ended.returncode == 0 and ended.stderr.count("is TorchScript: a program, which is executed") == 1, f"a run says that it executes code: {ended.returncode} {ended.stderr}")
dry = run(good, "--dry-run")
require(dry.returncode == 0 and "is TorchScript: a program, which is executed" in dry.stdout, f"a plan says so: {dry.stdout}")
recipe = [str(place.path / "recipe.yaml"), "--data", str(place.path / "videos"), "--set", f"cache.folder={place.path / 'frames'}", *FEW, "--set", f"oracle.path={good}"]
doctor = subprocess.run([sys.argv[1], "doctor", *recipe], capture_output=True, text=True, timeout=300)
require(doctor.returncode == 0 and "is TorchScript: a program, which is executed" in doctor.stdout, f"doctor says so: {doctor.stdout} {doctor.stderr}")
model = ["--set", "oracle.kind=torchscript", "--set", f"oracle.path={good}", "--untrusted", "--dry-run"]
for name, more in (("run", []), ("train", ["--set", "arms={}"]), ("sweep", ["--set", "arms={}", "--set", "sweep={rounds: [1]}"]), ("doctor", [])):
    refused = subprocess.run([sys.argv[1], name, str(place.path / "recipe.yaml"), *model, *more], capture_output=True, text=True, timeout=300)
    require(refused.returncode == 2 and f"{good} is TorchScript, a program, which --untrusted refuses" in refused.stderr, f"{name} --untrusted: {refused.returncode} {refused.stderr}")
refused = subprocess.run([sys.argv[1], "demo", *model], capture_output=True, text=True, timeout=300)
require(refused.returncode == 2 and f"{good} is TorchScript, a program, which --untrusted refuses" in refused.stderr, f"demo --untrusted: {refused.returncode} {refused.stderr}")
require("--untrusted" in subprocess.run([sys.argv[1], "predict", "--help"], capture_output=True, text=True).stdout, "predict knows --untrusted")
for name, more in (("predict", ["x.mp4"]), ("export", ["--out", str(place.path / "x.onnx")])):
    refused = subprocess.run([sys.argv[1], name, good, *more, "--untrusted"], capture_output=True, text=True, timeout=300)
    require(refused.returncode in (1, 2) and refused.stderr.count("\n") == 1 and good in refused.stderr, f"{name} executes no TorchScript: {refused.returncode} {refused.stderr}")

# ---- what it does stays with it
written = place.path / "WRITTEN"
writes = run(write(place.path / "writes.pt", f'ops.aten.save(x, "{written}")', ONES))
require(not written.exists() or written.stat().st_size == 0, "a file is written")
(place.path / "SECRET").write_text("secret\x1b[31m" * 99)
prints = run(write(place.path / "prints.pt", f'print("\\033]0;PWNED", torch.from_file("{place.path}/SECRET", False, 40, dtype=0))', ONES))
require(prints.returncode == 0 and "PWNED" not in prints.stdout and "prints '.]0;PWNED" in prints.stderr, f"what it prints is an excerpt: {prints.stdout} {prints.stderr}")
require("\x1b" not in prints.stdout + prints.stderr, "no control characters reach the terminal")

for path, reason in (
        (write(place.path / "nested.pt", "return " + "(" * 20000 + "x" + ")" * 20000), "while loading the file"),
        (write(place.path / "pickle.pt", "return x", pickle=b"\x80\x02" + b"(" * 200000 + b"t" * 200000 + b"."), ""),
        (write(place.path / "string.pt", "return x", pickle=b"\x80\x02X\xff\xff\xff\x7fabc."), "cannot be loaded"),
        (write(place.path / "op.pt", "return ops.torchvision.nms(x, x, 0.5)"), "cannot be loaded"),
        (write(place.path / "memory.pt", "return torch.ones([8000000000])"), "more memory than it may have"),
        (write(place.path / "shape.pt", "return torch.ones([3, 7])"), "answered shape 9x7 instead of [3, 2]")):
    ended = run(path, quiet=True)
    require(ended.returncode == 1 and ended.stderr.count("\n") == 1 and path in ended.stderr and reason in ended.stderr, f"{path}: {ended.returncode} {ended.stderr}")
    require("Exception raised" not in ended.stderr and "c10" not in ended.stderr, f"no library's words: {ended.stderr}")

# ---- a loop ends at the deadline, at a signal, and with its parent; meanwhile it can be looked at
def environment(of):
    return pathlib.Path(f"/proc/{of}/environ").read_bytes()


secret = dict(os.environ, SECRET_TOKEN="abc")
loops = write(place.path / "loops.pt", "i = 0", "while True:", "  i = torch.add(i, 1)", "return x")
ended = run(loops, "--set", "oracle.timeout_s=1")
require(ended.returncode == 1 and "more than 1 s; raise oracle.timeout_s" in ended.stderr, f"the deadline: {ended.returncode} {ended.stderr}")
shouts = write(place.path / "shouts.pt", "while True:", f'  print("{"x" * 100000}")', "return x")
ended = run(shouts, "--set", "oracle.timeout_s=1")
require(ended.returncode == 1 and "more than 1 s; raise oracle.timeout_s" in ended.stderr and "it printed 'xxx" in ended.stderr, f"the deadline of one that prints without end: {ended.returncode} {ended.stderr}")
for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)):
    process = subprocess.Popen(command(loops, "--set", "oracle.timeout_s=1000"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=secret)
    while process.poll() is None and not any(os.sysconf("SC_CLK_TCK") < int(pathlib.Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[11]) for worker in workers(process.pid)):
        time.sleep(0.02)
    running = workers(process.pid)
    require(len(running) == 1, f"one process executes it: {running} {process.poll()}")
    require(b"SECRET_TOKEN" in environment(process.pid) and b"SECRET_TOKEN" not in environment(running[0]), "what stands in the environment is not told to it")
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    require(process.returncode == code, f"{number.name} ends it: {process.returncode} {error}")
    require(gone(running[0]), f"the process ends with its parent: {number.name}")
print("a program in a TorchScript file is named as one, refused, contained, stopped")
