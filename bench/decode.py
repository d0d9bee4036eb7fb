"""16 frames of every video of a list, and all frames of some: distal bench decode against decord and PyAV (peers/decode_video.py), one thread each, in turns.

    python3 -m venv PLACE && PLACE/bin/pip install decord av numpy
    PLACE/bin/python3 bench/decode.py PATH/ucf101-8 --peer-python PLACE/bin/python3 [--list test.csv] [--runs 3]

The peers open each file, choose frames by number and seek to them as their documentation says. distal's seconds are with its probe (one pass over the packets and the content
hash, once per file and kept) and without. First the mean of all pixels of each video must be the same within 1.5 of 255.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--list", default="test.csv")
    parser.add_argument("--distal", type=pathlib.Path, default=HERE.parent / "build/release/distal")
    parser.add_argument("--peer-python", type=pathlib.Path, required=True)
    parser.add_argument("--frames", type=int, default=16, help="of each video; 0: all")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    commands = {"distal": [options.distal, "bench", "decode", "--data", options.data, "--list", options.list, "--frames", options.frames, "--json"]}
    for peer in ("decord", "pyav"):
        commands[peer] = [options.peer_python, HERE / "peers/decode_video.py", peer, options.data, options.list, options.frames]
    results = {name: [] for name in commands}
    for _ in range(options.runs):
        for name, command in commands.items():
            results[name].append(run(command))
    ours = results["distal"][0]["means"]
    for peer in ("decord", "pyav"):
        theirs = results[peer][0]["means"]
        different = [path for path in ours if path not in theirs or abs(ours[path] - theirs[path]) > 1.5]
        print(f"{peer}: {len(ours) - len(different)} of {len(ours)} videos have the same mean pixel" + (f"; not {different[:3]}" if different else ""))
    seconds = {name: statistics.median(result["seconds"] for result in results[name]) for name in results}
    cold = statistics.median(result["seconds"] + result["probe_s"] for result in results["distal"])
    for peer in ("decord", "pyav"):
        print(f"{peer} {seconds[peer]:.2f} s, distal {seconds['distal']:.2f} s: {seconds[peer] / seconds['distal']:.2f} times; with its probe {cold:.2f} s: {seconds[peer] / cold:.2f} times")


main()
