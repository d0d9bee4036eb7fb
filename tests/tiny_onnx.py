"""ONNX files of a few operations, written without a library: a network of others for tests."""

import struct


def number(value):
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(tag, value):
    """A field of a protobuf message: a number, or a text or message with its length before it."""
    if isinstance(value, int):
        return number(tag << 3) + number(value)
    value = value.encode() if isinstance(value, str) else value
    return number(tag << 3 | 2) + number(len(value)) + value


def port(name, shape):
    """A float32 tensor; a size that is a text is free."""
    sizes = b"".join(field(1, field(2, size) if isinstance(size, str) else field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, sizes)))


def constant(name, rows):
    flat = [value for row in rows for value in row] if isinstance(rows[0], (list, tuple)) else rows
    sizes = [len(rows), len(rows[0])] if isinstance(rows[0], (list, tuple)) else [len(rows)]
    return b"".join(field(1, size) for size in sizes) + field(2, 1) + field(8, name) + field(9, struct.pack(f"<{len(flat)}f", *flat))


def operation(kind, inputs, output, **attributes):
    message = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)
    for name, value in attributes.items():
        ints = isinstance(value, list)
        body = field(1, name) + (b"".join(field(8, one) for one in value) + field(20, 7) if ints else field(3, value) + field(20, 2))
        message += field(5, body)
    return message


def mean_colour(path, matrix, bias, size_px=32, softmax=False, metadata=None):
    """image [N, 3, H, W] to `colour` [N, 3], the mean of each channel, and `scores` [N, K] = colour x matrix + bias, or the softmax of these."""
    nodes = [operation("ReduceMean", ["image"], "colour", axes=[2, 3], keepdims=0), operation("MatMul", ["colour", "matrix"], "product"),
             operation("Add", ["product", "bias"], "sums" if softmax else "scores")]
    if softmax:
        nodes.append(operation("Softmax", ["sums"], "scores", axis=1))
    graph = b"".join(field(1, node) for node in nodes) + field(2, "graph") + field(5, constant("matrix", matrix)) + field(5, constant("bias", bias))
    graph += field(11, port("image", ["N", 3, size_px, size_px])) + field(12, port("scores", ["N", len(bias)])) + field(12, port("colour", ["N", 3]))
    model = field(1, 8) + field(2, "tests") + field(7, graph) + field(8, field(1, "") + field(2, 17))
    for key, value in (metadata or {}).items():
        model += field(14, field(1, key) + field(2, value))
    with open(path, "wb") as file:
        file.write(model)
    return str(path)


def npy(path, rows):
    """float32 [C, D]."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack(f"<{len(rows) * len(rows[0])}f", *[value for row in rows for value in row]))
    return str(path)
