"""Networks of PyTorch in four formats as teachers of whole runs: the stored answers against PyTorch's own about the same frames, within 1e-4.

    python3 -m venv PLACE && PLACE/bin/pip install torch==2.13.0 torchvision onnx onnxscript openvino==2026.4.1 numpy
    PLACE/bin/python3 -B tests/teacher_parity.py build/release/distal [ONNX] [xml] [pt2] [pt]

A small ViT, ResNet-18 and R3D-18 of torchvision's tables with random weights. Videos have the size of the networks' input, so that the frames are those that ffmpeg's
command line decodes. Continuous integration does not run this: it needs PyTorch and a C++ compiler (AOTInductor).
"""

import contextlib
import json
import sqlite3
import subprocess
import sys

import torch
import torchvision

from small import Place, paths_by_content, require

FRAMES, SIDE, MEAN, STD = 8, 32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FORMATS = [word.lower() for word in sys.argv[2:]] or ["onnx", "xml", "pt2", "pt"]


def networks():
    torch.manual_seed(1)
    vit = torchvision.models.VisionTransformer(image_size=SIDE, patch_size=8, num_layers=3, num_heads=4, hidden_dim=64, mlp_dim=128, num_classes=2)
    torch.nn.init.normal_(vit.heads.head.weight, std=0.3)  # else all answers are alike
    resnet, video = torchvision.models.resnet18(num_classes=2), torchvision.models.video.r3d_18(num_classes=2)
    return {"vit": vit.eval(), "resnet18": resnet.eval(), "r3d_18": video.eval()}


def write(name, network, folder):
    """The files by ending."""
    shape = (3, FRAMES, SIDE, SIDE) if name == "r3d_18" else (3, SIDE, SIDE)
    example = torch.rand(2, *shape)
    dynamic = ({0: torch.export.Dim("batch", min=1, max=64)},)
    files = {ending: str(folder / f"{name}.{ending}") for ending in ("onnx", "xml", "pt2", "pt")}
    with contextlib.redirect_stdout(sys.stderr):
        if {"onnx", "xml"} & set(FORMATS):
            torch.onnx.export(network, (example,), files["onnx"], input_names=["image"], output_names=["logits"], dynamic_shapes=dynamic, external_data=False, dynamo=True)
        if "xml" in FORMATS:
            import openvino
            openvino.save_model(openvino.convert_model(files["onnx"]), files["xml"], compress_to_fp16=False)
        if "pt2" in FORMATS:
            torch._inductor.aoti_compile_and_package(torch.export.export(network, (example,), dynamic_shapes=dynamic), package_path=files["pt2"])
        if "pt" in FORMATS:
            torch.jit.trace(network, example, check_trace=False).save(files["pt"])
    return {ending: files[ending] for ending in FORMATS}


def frames_of(video):
    """uint8 [T, H, W, 3]: the centres of equal parts, as distal samples by the rule even."""
    raw = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-threads", "1", "-i", str(video), "-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         capture_output=True, check=True).stdout
    all_frames = torch.frombuffer(bytearray(raw), dtype=torch.uint8).view(-1, SIDE, SIDE, 3)
    tick = len(all_frames) / FRAMES
    return all_frames[[int(tick / 2 + tick * i) for i in range(FRAMES)]]


@torch.no_grad()
def expected(name, network, video):
    pixels = (frames_of(video).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    clip = pixels.permute(3, 0, 1, 2)
    logits = network(clip.unsqueeze(0)) if name == "r3d_18" else network(clip.transpose(0, 1)).mean(0, keepdim=True)
    return logits.double().softmax(1)[0]


place, failed = Place(), 0
for name, network in networks().items():
    for ending, file in write(name, network, place.path).items():
        out = f"{name}-{ending}"
        layout = "ncthw" if name == "r3d_18" else "nchw"
        frames = f", frames: {FRAMES}" if name == "r3d_18" else ""
        oracle = f"oracle={{kind: network, network: {{file: {file}, size_px: {SIDE}, layout: {layout}{frames}, timeout_s: 300}}, short_side_px: {SIDE}}}"
        run = subprocess.run(place.command(out, "--set", oracle, "--set", "seeds=1", "--set", "rounds=1", "--set", "budget=20", "--set", "student.training.steps=1",
                                           "--set", "arms={random: {strategy: random}}"), capture_output=True, text=True, timeout=900)
        require(run.returncode == 0, f"{out}: {run.stderr}")
        with contextlib.closing(sqlite3.connect(place.path / f"{out}.db")) as store:
            rows = store.execute("select clips.video, probabilities from answers join clips on clips.id = answers.clip where oracle = 'network'").fetchall()
        require(len(rows) == 20, f"{out}: {len(rows)} answers")
        paths = paths_by_content(place.path / "videos")
        given = torch.tensor([json.loads(row[1]) for row in rows], dtype=torch.float64)
        wanted = torch.stack([expected(name, network, paths[row[0]]) for row in rows])
        far, spread = (given - wanted).abs().max().item(), wanted[:, 0].std().item()
        require(spread > 1e-3, f"{out}: PyTorch answers alike about all clips, which shows nothing: {spread:.1e}")
        failed += far > 1e-4
        print(f"{out:16} 20 answers, at most {far:.1e} from PyTorch's (bar 1e-4), which spread by {spread:.2e}", flush=True)
require(failed == 0, f"{failed} are further away")
