"""distal's training step against PyTorch eager (peers/train_torch.py) from the same weights on the same clips, in turns: seconds a step, ratio.

    python3 -m venv PLACE && PLACE/bin/pip install torch==2.13.0 safetensors numpy
    python3 bench/train.py PATH/ucf101-8 --peer-python PLACE/bin/python3 [--runs 3] [--steps 5] [--bf16-steps 2] [--set model.width=32 ...]

ResNet3D-18, 8 clips of 16 x 112 x 112, unless --set says otherwise. distal's step takes its clips augmented from the frame cache, PyTorch's are ready in
memory. First, in float32 and with channels last, the loss and the norm of the gradient of the first batch must be the same to 1e-4 of themselves. Then distal trains
as it would by itself (training.precision=auto: bf16 where the processor has it) and in float32, PyTorch in float32 and in bf16 (autocast, channels_last_3d): that takes
minutes a step where the processor has no bf16 (--bf16-steps 0 leaves it out). The gradients of all of them are compared with float64's, parameter by parameter.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile

from process import json_of

HERE = pathlib.Path(__file__).resolve().parent

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data", type=pathlib.Path)
parser.add_argument("--distal", type=pathlib.Path, default=HERE.parent / "build/release/distal")
parser.add_argument("--peer-python", type=pathlib.Path, required=True)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--batch", type=int, default=8)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--steps", type=int, default=5, help="of a run; the median of all but the first counts")
parser.add_argument("--bf16-steps", type=int, default=2, help="0: leave the peer's bf16 out")
parser.add_argument("--set", action="append", default=[], dest="sets", help="key=value for distal bench train")
options = parser.parse_args()



def ours(precision):
    """Leaves its first batch and the gradients of it in its folder."""
    command = [options.distal, "bench", "train", "--data", options.data, "--threads", options.threads, "--batch", options.batch, "--clips", options.batch * options.steps,
               "--steps", options.steps, "--out", folder / precision, "--json", "--set", f"training.precision={precision}"]
    for text in options.sets:
        command += ["--set", text]
    return json_of(command)


def say(name, own, peers):
    """Seconds a step of ours and the ratios to each peer, run by run."""
    parts = []
    for peer, results in peers.items():
        ratios = [theirs["step_s"] / mine["step_s"] for mine, theirs in zip(own, results)]
        parts.append(f"{statistics.median(ratios):.2f} x PyTorch {peer} ({min(ratios):.2f} to {max(ratios):.2f})")
    stalled = 100 * statistics.median(result["stalled"] for result in own)
    print(f"distal {name} [{own[0]['precision']}]: {statistics.median(result['step_s'] for result in own):.3f} s a step, waiting for clips {stalled:.1f} % of the time; "
          + ", ".join(parts), flush=True)


with tempfile.TemporaryDirectory(prefix="distal-bench-") as name:
    folder = pathlib.Path(name)
    theirs = [options.peer_python, HERE / "peers/train_torch.py", folder / "f32"]
    own, peers = {"auto": [], "f32": []}, {"f32": []} | ({"bf16": []} if options.bf16_steps > 0 else {})
    for _ in range(options.runs):
        for precision, results in own.items():
            results.append(ours(precision))
        for precision, results in peers.items():
            results.append(json_of(theirs + [precision, options.threads, options.bf16_steps + 1 if precision == "bf16" else options.steps]
                                   + [folder / precision / "gradients.safetensors" for precision in own]))
    mine, eager = own["f32"][0], peers["f32"][0]
    for key in ("loss", "gradient_norm"):
        if abs(mine[key] - eager[key]) > 1e-4 * abs(eager[key]):
            sys.exit(f"{key}: {mine[key]} here and {eager[key]} there; not the same step")
    print(f"the first batch in float32: loss {mine['loss']:.6f} and {eager['loss']:.6f}, norm of the gradient {mine['gradient_norm']:.5f} and {eager['gradient_norm']:.5f}")
    for name, results in peers.items():
        print(f"PyTorch {name}{' channels_last_3d' if name == 'bf16' else ''}: {statistics.median(result['step_s'] for result in results):.3f} s a step")
    for name, results in own.items():
        say(name, results, peers)
    for gradients, error in {**eager["errors"], **peers.get("bf16", peers["f32"])[0]["errors"]}.items():
        who = {"float32": "PyTorch float32", "last": "PyTorch float32 channels_last_3d", "bf16": "PyTorch bf16"}.get(gradients) or f"distal {pathlib.Path(gradients).parent.name}"
        print(f"gradients of {who} against float64: {error['median']:.4f} of themselves in the median, {error['worst']:.3f} in {error['where']}")
