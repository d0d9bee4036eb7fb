"""Networks of others: distal's ForeignNetwork against OpenVINO's own asynchronous loop over frames that lie ready in memory, in turns: milliseconds a frame, ratio.

    python3 bench/network.py NETWORK_OUTPUTS DEPS [--runs 5] [--frames 32] [--precision bf16] [--threads 2]

A vision transformer of the size of ViT-S/16 (width 384, 12 blocks, 224 pixels) with random weights. NETWORK_OUTPUTS is build/release/tests/network_outputs, DEPS the folder
with openvino (.deps). distal converts its clips from float32 in [-1, 1] within the time; the peer's frames are converted before."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("outputs")
parser.add_argument("deps")
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--frames", type=int, default=32)
parser.add_argument("--precision", choices=["f32", "bf16"], default="bf16")
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()
sys.path.append(options.deps)
import numpy as np
import openvino as ov
from openvino import opset13 as op

WIDTH, HEADS, BLOCKS = 384, 6, 12
random = np.random.default_rng(0)


def weights(*shape):
    return op.constant((random.standard_normal(shape) * 0.02).astype(np.float32))


def normed(x):
    return op.multiply(op.mvn(x, op.constant(np.array([2])), True, 1e-6, "inside_sqrt"), weights(1, 1, WIDTH))


def attention(x):
    qkv = op.reshape(op.matmul(x, weights(3 * WIDTH, WIDTH), False, True), op.constant(np.array([0, 0, 3, HEADS, WIDTH // HEADS])), True)
    parts = op.split(op.transpose(qkv, op.constant(np.array([2, 0, 3, 1, 4]))), op.constant(np.int64(0)), 3)
    q, k, v = (op.squeeze(parts.output(i), op.constant(np.array([0]))) for i in range(3))
    together = op.transpose(op.scaled_dot_product_attention(q, k, v), op.constant(np.array([0, 2, 1, 3])))
    return op.matmul(op.reshape(together, op.constant(np.array([0, 0, WIDTH])), True), weights(WIDTH, WIDTH), False, True)


def vit():
    pixels = op.parameter([-1, 3, 224, 224], np.float32, name="pixels")
    x = op.convolution(pixels, weights(WIDTH, 3, 16, 16), [16, 16], [0, 0], [0, 0], [1, 1])
    x = op.transpose(op.reshape(x, op.constant(np.array([0, WIDTH, -1])), True), op.constant(np.array([0, 2, 1])))
    for _ in range(BLOCKS):
        x = op.add(x, attention(normed(x)))
        inner = op.gelu(op.matmul(normed(x), weights(4 * WIDTH, WIDTH), False, True), "erf")
        x = op.add(x, op.matmul(inner, weights(WIDTH, 4 * WIDTH), False, True))
    rows = op.result(op.reduce_mean(normed(x), op.constant(np.array([1])), False))
    return ov.Model([rows], [pixels], "vit")


def peer(model, batch):
    """Seconds of each run, batches of `batch`."""
    model = model.clone()
    model.reshape([batch, 3, 224, 224])
    settings = {"INFERENCE_PRECISION_HINT": options.precision, "PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": str(options.threads), "INFERENCE_NUM_THREADS": options.threads}
    queue = ov.AsyncInferQueue(ov.Core().compile_model(model, "CPU", settings), options.threads + 1)
    frames = random.standard_normal((options.frames, 3, 224, 224)).astype(np.float32)

    def run():
        began = time.perf_counter()
        for first in range(0, options.frames, batch):
            queue.start_async({0: ov.Tensor(frames[first:first + batch], shared_memory=True)})
        queue.wait_all()
        return time.perf_counter() - began

    run()
    return [run() for _ in range(options.runs)]


def distal(file, folder):
    clips = (random.random((options.frames, 3, 1, 224, 224)) * 2 - 1).astype(np.float32)
    np.save(folder / "clips.npy", clips)
    section = f"network: {{file: {file}, precision: {options.precision}}}"
    ended = subprocess.run([options.outputs, section, folder / "clips.npy", folder / "rows.npy", str(options.runs)], capture_output=True, text=True, check=True,
                           env=dict(os.environ, OMP_NUM_THREADS=str(options.threads)))
    return json.loads(ended.stdout)["seconds"]


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    model = vit()
    ov.save_model(model, folder / "vit.xml", compress_to_fp16=False)
    ours, theirs = [], {1: [], 2: [], 8: []}
    for turn in range(2):
        ours += distal(folder / "vit.xml", folder)
        for batch in theirs:
            theirs[batch] += peer(model, batch)
    ms = {f"OpenVINO's loop, batches of {batch}": statistics.median(seconds) * 1e3 / options.frames for batch, seconds in theirs.items()}
    mine = statistics.median(ours) * 1e3 / options.frames
    for title, each in ms.items():
        print(f"{title}: {each:.2f} ms a frame")
    print(f"distal: {mine:.2f} ms a frame; speed {min(ms.values()) / mine:.3f} of the fastest loop")
