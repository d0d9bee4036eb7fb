"""Prints the class and the probabilities of a video, or of its part from START_S to END_S:

    pip install av numpy onnxruntime        (for an .xml: av numpy openvino)
    python NAME.py VIDEO [START_S END_S]

The exported model NAME and NAME.json stand beside this program, which `distal export` wrote. It
gives what `distal predict` gives.
"""
import bisect
import json
import math
import sys

import av
import numpy

MODEL = __file__.removesuffix(".py")
ABOUT = json.load(open(MODEL + ".json", encoding="utf-8"))
SAMPLING, SHORT = ABOUT["export"]["sampling"], ABOUT["export"]["scaling"]["short_side_px"]


def decoded(path):
    with av.open(path) as video:
        yield from video.decode(video.streams.best("video"))


def chosen(times, start, end):
    """The numbers of the frames that the network sees. `times`: when each frame begins, s."""
    def first_from(t):
        at = bisect.bisect_left(times, t)
        early = t - times[at - 1] if at else math.inf
        after = times[at] if at < len(times) else math.inf
        return at - (early <= 0.0005 and early < after - t)
    first, stop = first_from(start), first_from(end)
    if first >= stop:
        first = max(bisect.bisect_right(times, start + 1e-6) - 1, 0)
        stop = first + 1
    count, frames, stride = stop - first, SAMPLING["frames"], SAMPLING["stride"]
    if SAMPLING["rule"] == "even":
        return [first + (2 * i + 1) * count // (2 * frames) for i in range(frames)]
    begin = (max(count - (frames - 1) * stride, 1) - 1) // 2
    return [first + min(begin + i * stride, count - 1) for i in range(frames)]


def converted(frame, full, matrix, scale, to):
    frame.color_range, frame.colorspace = 2 if full else 1, matrix
    graph = av.filter.Graph()
    source = (f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:"
              f"time_base=1/1:range={frame.color_range}:colorspace={matrix}")
    steps = (("buffer", source), ("scale", scale + ":in_chroma_loc=center"), ("format", to),
             ("buffersink", ""))
    graph.link_nodes(*(graph.add(*step) for step in steps)).configure()
    graph.push(frame)
    return graph.pull()


def rows(plane):
    return numpy.frombuffer(plane, "u1").reshape(-1, plane.line_size)


def picture(frame, turn):
    """uint8 [H, W, 3], RGB, turned, its short side SHORT. YUV 4:2:0 is scaled as it is."""
    side, name = min(frame.width, frame.height), frame.format.name
    width, height = ((n * SHORT + side // 2) // side for n in (frame.width, frame.height))
    how = "area" if 2 * width < frame.width and 2 * height < frame.height else "bilinear"
    full = frame.format.is_rgb or name.startswith("yuvj") or frame.color_range == 2
    matrix = int(frame.colorspace) if int(frame.colorspace) in (1, 4, 7, 9, 10) else 5
    matrix, even = 0 if frame.format.is_rgb else matrix, height
    if name in ("yuv420p", "yuvj420p") and (width, height) != (frame.width, frame.height):
        to = f"{width}:{height}:flags={how}:out_chroma_loc=center"
        small = converted(frame, full, matrix, to, name)
        even, how = height + height % 2, "bilinear"
        frame = av.VideoFrame(width, even, name)
        for source, target in zip(small.planes, frame.planes):
            columns = min(source.line_size, target.line_size)
            rows(target)[:len(rows(source)), :columns] = rows(source)[:, :columns]
    rgb = converted(frame, full, matrix, f"{width}:{even}:flags={how}", "rgb24")
    return numpy.rot90(rgb.to_ndarray()[:height], round(turn / 90))


def normalised(frames):
    """float32 [1, 3, T, P, P]: what a graph that takes frames does itself."""
    size = ABOUT["export"]["crop"]["size_px"]
    top, left = ((n - SHORT) // 2 for n in frames.shape[1:3])
    x = frames[:, top:top + SHORT, left:left + SHORT].astype("f4")
    at = numpy.clip((numpy.arange(size) + 0.5) * SHORT / size - 0.5, 0, SHORT - 1)
    low = at.astype(int)
    high, weight = numpy.minimum(low + 1, SHORT - 1), (at - low).astype("f4")[:, None]
    x = x[:, low] + (x[:, high] - x[:, low]) * weight[:, None]
    x = x[:, :, low] + (x[:, :, high] - x[:, :, low]) * weight
    return numpy.ascontiguousarray((x / 127.5 - 1).transpose(3, 0, 1, 2)[None])


def answer(name, value, output):
    if MODEL.endswith(".onnx"):
        import onnxruntime
        return onnxruntime.InferenceSession(MODEL).run([output], {name: value})[0][0]
    import openvino
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model(MODEL, "CPU", exact)({name: value})[output][0]


def main(path, start=0, end=math.inf):
    times, last, turn = [], 0, None
    for frame in decoded(path):
        turn = frame.rotation if turn is None else turn  # of frames that say nothing
        at = frame.pts if frame.pts is not None else frame.dts
        last = last + 1e-3 if at is None else float(at * frame.time_base)
        times.append(last)
    wanted = chosen([t - times[0] for t in times], float(start), float(end))
    seen = {i: picture(f, f.rotation or turn) for i, f in enumerate(decoded(path)) if i in wanted}
    frames = numpy.stack([seen[i] for i in wanted])
    if ABOUT["export"]["input"]["name"] == "frames":
        found = answer("frames", frames[None], "probabilities")
    else:
        logits = answer("clips", normalised(frames), "logits")
        found = numpy.exp(logits - logits.max())
        found /= found.sum()
    print(json.dumps({"path": path, "class": ABOUT["classes"][int(found.argmax())],
                      "probabilities": dict(zip(ABOUT["classes"], map(float, found)))}))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) in (2, 4) else __doc__)
