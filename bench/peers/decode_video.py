"""Reads frames of every video of a list as RGB by decord or PyAV, one thread, and prints seconds and the mean pixel of each video as JSON.

    python3 decode_video.py decord|pyav FOLDER LIST FRAMES     FRAMES 0: all
"""

import csv
import json
import pathlib
import sys
import time

import numpy as np

peer, folder, name, count = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
paths = list(dict.fromkeys(row["path"] for row in csv.DictReader((folder / name).open())))


def wanted(frames):
    return list(range(frames)) if count == 0 else [(2 * k + 1) * frames // (2 * count) for k in range(count)]


def by_decord(path):
    reader = decord.VideoReader(path, num_threads=1)
    return reader.get_batch(wanted(len(reader))).asnumpy()


def by_pyav(path):
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "NONE", 1
        rows = set(wanted(stream.frames))
        last = max(rows)
        out = []
        for i, frame in enumerate(container.decode(stream)):  # short videos: front to back is quicker than seeking
            if i in rows:
                out.append(frame.to_ndarray(format="rgb24"))
            if i == last:
                break
        return np.stack(out)


if peer == "decord":
    import decord

    read = by_decord
else:
    import av

    read = by_pyav
seconds, means = 0.0, {}
for path in paths:
    began = time.monotonic()
    frames = read(str(folder / path))
    seconds += time.monotonic() - began
    means[path] = float(frames.mean())
print(json.dumps({"seconds": seconds, "means": means}))
