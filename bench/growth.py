"""Does a clip cost the same in a larger pool? distal run (growth.yaml) on pools of several sizes: time a clip, a step and a pick, and memory.

    python3 bench/growth.py DATA [--sizes 1000 10000 100000] [--runs 3] [--threads 2] [--folder PLACE]

DATA holds train.csv, test.csv and the videos (mp4). A pool is the beginning of one long list: clips of 4 frames, no frame twice, 20 of each of a few videos of
train.csv, then 20 of a copy of each, and so on. A copy has the same frames and, by an empty box behind them, other bytes: it is probed, decoded and cached
as a video of its own. So all pools have the same mix of videos and as many clips a video. PLACE (else the system's temporary folder) needs 50 kB a clip of the largest.

Each pool is run twice, with a new store each time: with no decoded frame at hand, and with those of the first run. Medians over --runs of
  decode   reading every clip in the first run, less the same in the second; on all cores      ms a clip
  read     the same in the second run: from the cache, each frame checked                      ms a clip
  score    the student over all clips of the pool, second run                                  ms a clip
  rest     what is in no stage of the second run: start, lists, store, report                  ms a clip
  train    second run                                                                          ms a step
  select   second run; a pick looks at the whole pool, so this is compared for 1,000 clips     ms a pick, and ms a pick and 1,000 clips
  memory   the more of both runs: the most that was resident, as the kernel says; and the most without mapped files, seen every 10 ms
A fixed cost makes a figure fall as the pool grows, and might hide one that rises: what each further clip adds, from one size to the next, is printed below. Of
memory that is compared with 100 bytes and one embedding; it takes tens of thousands of clips to stand out from what the program needs anyway, which differs by some
30 MB from run to run. Pools below 336 clips are scored by another engine than larger ones.
"""

import argparse
import csv
import json
import os
import pathlib
import random
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
FRAMES = 4  # of a clip, as in growth.yaml
TEST_CLIPS = 40
CLIP_STAGES = ("decode", "read", "score", "rest", "select")


