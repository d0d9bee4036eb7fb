"""16 frames of every video of a list, and all frames of some: distal bench decode against decord and PyAV (peers/decode_video.py), one thread each, in turns.

    python3 -m venv PLACE && PLACE/bin/pip install decord av numpy
    PLACE/bin/python3 bench/decode.py PATH/ucf101-8 --peer-python PLACE/bin/python3 [--list test.csv] [--runs 3]

With --frames 0 --libav PLACE/decode_libav bare FFmpeg takes part too (peers/decode_libav.c), which keeps no frame but the last:

    cc -O3 bench/peers/decode_libav.c -o PLACE/decode_libav $(pkg-config --cflags --libs libavformat libavcodec libswscale libavutil)

decord and PyAV open each file, choose frames by number and seek to them as their documentation says. distal's seconds are with its probe (one pass over the packets and the content
hash, once per file and kept) and without. First the mean of all pixels of each video must be the same within 1.5 of 255.
"""

import argparse
import pathlib
import statistics
import sys

from process import json_of

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--list", default="test.csv")
    parser.add_argument("--distal", type=pathlib.Path, default=HERE.parent / "build/release/distal")
    parser.add_argument("--peer-python", type=pathlib.Path, required=True)
    parser.add_argument("--frames", type=int, default=16, help="of each video; 0: all")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--libav", type=pathlib.Path, help="peers/decode_libav.c, compiled")
    options = parser.parse_args()
    if options.libav and options.frames != 0:
        parser.error("--libav reads all frames: give --frames 0")
    commands = {"distal": [options.distal, "bench", "decode", "--data", options.data, "--list", options.list, "--frames", options.frames, "--json"]}
    for peer in ("decord", "pyav"):
        commands[peer] = [options.peer_python, HERE / "peers/decode_video.py", peer, options.data, options.list, options.frames]
    if options.libav:
        commands["libav"] = [options.libav.resolve(), options.data, options.list]
    peers = list(commands)[1:]
    results = {name: [] for name in commands}
    for _ in range(options.runs):
        for name, command in commands.items():
            results[name].append(json_of(command))
    ours = results["distal"][0]["means"]
    for peer in peers:
        theirs = results[peer][0]["means"]
        different = [path for path in ours if path not in theirs or abs(ours[path] - theirs[path]) > 1.5]
        print(f"{peer}: {len(ours) - len(different)} of {len(ours)} videos have the same mean pixel" + (f"; not {different[:3]}" if different else ""))
    if options.libav and results["libav"][0]["frames"] != results["distal"][0]["frames"]:
        sys.exit(f"libav reads {results['libav'][0]['frames']} frames and distal {results['distal'][0]['frames']}")
    seconds = {name: statistics.median(result["seconds"] for result in results[name]) for name in results}
    cold = statistics.median(result["seconds"] + result["probe_s"] for result in results["distal"])
    for peer in peers:
        print(f"{peer} {seconds[peer]:.2f} s, distal {seconds['distal']:.2f} s: {seconds[peer] / seconds['distal']:.2f} times; with its probe {cold:.2f} s: {seconds[peer] / cold:.2f} times")


main()
