"""A strategy in a plugin is listed, used, tested; what is no plugin of this distal is refused."""

import json
import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from small import Place, require

program, conformance, plugin, wrong_abi, taken_name = sys.argv[1:6]
folder = tempfile.TemporaryDirectory(prefix="distal-test-")
place = pathlib.Path(folder.name)


def run(*words, code=0, says=""):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=300)
    said = done.stderr or done.stdout
    require(done.returncode == code, f"{words}: exit {done.returncode}, not {code}: {said}")
    for part in [says] if isinstance(says, str) else says:
        require(part in done.stderr, f"{words}: says '{done.stderr.strip()}', not '{part}'")
    return done.stdout


# listed, with its paper, its file and its options
require("least_energy" not in run("list", "strategies"), "nothing is loaded that was not named")
methods = json.loads(run("--plugin", plugin, "list", "strategies", "--json"))
rows = {row["name"]: row for row in methods}
require(list(rows) == sorted(rows), "methods are sorted by name")
require(rows["least_energy"]["plugin"] == plugin, "the list names the file")
require("NeurIPS 2020" in rows["least_energy"]["source"], "and the paper")
require("plugin" not in rows["entropy"], "a method of distal comes from no plugin")
shown = run("list", "least_energy", "--plugin", plugin)
require("temperature" in shown and f"plugin {plugin}" in shown, f"its options are shown: {shown}")

# chosen: the rows of a plain loop
draw = random.Random(1)
logits = [[draw.gauss(0, 2) for _ in range(3)] for _ in range(40)]
header = "{'descr': '<f4', 'fortran_order': False, 'shape': (40, 3), }"
header += " " * (63 - (10 + len(header)) % 64) + "\n"
values = struct.pack("<120f", *(value for row in logits for value in row))
size = struct.pack("<H", len(header))
(place / "z.npy").write_bytes(b"\x93NUMPY\x01\x00" + size + header.encode() + values)
select = ["select", "--strategy", "least_energy", "--count", 5, "--logits", place / "z.npy"]
wanted = sorted(range(40), key=lambda r: math.log(sum(math.exp(z / 2) for z in logits[r])))[:5]
for words in (["--plugin", plugin, *select], [f"--plugin={plugin}", *select],
              [*select, "--plugin", plugin], [*select, "--plugin", plugin, "--plugin", plugin]):
    picks = [int(line) for line in run(*words, "--set", "strategy.temperature=2").split()]
    require(picks == wanted, f"{words}: {picks}, not {wanted}")
run(*select, code=2, says="least_energy")
run("--plugin", plugin, *select, "--set", "strategy.temperature=0", code=2, says="temperature")

# in a recipe, also where jobs share the work
small = Place()
recipe = (small.path / "recipe.yaml").read_text()
require("margin: {strategy: margin}" in recipe, "the recipe that tests share has an arm margin")
recipe = recipe.replace("margin: {strategy: margin}", "energy: {strategy: least_energy}")
(small.path / "recipe.yaml").write_text(recipe)
done = subprocess.run(small.command("out"), capture_output=True, text=True, timeout=600)
refused = done.returncode == 2 and "least_energy" in done.stderr
require(refused, f"without its plugin the recipe is refused: {done.stderr}")
command = small.command("out", "--jobs", "2")
command[1:1] = ["--plugin", plugin]
done = subprocess.run(command, capture_output=True, text=True, timeout=600)
require(done.returncode == 0, f"the recipe runs: {done.stderr}")
require("energy" in (small.path / "out" / "curve.csv").read_text(), "the arm is in the results")

# refused, with what and the cure
run("--plugin", place / "absent.so", "list", code=2, says=["--plugin", "absent.so", "no such file"])
run("--plugin", place, "list", code=2, says="--plugin")
(place / "text.so").write_text("int a;\n")
run("--plugin", place / "text.so", "list", code=2,
    says=["text.so: cannot be loaded", "give a shared library"])
run("list", "--plugin", code=2, says="--plugin: a file is missing")
needed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout.splitlines()
library = next(line.split()[2] for line in needed if "libm.so" in line)
run("--plugin", library, "list", code=2, says=["has no symbol distal_plugin", "DISTAL_PLUGIN"])
run("--plugin", wrong_abi, "list", code=2,
    says=["was built for distal 0.0.1", "LibTorch 1.0.0", "build it again"])
run("--plugin", taken_name, "list", "all_alike", code=2,
    says=["entropy has the name of another", "give it another name"])

# tested
tested = subprocess.run([conformance, plugin], capture_output=True, text=True, timeout=600)
said = tested.stdout[-3000:] + tested.stderr
require(tested.returncode == 0, f"the strategy keeps its promises: {said}")
test = "Plugin/EveryStrategy.RefusesNaNInWhatItUses/least_energy"
require(test in tested.stdout, f"its tests ran: {said}")
require("EveryLoss" not in tested.stdout, "methods of distal are not tested again")
refused = subprocess.run([conformance, wrong_abi], capture_output=True, text=True, timeout=60)
same = refused.returncode == 2 and "was built for" in refused.stderr
require(same, "the tester refuses what distal refuses")
