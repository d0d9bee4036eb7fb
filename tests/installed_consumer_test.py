"""A moved installation: distal runs from there, and so does a program that was built against it."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from small import RECIPE, require

cmake, build = sys.argv[1], pathlib.Path(sys.argv[2])
tests = pathlib.Path(__file__).resolve().parent
folder = tempfile.TemporaryDirectory(prefix="distal-test-")
place = pathlib.Path(folder.name)
paths = ("LD_LIBRARY_PATH", "CMAKE_PREFIX_PATH")
clean = {name: value for name, value in os.environ.items() if name not in paths}
clean["XDG_CACHE_HOME"] = str(place / "cache")


def run(*words, code=0):
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, env=clean, cwd=place)
    said = done.stdout[-4000:] + done.stderr[-4000:]
    require(done.returncode == code, f"{' '.join(words)}: exit {done.returncode}:\n{said}")
    return done.stdout


run(cmake, "--install", build, "--prefix", place / "first")
moved = place / "elsewhere" / "second"
moved.parent.mkdir()
(place / "first").rename(moved)

# Nothing of it names the folder of the build or the one it was installed to.
texts = [*moved.glob("lib/cmake/distal/*.cmake"), *moved.glob("include/**/*.h")]
require(len(texts) > 20, "headers and package are installed")
for path in texts:
    for name in (str(build), str(place / "first")):
        require(name not in path.read_text(), f"{path}: names {name}")
for path in (moved / "bin/distal", moved / "lib/libdistal.so", moved / "bin/distal_conformance"):
    dynamic = run("readelf", "-d", path)
    runpath = [line for line in dynamic.splitlines() if "RUNPATH" in line or "RPATH" in line]
    require(len(runpath) == 1 and "[$ORIGIN" in runpath[0], f"{path}: looks first in {runpath}")
    require(str(build) not in runpath[0], f"{path}: looks in the build: {runpath[0]}")

# Every header but the suites, which want GoogleTest, compiles where distal alone is linked.
headers = sorted(path.relative_to(moved / "include") for path in moved.glob("include/**/*.h"))
plain = [path for path in headers if path.name not in ("conformance.h", "testing.h")]
(place / "headers.cc").write_text("".join(f"#include <{path}>\n" for path in plain))
run(cmake, "-S", tests / "installed_consumer", "-B", place / "consumer", "-G", "Ninja",
    "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_PREFIX_PATH={moved}",
    f"-DPLUGIN={tests / 'plugin/least_energy.cc'}", f"-DHEADERS={place / 'headers.cc'}")
run(cmake, "--build", place / "consumer", "--parallel", "1")

said = run(place / "consumer" / "consumer", place / "left.mp4")
require(said.split("]")[0] == "[2, 32, 32, 3", f"a clip of two frames, not {said}")
require(sorted(said.split()[-2:]) == ["1", "3"], f"the least certain clips are 1 and 3, not {said}")

program = moved / "bin/distal"
(place / "recipe.yaml").write_text(RECIPE)
run(program, "run", place / "recipe.yaml", "--data", place / "videos", "--out", place / "run",
    "--store", f"sqlite:{place / 'run.db'}", "--threads", "1", "--quiet", "--set", "seeds=1",
    "--set", "rounds=0", "--set", f"cache.folder={place / 'frames'}")
video = next((place / "videos").rglob("*.mp4"))
for model in ("random.safetensors", "exported.onnx"):
    if model == "exported.onnx":
        run(program, "export", place / "run/random.safetensors", "--out", place / "run" / model)
    here = run(place / "consumer" / "predict", place / "run" / model, video).split()
    there = json.loads(run(program, "predict", place / "run" / model, video, "--all", "--json"))
    require(here[0] == there["class"], f"{model}: the program built here says {here}, not {there}")
    for ours, theirs in zip(here[1:], there["probabilities"].values(), strict=True):
        require(abs(float(ours) - theirs) < 1e-5, f"{model}: {here} and {there}")
require("entropy" in run(program, "list", "strategies"), "the moved program lists its methods")
require("h264" in run(program, "probe", place / "left.mp4"), "it reads a video")
plugin = place / "consumer" / "libleast_energy.so"
require("least_energy" in run(program, "--plugin", plugin, "list"), "it loads a plugin built here")
tested = run(moved / "bin/distal_conformance", plugin, "--gtest_filter=*EveryStrategy*")
require("[  PASSED  ]" in tested, "which keeps its promises")
