"""PyTorch eager's training step of the 3D ResNet of `distal bench train`, from its weights and on its first batch, as JSON.

    python3 train_torch.py FOLDER f32|bf16 THREADS STEPS [GRADIENTS.safetensors ...]

FOLDER holds weights.safetensors, clips.npy, targets.npy (distal bench train --out). f32 is plain; bf16 is autocast with weights and clips in
channels_last_3d. The clips are ready in memory. SGD with Nesterov momentum, as many groups as distal has. Before anything is timed the gradients of
the first batch, and those of the files named, are compared with float64's: bf16 convolutions of LibTorch 2.13 may give wrong weight gradients.
`float32` among the errors is PyTorch's own, plain, `last` the same in channels_last_3d: this is how far apart two right answers are.
"""

import contextlib
import json
import math
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
        logits = net(clips)
        loss = F.cross_entropy(logits if logits.dtype == torch.double else logits.float(), targets)
    loss.backward()
    return loss.item(), {name: parameter.grad.clone() for name, parameter in net.named_parameters()}


def errors(found, exact):
    """Of each parameter's gradient, relative: the median, and the worst with its name."""
    by_name = {name: ((found[name].double() - part).norm() / part.norm()).item() for name, part in exact.items()}
    worst = max(by_name, key=lambda name: (not math.isfinite(by_name[name]), by_name[name]))
    return {"median": statistics.median(by_name.values()), "worst": by_name[worst], "where": worst}


folder, precision, threads, steps = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
weights = load_file(folder / "weights.safetensors")
clips, targets = (torch.from_numpy(numpy.load(folder / f"{name}.npy")) for name in ("clips", "targets"))
last, plain = torch.channels_last_3d, contextlib.nullcontext
_, exact = gradient(ResNet3D(weights).double(), clips.double(), targets.double(), plain)
net = ResNet3D(weights)
loss, found = gradient(net, clips, targets, plain)
loss_last, found_last = gradient(ResNet3D(weights).to(memory_format=last), clips.to(memory_format=last), targets, plain)
norm = torch.stack([part.norm() for part in found_last.values()]).norm().item()
result = {"loss": loss_last, "gradient_norm": norm, "errors": {"float32": errors(found, exact), "last": errors(found_last, exact)}}
scope = plain
if precision == "bf16":
    net = ResNet3D(weights).to(memory_format=last)
    clips = clips.to(memory_format=last)
    scope = lambda: torch.autocast("cpu", torch.bfloat16)  # noqa: E731
    result["errors"]["bf16"] = errors(gradient(net, clips, targets, scope)[1], exact)
for path in sys.argv[5:]:
    result["errors"][path] = errors(load_file(path), exact)
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
