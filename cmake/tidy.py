"""Runs clang-tidy (.clang-tidy) over our C++ sources.

  tidy.py BUILD                  over what differs from the last release: the newest tag, or
                                 the commit that --since names
  tidy.py BUILD --all            over all
  tidy.py BUILD [PATH...]        over these files and folders
  tidy.py BUILD --jobs N         N at once

BUILD is a configured build whose compile_commands.json does without unity builds: the preset
`tidy`. Nothing of it needs to be compiled; the precompiled header is read as a header.

clang-tidy takes half a minute for what a file includes of LibTorch, whatever the file holds. So up
to MOST sources of a room are looked at as one, as in a unity build, and so are its tests. Files
that do not go together, since two give one name to two things, go apart again.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIRST = '597bed4'  # what stands for the last release until there is a tag
TIDY = os.environ.get('CLANG_TIDY', 'clang-tidy-16')
MOST = 12  # files in one run
TESTS = ('_test.cc', 'testing.h', 'conformance.h', '_test_helpers.h')


def git(*arguments):
    done = subprocess.run(['git', '-C', ROOT, *arguments], capture_output=True, text=True)
    return done.stdout.split('\n')[:-1] if done.returncode == 0 else None


def last_release():
    tags = git('describe', '--tags', '--abbrev=0')
    return tags[0] if tags else FIRST


def chosen(arguments, ours):
    if arguments.all:
        return ours
    if arguments.paths:
        wanted = [os.path.relpath(pathlib.Path(path).resolve(), ROOT) for path in arguments.paths]
        return [name for name in ours if (name + '/').startswith(tuple(p + '/' for p in wanted))]
    since = arguments.since or last_release()
    changed = git('diff', '--name-only', '--diff-filter=d', since, '--')
    if changed is None:
        sys.exit(f'distal: git does not know {since}; name another commit with --since')
    return sorted(set(changed) & set(ours))


def commands_of(build):
    """File to the flags that clang understands, of each compiled source."""
    file = build / 'compile_commands.json'
    if not file.is_file():
        sys.exit(f'distal: {file} is missing; configure it: cmake --preset tidy')
    flags = {}
    for entry in json.loads(file.read_text()):
        name = os.path.relpath(entry['file'], ROOT)
        words = shlex.split(entry['command'])
        kept = []
        skip = False
        for word in words[1:]:
            if skip or word in ('-o', '-c'):
                skip = not skip
                continue
            # Warnings are GCC's business; OpenMP wants a header that is the compiler's own.
            if not re.match(r'-W|-fopenmp|-fno-semantic-interposition|-fPIC', word):
                kept.append(word)
        flags[name] = kept + ['-Wno-everything']
    return flags


def batches(names, flags):
    """[(flags, names)]: files of one room and one kind go together, programs of their own alone."""
    groups = collections.defaultdict(list)
    for name in names:
        room = pathlib.PurePath(name).parts[:3]
        kind = 'test' if name.endswith(TESTS) else 'source'
        own = flags.get(name) or nearest(name, kind, flags)
        together = room[:2] == ('src', 'distal') and not name.endswith('/main.cc')
        groups[(room, kind) if together else name].append((name, own))
    for group in groups.values():
        size = -(-len(group) // -(-len(group) // MOST))
        for first in range(0, len(group), size):
            part = group[first:first + size]
            yield part[0][1], [name for name, _ in part]


def nearest(name, kind, flags):
    """The flags of the source whose path has most in common; of the same kind before others."""
    def nearness(other):
        alike = other.endswith('_test.cc') == (kind == 'test')
        return len(os.path.commonprefix([name, other])), alike
    return flags[max(sorted(flags), key=nearness)]


def look_at(build, flags, names, wanted):
    """What clang-tidy says: of one run, or of several where the files do not go together."""
    folder = build / 'batches'
    folder.mkdir(exist_ok=True)
    batch = folder / (re.sub(r'\W', '_', names[0]) + f'_{len(names)}.cc')
    batch.write_text(''.join(f'#include "{ROOT / name}"  // NOLINT\n' for name in names))
    lines = json.dumps([{'name': str(name)} for name in sorted(wanted)])
    command = [TIDY, '--quiet', f'--config-file={ROOT}/.clang-tidy', f'--line-filter={lines}']
    done = subprocess.run([*command, batch, '--', *flags], cwd=ROOT, capture_output=True, text=True)
    if '[clang-diagnostic-error]' in done.stdout and len(names) > 1:
        half = len(names) // 2
        parts = names[:half], names[half:]
        return ''.join(look_at(build, flags, part, wanted) for part in parts)
    text = done.stdout.replace(str(ROOT) + '/', '')
    if done.returncode != 0 and not text.strip():
        text = done.stderr
    return text


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('paths', nargs='*')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--since')
    parser.add_argument('--jobs', type=int, default=1)
    arguments = parser.parse_intermixed_args()
    build = arguments.build.resolve()
    ours = git('ls-files', '*.cc', '*.h')
    if ours is None:
        sys.exit('distal: make tidy looks at what git lists; run it in a checkout')
    names = [name for name in chosen(arguments, ours) if not name.startswith('cmake/')]
    work = list(batches(names, commands_of(build)))
    print(f'{len(names)} files, {len(work)} runs of {TIDY}', flush=True)
    findings = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        looks = [pool.submit(look_at, build, flags, group, set(names)) for flags, group in work]
        for done in concurrent.futures.as_completed(looks):
            text = done.result().strip()
            findings += len(re.findall(r'^\S+:\d+:\d+: (?:warning|error):', text, re.M))
            if text:
                print(text, flush=True)
    print(f'findings: {findings or "none"}')
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
