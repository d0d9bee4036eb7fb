"""Networks that PyTorch writes as ONNX, OpenVINO's IR, TorchScript and pt2 give what PyTorch gives, within 1e-4. `distal doctor FILE` says what they take, and its
recipe section is accepted as it is.

networks_test.py DISTAL NETWORK_OUTPUTS DEPS: DEPS holds torch, openvino and the Python packages of `setup.sh test` (python/)."""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import warnings

PROGRAM, OUTPUTS, DEPS = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
sys.path += [str(DEPS), str(DEPS / "python")]
try:
    import torch
    import onnx
    import openvino
    import filelock  # of torch.export
except ImportError as missing:
    print(f"skipped: {missing}; bash cmake/setup.sh test installs it")
    sys.exit(77)
warnings.filterwarnings("ignore")

folder_object = tempfile.TemporaryDirectory(prefix="distal-networks-")
FOLDER = pathlib.Path(folder_object.name)
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.3]


def require(condition, sentence):
    if not condition:
        sys.exit("FAILED: " + sentence)


# ---- three networks by the layer tables of torchvision, narrow and shallow


def block(conv, norm, channels_in, channels, stride):
    """resnet.BasicBlock, video.resnet.BasicBlock"""

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = conv(channels_in, channels, 3, stride, 1, bias=False), norm(channels)
            self.conv2, self.bn2 = conv(channels, channels, 3, 1, 1, bias=False), norm(channels)
            self.downsample = torch.nn.Sequential(conv(channels_in, channels, 1, stride, bias=False), norm(channels)) if stride != 1 else torch.nn.Identity()

        def forward(self, x):
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(y + self.downsample(x))

    return Block()


def resnet():
    n = torch.nn
    return n.Sequential(n.Conv2d(3, 8, 7, 2, 3, bias=False), n.BatchNorm2d(8), n.ReLU(), n.MaxPool2d(3, 2, 1), block(n.Conv2d, n.BatchNorm2d, 8, 8, 1),
                        block(n.Conv2d, n.BatchNorm2d, 8, 16, 2), n.AdaptiveAvgPool2d(1), n.Flatten(1), n.Linear(16, 5))


def r3d():
    n = torch.nn
    return n.Sequential(n.Conv3d(3, 8, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False), n.BatchNorm3d(8), n.ReLU(), block(n.Conv3d, n.BatchNorm3d, 8, 8, 1),
                        block(n.Conv3d, n.BatchNorm3d, 8, 16, 2), n.AdaptiveAvgPool3d(1), n.Flatten(1), n.Linear(16, 5))


