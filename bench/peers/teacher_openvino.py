"""OpenVINO's own Python loop over decoded frames in files, by a network of single frames, as JSON: clips a second.

    python3 teacher_openvino.py FILE.onnx FOLDER bf16|f32 THREADS BATCH FRAMES REPEATS VIDEO...

FRAMES frames of each video, centres of equal parts, are decoded once with PyAV to a short side of 256 pixels and written to FOLDER/N.npy, uint8. What is timed begins
with these files: they are mapped, cropped to 224 x 224, normalised by OpenVINO's own preprocessing within the graph, and evaluated in batches of BATCH clips, the
throughput hint, as many requests under way as it proposes. Logits are averaged over frames and softmax is taken. The median of REPEATS counts, after one that does not.
"""

import json
import pathlib
import statistics
import sys
import time

import av
import numpy as np
import openvino as ov

model, folder, precision = sys.argv[1:4]
threads, batch, frames, repeats = map(int, sys.argv[4:8])
videos, folder = sys.argv[8:], pathlib.Path(folder)
SIDE, SHORT = 224, 256


def write(video, path):
    with av.open(video) as container:
        pictures = list(container.decode(video=0))
    tick = len(pictures) / frames
    chosen = [pictures[int(tick / 2 + tick * i)] for i in range(frames)]
    scale = SHORT / min(chosen[0].width, chosen[0].height)
    size = [max(SHORT, round(side * scale)) for side in (chosen[0].width, chosen[0].height)]
    np.save(path, np.stack([picture.reformat(*size, format="rgb24").to_ndarray() for picture in chosen]))


files = [folder / f"{i}.npy" for i in range(len(videos))]
for video, path in zip(videos, files):
    if not path.exists():
        write(video, path)

core = ov.Core()
steps = ov.preprocess.PrePostProcessor(core.read_model(model))
steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
steps.input().model().set_layout(ov.Layout("NCHW"))
steps.input().preprocess().convert_element_type(ov.Type.f32).mean([123.675, 116.28, 103.53]).scale([58.395, 57.12, 57.375])
network = steps.build()
network.reshape([batch * frames, SIDE, SIDE, 3])
compiled = core.compile_model(network, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision})
queue = ov.AsyncInferQueue(compiled)
found = {}
queue.set_callback(lambda request, number: found.update({number: request.get_output_tensor().data.copy()}))


def cropped(path):
    pictures = np.load(path, mmap_mode="r")
    top, left = (pictures.shape[1] - SIDE) // 2, (pictures.shape[2] - SIDE) // 2
    return pictures[:, top:top + SIDE, left:left + SIDE]


def answers():
    found.clear()
    for number, at in enumerate(range(0, len(files), batch)):
        clips = [cropped(path) for path in files[at:at + batch]]
        clips += [clips[-1]] * (batch - len(clips))
        queue.start_async({0: np.concatenate(clips)}, number)
    queue.wait_all()
    logits = np.concatenate([found[number].reshape(batch, frames, -1).mean(1) for number in range(len(found))])[:len(files)]
    exps = np.exp(logits - logits.max(1, keepdims=True))
    return exps / exps.sum(1, keepdims=True)


answers()
took = []
for _ in range(repeats):
    began = time.monotonic()
    answers()
    took.append(time.monotonic() - began)
print(json.dumps({"clips_per_s": len(files) / statistics.median(took), "streams": compiled.get_property("NUM_STREAMS"), "requests": len(queue), "version": ov.get_version()}))
