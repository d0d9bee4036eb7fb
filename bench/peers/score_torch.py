"""PyTorch eager's forward pass of distal's 3D ResNet in float32, over clips that are ready in memory, as JSON: clips a second and the logits' error.

    python3 score_torch.py WEIGHTS.safetensors SAMPLE THREADS BATCH CLIPS REPEATS

SAMPLE_clips.npy and SAMPLE_logits.npy are what distal export --input clips --sample wrote. The clips are random; the median of REPEATS counts.
"""

import json
import statistics
import sys
import time

import numpy as np
import torch
from resnet3d_torch import ResNet3D
from safetensors.torch import load_file

weights, sample = sys.argv[1:3]
threads, batch, count, repeats = map(int, sys.argv[3:])
torch.set_num_threads(threads)
net = ResNet3D(load_file(weights)).eval()
known, expected = torch.from_numpy(np.load(sample + "_clips.npy")), np.load(sample + "_logits.npy")
with torch.inference_mode():
    logits = net(known).numpy()
    batches = [torch.randn((batch, *known.shape[1:])) for _ in range(-(-count // batch))]
    net(batches[0])  # warms up
    took = []
    for _ in range(repeats):
        began = time.monotonic()
        for clips in batches:
            net(clips)
        took.append(time.monotonic() - began)
print(json.dumps({"clips_per_s": count / statistics.median(took), "error": float(np.linalg.norm(logits - expected) / np.linalg.norm(expected))}))