class Vit(torch.nn.Module):
    """vision_transformer.VisionTransformer without its head: [N, 1 + tokens, 32]"""

    def __init__(self, width=32, heads=2, depth=2, size=32, patch=8):
        super().__init__()
        n = torch.nn
        self.patches = n.Conv2d(3, width, patch, patch)
        self.token = n.Parameter(torch.randn(1, 1, width))
        self.position = n.Parameter(torch.randn(1, 1 + (size // patch)**2, width))
        self.heads = heads
        self.blocks = n.ModuleList(n.ModuleDict({"ln1": n.LayerNorm(width), "qkv": n.Linear(width, 3 * width), "out": n.Linear(width, width), "ln2": n.LayerNorm(width),
                                                 "mlp": n.Sequential(n.Linear(width, 4 * width), n.GELU(), n.Linear(4 * width, width))}) for _ in range(depth))
        self.ln = n.LayerNorm(width)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        for b in self.blocks:
            q, k, v = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in b["qkv"](b["ln1"](x)).chunk(3, 2))
            x = x + b["out"](torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
            x = x + b["mlp"](b["ln2"](x))
        return self.ln(x)


def made(make, seed):
    torch.manual_seed(seed)
    net = make().eval()
    for module in net.modules():  # as after training: statistics of their own
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
    return net


# ---- files


def write_npy(path, tensor):
    header = repr({"descr": "<f4", "fortran_order": False, "shape": tuple(tensor.shape)}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(tensor.contiguous().untyped_storage()))


def read_npy(path):
    data = path.read_bytes()
    start = 10 + struct.unpack("<H", data[8:10])[0]
    shape = eval(data[10:start], {"__builtins__": {}})["shape"]
    return torch.frombuffer(bytearray(data[start:]), dtype=torch.float32).view(shape)


def write_onnx(net, example, name, dynamic):
    axes = {0: "N"} if dynamic else {}
    torch.onnx.export(net, (example, ), FOLDER / name, dynamo=False, input_names=["pixels"], output_names=["rows"], dynamic_axes={"pixels": axes, "rows": axes})
    return FOLDER / name


def write_ir(net, example, name):
    openvino.save_model(openvino.convert_model(net, example_input=example, input=[-1, *example.shape[1:]]), FOLDER / name, compress_to_fp16=False)
    return FOLDER / name


def write_script(net, example, name):
    torch.jit.trace(net, example).save(str(FOLDER / name))
    return FOLDER / name


def write_pt2(net, example, name):
    program = torch.export.export(net, (example, ), dynamic_shapes=({0: torch.export.Dim("n", min=1, max=64)}, ))
    torch._inductor.aoti_compile_and_package(program, package_path=str(FOLDER / name), inductor_configs={"aot_inductor.metadata": {"names": "{0: a, 1: b, 2: c, 3: d, 4: e}"}})
    return FOLDER / name


# ---- what the library makes of them


def outputs(section, clips):
    write_npy(FOLDER / "clips.npy", clips)
    ended = subprocess.run([OUTPUTS, section, str(FOLDER / "clips.npy"), str(FOLDER / "rows.npy")], capture_output=True, text=True, timeout=300)
    return (json.loads(ended.stdout), read_npy(FOLDER / "rows.npy"), "") if ended.returncode == 0 else (None, None, ended.stderr)


def doctor(path):
    ended = subprocess.run([PROGRAM, "doctor", str(path), "--json"], capture_output=True, text=True, timeout=300)
    require(ended.returncode == 0, f"doctor {path}: {ended.stderr}")
    return json.loads(ended.stdout)


def pixels(clips):
    return ((clips * 127.5 + 127.5) / 255 - torch.tensor(MEAN).view(1, 3, 1, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1, 1)


torch.manual_seed(1)
CLIPS = torch.randint(0, 256, (5, 3, 4, 32, 32)) / 127.5 - 1


def by_frames(net, pool):
    frames = pixels(CLIPS).transpose(1, 2).flatten(0, 1)
    with torch.no_grad():
        rows = pool(net(frames))
    return rows.view(5, 4, -1).mean(1)


def whole(net):
    with torch.no_grad():
        return net(pixels(CLIPS))


nets = {"resnet": made(resnet, 1), "vit": made(Vit, 2), "r3d": made(r3d, 3)}
wanted = {"resnet": by_frames(nets["resnet"], lambda rows: rows), "vit": by_frames(nets["vit"], lambda tokens: tokens[:, 0]), "r3d": whole(nets["r3d"])}
examples = {"resnet": torch.rand(2, 3, 32, 32), "vit": torch.rand(2, 3, 32, 32), "r3d": torch.rand(2, 3, 4, 32, 32)}
far = {}


def compare(name, path, more=""):
    section = f"network: {{file: {path}, mean: {MEAN}, std: {STD}, pooling: {'first' if name == 'vit' else 'mean'}{more}}}"
    about, rows, error = outputs(section, CLIPS)
    require(about is not None, f"{path.name}: {error}")
    distance = (rows - wanted[name]).abs().max().item()
    require(distance < 1e-4, f"{path.name} differs from PyTorch by {distance}")
    far[path.name] = distance
    return about


said = {"resnet": ", layout: nchw, size_px: 32", "vit": ", layout: nchw, size_px: 32", "r3d": ", layout: ncthw, size_px: 32, frames: 4"}
for name, net in nets.items():
    files = [write_onnx(net, examples[name], f"{name}.onnx", dynamic=True), write_ir(net, examples[name], f"{name}.xml"), write_script(net, examples[name], f"{name}.pt")]
    for path in files:
        about = compare(name, path, said[name] if path.suffix == ".pt" else "")
        require(about["size_px"] == 32 and about["frames"] == (4 if name == "r3d" else 1) and about["width"] == wanted[name].shape[1], f"{path.name}: {about}")
        require(path.suffix == ".pt" or about["said"] == [], f"{path.name} is asked in batches: {about['said']}")
compare("resnet", write_onnx(nets["resnet"], examples["resnet"][:1], "one.onnx", dynamic=False))
pt2 = write_pt2(nets["r3d"], examples["r3d"], "r3d.pt2")
about = compare("r3d", pt2)
require(about["classes"] == list("abcde") and "is pt2: a program" in about["said"][0], f"{about}")

# ---- doctor: what each takes, and a section that is accepted as it is printed
model = onnx.load(FOLDER / "resnet.onnx")
onnx.helper.set_model_props(model, {"names": "{0: 'cut', 1: 'clip', 2: 'rinse', 3: 'pack', 4: 'idle'}"})
onnx.save_model(model, FOLDER / "outside.onnx", save_as_external_data=True, location="outside.bin", size_threshold=0)
found = doctor(FOLDER / "outside.onnx")
require(found["inputs"] == [{"name": "pixels", "type": "f32", "shape": [-1, 3, 32, 32]}] and found["outputs"] == [{"name": "rows", "type": "f32", "shape": [-1, 5]}], f"{found}")
require(found["classes"] == ["cut", "clip", "rinse", "pack", "idle"] and not found["executes_code"], f"{found}")
require(doctor(pt2)["inputs"][0]["shape"] == [-1, 3, 4, 32, 32] and doctor(pt2)["executes_code"], f"{doctor(pt2)}")
for path in ("outside.onnx", "vit.xml", "r3d.pt2"):
    found = doctor(FOLDER / path)
    about, rows, error = outputs(found["recipe"], CLIPS)
    require(about is not None, f"{path}: doctor's section {found['recipe']} is refused: {error}")
text = subprocess.run([PROGRAM, "doctor", str(FOLDER / "vit.onnx")], capture_output=True, text=True, timeout=300).stdout
require("pixels: f32 [any, 3, 32, 32]" in text and "\nnetwork: {file: " in text and "executes none" in text, text)
(FOLDER / "outside.bin").unlink()
ended = subprocess.run([PROGRAM, "doctor", str(FOLDER / "outside.onnx")], capture_output=True, text=True, timeout=300)
require(ended.returncode == 1 and ended.stderr.count("\n") == 1 and "its weights" in ended.stderr, f"{ended.returncode} {ended.stderr}")

# ---- what does not fit is said before anything is computed
for more, reason in ((", size_px: 64", "so pictures of 32 pixels, and not of 64"), (", layout: nhwc", "which is not nhwc"), (", output: logits", "no output 'logits'"),
                     (", input: x", "no input 'x'"), (", frames: 8", "single frames")):
    about, rows, error = outputs(f"network: {{file: {FOLDER / 'resnet.onnx'}{more}}}", CLIPS)
    require(about is None and reason in error and error.count("\n") == 1, f"{more}: {error}")
print("largest difference from PyTorch:", ", ".join(f"{name} {distance:.1e}" for name, distance in far.items()))
