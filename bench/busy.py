"""What a study of small networks keeps of its speed beside other programs: distal run bench/busy.yaml alone, beside one process that never waits and
beside two, in turns, each from an empty folder and store with frames already decoded.

    python3 bench/busy.py [--runs 3] [--program build/release/distal] [-- --threads 2 --jobs 1]

What stands after -- goes to distal: without it the settings are the default ones. The machine must be idle otherwise.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


def study(program, folder, name, more):
    """Wall seconds, and what was said about the processor."""
    began = time.monotonic()
    done = subprocess.run([program, "run", HERE / "busy.yaml", "--data", folder / "videos", "--out", folder / name, "--store", f"sqlite:{folder / name}.db",
                           "--set", f"cache.folder={folder / 'frames'}", *more], capture_output=True, text=True)
    seconds = time.monotonic() - began
    if done.returncode != 0:
        sys.exit(done.stderr)
    return seconds, next((line for line in done.stderr.splitlines() if "ms a step" in line), "as told")


def beside(count, work):
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        return work()
    finally:
        for process in busy:
            process.kill()
            process.wait()


parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--program", default=HERE.parent / "build/release/distal")
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("more", nargs="*")
options = parser.parse_args()

seconds = {0: [], 1: [], 2: []}
with tempfile.TemporaryDirectory(prefix="distal-bench-") as place:
    folder = pathlib.Path(place)
    study(options.program, folder, "first", options.more)  # makes the videos and decodes them
    for run in range(options.runs):
        for others in seconds:
            took, said = beside(others, lambda: study(options.program, folder, f"{run}-{others}", options.more))
            seconds[others].append(took)
            print(f"beside {others} busy processes: {took:6.1f} s  {said}", flush=True)
idle = statistics.median(seconds[0])
for others, bar in ((1, 0.6), (2, 0.4)):
    kept = [alone / took for alone, took in zip(seconds[0], seconds[others])]
    print(f"beside {others}: {idle / statistics.median(seconds[others]):.2f} of the idle rate, from {min(kept):.2f} to {max(kept):.2f} (bar {bar})")