def evenly(items, count):
    return [items[i * len(items) // count] for i in range(count)]


def videos_of(program, data, name, clips):
    """The rows of a list whose videos hold so many clips, with the number of frames."""
    with open(data / name, newline="") as file:
        rows = list(csv.DictReader(file))
    probed = subprocess.run([str(program), "probe", "--json"] + [str(data / row["path"]) for row in rows], capture_output=True, text=True)
    frames = {video["path"]: video.get("frames", 0) for video in map(json.loads, probed.stdout.splitlines())}
    rows = [row | {"frames": frames.get(str(data / row["path"]), 0)} for row in rows]
    return [row for row in rows if row["frames"] >= (clips + 1) * FRAMES]


def rows_of(video, path, clips, chance):
    """Clips of one video, at random places: path, label, group, first and last frame."""
    phase = chance.randrange(FRAMES)
    slots = sorted(chance.sample(range((video["frames"] - phase) // FRAMES), clips))
    return [(str(path), video["label"], video["group"], phase + slot * FRAMES, phase + slot * FRAMES + FRAMES - 1) for slot in slots]


def write_list(path, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "group", "start_frame", "end_frame")] + rows)


def write_pools(program, data, folder, sizes, clips):
    """folder/SIZE/pool.csv and test.csv of each size, and the copies of the videos."""
    chance = random.Random(1)
    videos, count = videos_of(program, data, "train.csv", clips), max(1, min(sizes) // clips)
    if count > len(videos):
        sys.exit(f"{data}/train.csv: {len(videos)} videos have {(clips + 1) * FRAMES} frames or more, {min(sizes)} clips need {count}; raise --clips-per-video")
    videos = evenly(videos, count)
    classes = {video["label"] for video in videos}
    test_videos = [video for video in videos_of(program, data, "test.csv", 1) if video["label"] in classes]
    test = [rows_of(video, data / video["path"], 1, chance)[0] for video in evenly(test_videos, TEST_CLIPS)]
    pool, copy = [], 0
    while len(pool) < max(sizes):
        for video in videos:
            path = folder / "videos" / str(copy) / video["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((data / video["path"]).read_bytes() + struct.pack(">I4sQ", 16, b"free", copy))
            pool += rows_of(video, path, clips, chance)
        copy += 1
    for size in sizes:
        (folder / str(size)).mkdir()
        write_list(folder / str(size) / "pool.csv", pool[:size])
        write_list(folder / str(size) / "test.csv", test)


def unmapped_bytes(process):
    """Resident now, but for mapped files; 0 where it has ended."""
    try:
        found = re.search(r"RssAnon:\s*(\d+) kB", pathlib.Path(f"/proc/{process.pid}/status").read_text())
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def embedding_length(student):
    """The columns of its only matrix, the classifier's."""
    with open(student, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return next(tensor["shape"][1] for tensor in header.values() if len(tensor.get("shape", [])) == 2)


def run(program, lists, cache, threads):
    with tempfile.TemporaryDirectory(dir=lists) as folder, open(f"{folder}/json", "w+") as out, open(f"{folder}/errors", "w+") as errors:
        command = [program, "run", HERE / "growth.yaml", "--data", lists, "--threads", threads, "--quiet", "--json", "--out", f"{folder}/out",
                   "--store", f"sqlite:{folder}/store.db", "--set", f"cache.folder={cache}"]
        began = time.monotonic()
        process = subprocess.Popen([str(part) for part in command], stdout=out, stderr=errors)
        unmapped, ended = 0, 0
        while not ended:
            unmapped = max(unmapped, unmapped_bytes(process))
            time.sleep(0.01)
            ended, process.returncode, usage = os.wait4(process.pid, os.WNOHANG)
        seconds = time.monotonic() - began
        out.seek(0), errors.seek(0)
        if process.returncode != 0:
            sys.exit(f"{' '.join(str(part) for part in command)}: {errors.read()}")
        return {"result": json.load(out), "seconds": seconds, "memory": usage.ru_maxrss * 1024, "unmapped": unmapped,
                "embedding": embedding_length(f"{folder}/out/badge.safetensors")}


def check(size, result):
    if result["quarantined"]:
        sys.exit(f"{size} clips: {len(result['quarantined'])} videos were put aside, the first because: {result['quarantined'][0]['reason']}")
    if (result["pool_clips"], result["test_clips"]) != (size, TEST_CLIPS):
        sys.exit(f"{size} clips: the run had {result['pool_clips']}, and {result['test_clips']} to test on: {result['notes']}")


def measure(program, folder, size, threads):
    """ms of each stage (of a step, of a pick), bytes."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        first, second = (run(program, folder / str(size), cache, threads) for _ in range(2))
    check(size, first["result"]), check(size, second["result"])
    result = second["result"]
    rounds = result["cells"][0]["rounds"]
    stages = {stage: 1000 * sum(round_[f"{stage}_s"] for round_ in rounds) for stage in ("train", "score", "select", "ask", "evaluate")}
    read = 1000 * result["read_s"]
    share = size / (size + TEST_CLIPS)  # the test clips are read too
    steps = int(re.search(r"\bsteps: (\d+)", result["recipe"])[1]) * len(rounds)
    return {"decode": (1000 * first["result"]["read_s"] - read) * share, "read": read * share, "score": stages["score"],
            "rest": 1000 * second["seconds"] - sum(stages.values()) - read, "train": stages["train"] / steps,
            "select": stages["select"] / (rounds[-1]["answers"] - rounds[0]["answers"]),
            "memory": max(first["memory"], second["memory"]), "unmapped": max(first["unmapped"], second["unmapped"]), "embedding": second["embedding"]}


def print_sizes(sizes, rows):
    print("            decode      read     score      rest     train    select   select, ms a  memory   without mapped\n"
          "   clips   ms/clip   ms/clip   ms/clip   ms/clip   ms/step   ms/pick  pick and 1,000      MB        files, MB")
    for size, row in zip(sizes, rows):
        clip = "".join(f"{row[stage] / size:10.3f}" for stage in ("decode", "read", "score", "rest"))
        print(f"{size:8}{clip}{row['train']:10.3f}{row['select']:10.3f}{1000 * row['select'] / size:16.4f}{row['memory'] / 1e6:8.0f}{row['unmapped'] / 1e6:17.0f}")


def verdict(ratio):
    return f"{ratio:.2f} times, " + ("flat within 10 %" if 0.9 <= ratio <= 1.1 else "grows" if ratio > 1 else "falls")


def further(sizes, rows, name):
    """What each further clip adds from one size to the next."""
    return [(rows[i + 1][name] - rows[i][name]) / (sizes[i + 1] - sizes[i]) for i in range(len(sizes) - 1)]


def print_growth(sizes, rows):
    print(f"\nWith {sizes[-1]} clips against {sizes[0]}, and what each further clip adds from one size to the next:")
    print(f"  train   {verdict(rows[-1]['train'] / rows[0]['train'])}")
    for stage in CLIP_STAGES:
        added = further(sizes, rows, stage)
        unit = "ns a pick" if stage == "select" else "us"
        scale = 1e6 if stage == "select" else 1e3
        print(f"  {stage:7} {verdict(rows[-1][stage] / rows[0][stage] * sizes[0] / sizes[-1])}; " + ", ".join(f"{scale * ms:.1f}" for ms in added) + f" {unit}"
              + (f", the last against the first {verdict(added[-1] / added[0])}" if len(added) > 1 else ""))
    bar = 100 + 4 * rows[-1]["embedding"]
    for name, text in (("memory", "memory"), ("unmapped", "memory without mapped files")):
        added = further(sizes, rows, name)
        print(f"  {text}: " + ", ".join(f"{bytes_:.0f}" for bytes_ in added) + f" bytes; 100 and an embedding of {rows[-1]['embedding']} are {bar}: "
              + ("met" if added[-1] <= bar else f"{added[-1] / bar:.1f} times as much"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--program", type=pathlib.Path, default=HERE.parent / "build/release/distal")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000], help="two or more, 200 clips at least")
    parser.add_argument("--clips-per-video", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the networks; clips are read on all cores")
    parser.add_argument("--folder", help="where the lists, the copies and the decoded frames go")
    options = parser.parse_args()
    sizes = sorted(set(options.sizes))
    if len(sizes) < 2 or sizes[0] < 200:
        parser.error("--sizes: give two or more, of 200 clips at least")
    found = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory(prefix="distal-bench-", dir=options.folder) as name:
        folder = pathlib.Path(name)
        write_pools(options.program, options.data.resolve(), folder, sizes, options.clips_per_video)
        for number in range(options.runs):
            for size in sizes:
                found[size].append(measure(options.program, folder, size, options.threads))
                print(f"run {number + 1}, {size} clips: " + ", ".join(f"{key} {value:.4g}" for key, value in found[size][-1].items()), flush=True)
    print("every clip of every pool was read and scored\n")
    rows = [{key: statistics.median(measured[key] for measured in found[size]) for key in found[size][0]} for size in sizes]
    print_sizes(sizes, rows)
    print_growth(sizes, rows)


main()
