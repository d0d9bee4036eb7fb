"""PyTorch eager's training step of the 3D ResNet of `distal bench train`, from its weights and on its first batch, as JSON.

    python3 train_torch.py FOLDER f32|bf16 THREADS STEPS

FOLDER holds weights.safetensors, clips.npy, targets.npy (distal bench train --out). f32 is plain; bf16 is autocast with weights and clips in
channels_last_3d. The clips are ready in memory. SGD with Nesterov momentum, as many groups as distal has. Before anything is timed the loss and
the gradient of the first batch are printed beside those of float32: bf16 convolutions of LibTorch 2.13 may give wrong weight gradients.
"""

import contextlib
import json
import pathlib
import statistics
import sys
import time

import numpy
import torch
import torch.nn.functional as F
from resnet3d_torch import ResNet3D
from safetensors.torch import load_file


def gradient(net, clips, targets, scope):
    net.zero_grad()
    with scope():
        loss = F.cross_entropy(net(clips).float(), targets)
    loss.backward()
    return loss.item(), {name: parameter.grad.clone() for name, parameter in net.named_parameters()}


folder, precision, threads, steps = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
weights = load_file(folder / "weights.safetensors")
clips, targets = (torch.from_numpy(numpy.load(folder / f"{name}.npy")) for name in ("clips", "targets"))
net = ResNet3D(weights)
loss, exact = gradient(net, clips, targets, contextlib.nullcontext)
result = {"loss": loss, "gradient_norm": torch.stack([part.norm() for part in exact.values()]).norm().item()}
scope = contextlib.nullcontext
if precision == "bf16":
    net = ResNet3D(weights).to(memory_format=torch.channels_last_3d)
    clips = clips.to(memory_format=torch.channels_last_3d)
    scope = lambda: torch.autocast("cpu", torch.bfloat16)  # noqa: E731
    _, rough = gradient(net, clips, targets, scope)
    errors = {name: ((rough[name] - part).norm() / part.norm()).item() for name, part in exact.items()}
    result |= {"worst": max(errors, key=errors.get), "worst_error": max(errors.values()), "median_error": statistics.median(errors.values())}
matrices, vectors = ([p for p in net.parameters() if (p.dim() > 1) == wanted] for wanted in (True, False))
optimizer = torch.optim.SGD([{"params": matrices, "weight_decay": 5e-4}, {"params": vectors, "weight_decay": 0}], lr=0.01, momentum=0.9, nesterov=True)
took = []
for _ in range(steps):
    began = time.monotonic()
    optimizer.zero_grad()
    with scope():
        loss = F.cross_entropy(net(clips).float(), targets)
    loss.item()
    loss.backward()
    optimizer.step()
    took.append(time.monotonic() - began)
print(json.dumps(result | {"step_s": statistics.median(took[1:])}))
