"""distal's training step against PyTorch eager (peers/train_torch.py) from the same weights on the same clips, in turns: seconds a step, ratio.

    python3 -m venv PLACE && PLACE/bin/pip install torch==2.13.0 safetensors numpy
    python3 bench/train.py PATH/ucf101-8 --peer-python PLACE/bin/python3 [--runs 3] [--steps 5] [--bf16-steps 2] [--set model.width=32 ...]

ResNet3D-18, 8 clips of 16 x 112 x 112, unless --set says otherwise. distal's step takes its clips augmented from the frame cache, PyTorch's are ready in
memory. First the loss and the norm of the gradient of the first batch must be the same to 1e-4 of themselves. PyTorch in bf16 (autocast, channels_last_3d)
runs once at the end, since it takes minutes a step where the processor has no bf16; the error of its gradients is printed.
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

with tempfile.TemporaryDirectory(prefix="distal-bench-") as folder:
    ours = [options.distal, "bench", "train", "--data", options.data, "--threads", options.threads, "--batch", options.batch, "--clips", options.batch * options.steps,
            "--steps", options.steps, "--out", folder, "--json", "--set", "training.precision=f32"]
    for text in options.sets:
        ours += ["--set", text]
    theirs = [options.peer_python, HERE / "peers/train_torch.py", folder]
    mine, eager = [], []
    for _ in range(options.runs):
        mine.append(json_of(ours))
        eager.append(json_of(theirs + ["f32", options.threads, options.steps]))
    for key in ("loss", "gradient_norm"):
        if abs(mine[0][key] - eager[0][key]) > 1e-4 * abs(eager[0][key]):
            sys.exit(f"{key}: {mine[0][key]} here and {eager[0][key]} there; not the same step")
    print(f"the first batch: loss {mine[0]['loss']:.6f} and {eager[0]['loss']:.6f}, norm of the gradient {mine[0]['gradient_norm']:.5f} and {eager[0]['gradient_norm']:.5f}")
    step = statistics.median(result["step_s"] for result in mine)
    stalled = 100 * statistics.median(result["stalled"] for result in mine)
    print(f"distal {mine[0]['precision']}: {step:.3f} s a step, waiting for clips {stalled:.1f} % of the time", flush=True)
    ratios = [peer["step_s"] / own["step_s"] for own, peer in zip(mine, eager)]
    print(f"PyTorch f32: {statistics.median(result['step_s'] for result in eager):.3f} s a step, ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)
    if options.bf16_steps > 0:
        rough = json_of(theirs + ["bf16", options.threads, options.bf16_steps + 1])
        print(f"PyTorch bf16 channels_last_3d: {rough['step_s']:.3f} s a step, ratio {rough['step_s'] / step:.2f}; its gradients differ from float32 by {rough['median_error']:.3f} of themselves "
              f"in the median and {rough['worst_error']:.3f} in {rough['worst']}")
