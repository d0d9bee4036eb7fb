"""A small ONNX file, written byte by byte: frames [N, 3, size, size] -> convolution, ReLU, mean over positions -> [N, width]. Its tensors are named as ours are."""

import math
import random
import struct


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def node(kind, inputs, output, **ints):
    fields = b"".join(text(1, name) for name in inputs) + text(2, output) + text(4, kind)
    for name, values in ints.items():
        fields += text(5, text(1, name) + b"".join(number(8, value) for value in values) + number(20, 7))
    return text(1, fields)


def tensor(name, sizes, values):
    return text(5, b"".join(number(1, size) for size in sizes) + number(2, 1) + text(8, name) + text(9, struct.pack(f"<{len(values)}f", *values)))


def value(name, sizes):
    shape = text(1, text(2, "batch")) + b"".join(text(1, number(1, size)) for size in sizes)
    return text(1, name) + text(2, text(1, number(1, 1) + text(2, shape)))


def write(path, size, width=12, seed=1):
    draw = random.Random(seed)
    weights = [draw.gauss(0, 1 / math.sqrt(75)) for _ in range(width * 75)]
    graph = (node("Conv", ["clips", "w", "b"], "t0", strides=(2, 2), pads=(2, 2, 2, 2), kernel_shape=(5, 5)) + node("Relu", ["t0"], "t1")
             + node("GlobalAveragePool", ["t1"], "t2") + node("Flatten", ["t2"], "logits") + text(2, "small")
             + tensor("w", (width, 3, 5, 5), weights) + tensor("b", (width,), [draw.gauss(0, 1) for _ in range(width)])
             + text(11, value("clips", (3, size, size))) + text(12, value("logits", (width,))))
    path.write_bytes(number(1, 7) + text(7, graph) + text(8, text(1, "") + number(2, 13)))
