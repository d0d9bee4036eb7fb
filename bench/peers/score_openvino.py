"""OpenVINO's own Python loop over clips that are ready in memory, by a model that distal export wrote, as JSON: clips a second and the logits' error.

    python3 score_openvino.py MODEL.onnx SAMPLE f32|bf16 THREADS BATCH CLIPS REPEATS

SAMPLE_clips.npy and SAMPLE_logits.npy are what distal export --input clips --sample wrote: clips and distal's float answers. As OpenVINO's documentation advises for many
clips: the throughput hint, as many requests under way as it proposes, a fixed batch, no copy of the clips. The clips are random; the median of REPEATS counts.
"""

import json
import statistics
import sys
import time

import numpy as np
import openvino as ov

model, sample, precision = sys.argv[1:4]
threads, batch, count, repeats = map(int, sys.argv[4:])
core = ov.Core()
network = core.read_model(model)
shape = [batch] + [side.get_length() for side in list(network.input().partial_shape)[1:]]
network.reshape(shape)
compiled = core.compile_model(network, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": precision})
queue = ov.AsyncInferQueue(compiled)
found = {}
queue.set_callback(lambda request, number: found.update({number: request.get_tensor("logits").data.copy()}))


def logits_of(batches):
    found.clear()
    for number, clips in enumerate(batches):
        queue.start_async({0: clips}, number, share_inputs=True)
    queue.wait_all()
    return np.concatenate([found[number] for number in range(len(batches))])


known, expected = np.load(sample + "_clips.npy"), np.load(sample + "_logits.npy")
padded = np.concatenate([known, np.zeros([-len(known) % batch] + shape[1:], np.float32)])
logits = logits_of(np.split(padded, len(padded) // batch))[:len(known)]
random = np.random.default_rng(1)
batches = [random.standard_normal(shape, np.float32) for _ in range(-(-count // batch))]
logits_of(batches)  # warms up
took = []
for _ in range(repeats):
    began = time.monotonic()
    logits_of(batches)
    took.append(time.monotonic() - began)
print(json.dumps({"clips_per_s": count / statistics.median(took), "error": float(np.linalg.norm(logits - expected) / np.linalg.norm(expected)),
                  "streams": compiled.get_property("NUM_STREAMS"), "requests": len(queue), "version": ov.get_version()}))
