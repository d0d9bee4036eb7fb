"""Weights saved by PyTorch (.pth, .pt, .tar: the old format or the zipped one) to a .safetensors file for `init` in a recipe.

    pip install torch safetensors numpy
    python pth_to_safetensors.py WEIGHTS.pth WEIGHTS.safetensors

WEIGHTS.pth holds tensors by name, or a dictionary that holds them under `state_dict` or `model`. Leading `module.` (of
DataParallel) is dropped; all else keeps its name. Nothing in the file is run: where it holds more than numbers, torch refuses it.
"""

import sys

import torch
from safetensors.torch import save_file

if len(sys.argv) != 3:
    sys.exit(__doc__)
source, target = sys.argv[1:]
found = torch.load(source, map_location="cpu", weights_only=True)
for key in ("state_dict", "model"):
    if isinstance(found, dict) and isinstance(found.get(key), dict):
        found = found[key]
tensors = {k: v for k, v in found.items() if isinstance(v, torch.Tensor)} if isinstance(found, dict) else {}
named = {name.removeprefix("module."): value.detach().clone().contiguous() for name, value in tensors.items()}
if not named or len(named) < len(tensors):
    sys.exit(f"{source}: holds no tensors by name, or two of one name; look at what torch.load gives")
save_file(named, target, metadata={"format": "pt"})
print(f"{target}: {len(named)} tensors, {sum(value.numel() for value in named.values()):,} numbers")
