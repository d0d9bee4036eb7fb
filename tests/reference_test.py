"""The pages of docs/reference/ that the program writes are what it writes now.

It writes the same bytes in another home, on one processor and with other threads. Links lead to a
heading, every command has its chapter and every option of a recipe stands on a page.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

from small import require

DISTAL = sys.argv[1]
DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs" / "reference"
PAGES = ["commands.md", "methods.md", "recipe.md"]
CURE = ("run `build/release/distal list --reference docs/reference` in the project's folder "
        "and commit what it changed")


def run(*words, **more):
    return subprocess.run([DISTAL, *words], capture_output=True, text=True, timeout=120, **more)


def written(folder, **more):
    done = run("list", "--reference", str(folder), **more)
    require(done.returncode == 0 and done.stdout == "",
            f"the reference is written without a word: {done.stdout}{done.stderr}")
    names = sorted(path.name for path in folder.iterdir())
    require(names == PAGES, f"the reference is {PAGES}, not {names}")
    return {name: (folder / name).read_bytes() for name in PAGES}


def anchors(text):
    """What GitHub calls the headings of a page."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    headings = re.findall(r"^#+ (.*)$", prose, flags=re.M)
    kept = [re.sub(r"[^a-z0-9_ -]", "", heading.lower()) for heading in headings]
    return [heading.replace(" ", "-") for heading in kept]


def first_difference(there, here):
    there, here = there.decode().splitlines(), here.decode().splitlines()
    for number, (a, b) in enumerate(zip(there, here), 1):
        if a != b:
            return f"line {number} is\n  {a}\nand would be\n  {b}"
    return f"it has {len(there)} lines and would have {len(here)}"


def page_behind(link, texts):
    """The page that a link of a page leads to, as text."""
    other = link.partition("#")[0]
    if other in texts:
        return texts[other]
    path = (DOCS / other).resolve()
    require(path.exists(), f"the link {link} leads to no file")
    return path.read_text()


with tempfile.TemporaryDirectory(prefix="distal-test-") as name:
    folder = pathlib.Path(name)
    pages = written(folder / "new" / "here")
    elsewhere = dict(os.environ, HOME="/nowhere", XDG_CACHE_HOME="/nowhere/cache",
                     OMP_NUM_THREADS="3", LANG="de_DE.UTF-8", COLUMNS="40")
    one = min(os.sched_getaffinity(0))
    again = written(folder / "again", env=elsewhere,
                    preexec_fn=lambda: os.sched_setaffinity(0, {one}))
    for page in PAGES:
        require(pages[page] == again[page], f"{page} does not depend on the machine: "
                + first_difference(pages[page], again[page]))
    refused = run("list", "--reference", str(folder / "again" / "recipe.md"))
    require(refused.returncode == 1 and "recipe.md" in refused.stderr,
            "a folder that cannot be made is an error that names it: " + refused.stderr)

for page in PAGES:
    stands = (DOCS / page).read_bytes() if (DOCS / page).exists() else b""
    require(stands == pages[page], f"docs/reference/{page} is out of date: "
            f"{first_difference(stands, pages[page])}\n{CURE}")

texts = {page: pages[page].decode() for page in PAGES}
for page, text in texts.items():
    headings = anchors(text)
    twice = sorted({heading for heading in headings if headings.count(heading) > 1})
    require(not twice, f"{page}: a heading stands once, since links name it: {twice}")
    for link in re.findall(r"\]\(([^)\s]*#[^)\s]+)\)", text):
        target = text if link.startswith("#") else page_behind(link, texts)
        require(link.partition("#")[2] in anchors(target), f"{page}: {link} leads to a heading")

listed = run("--help").stdout.partition("Subcommands:")[2]
commands = re.findall(r"^  ([a-z]+)  ", listed, flags=re.M)
require(len(commands) > 10, "the help of the program names its commands")
for command in commands:
    require(f"\n## distal {command}\n" in texts["commands.md"], f"{command} has its chapter")

# An option stands under its full name, in a section that is told at another of the same options,
# or beside its method.
recipe_help = run("run", "--help").stdout.partition("Recipe options")[2]
options = re.findall(r"^  ([a-z0-9_.]+) ", recipe_help, flags=re.M)
require(len(options) > 150, f"the help of a recipe names its options, not {len(options)} of them")
for option in options:
    last = re.escape(option.rpartition(".")[2])
    full = re.escape(option)
    name = rf"({full}|[a-z0-9_.]+\.{last})"
    told = (re.search(rf"^\| `{name}` |^#+ {name}$", texts["recipe.md"], flags=re.M)
            or re.search(rf"^\| `{last}` ", texts["methods.md"], flags=re.M))
    require(told, f"a page tells of the option {option}")
