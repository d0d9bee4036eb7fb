"""Runs fuzz targets: run.py BUILD --seconds S [--jobs N] [--seed N] [TARGET...]. The corpus of a target grows in BUILD/corpus/TARGET, findings lie in BUILD/findings.

A finding is an input that crashes a target, breaks a promise, takes more than ten seconds or more than two gigabytes; `BUILD/fuzz_TARGET FINDING` shows it again."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

MOST_BYTES = {'video': 65536, 'recipe': 16384, 'results': 16384}  # of an input; others: 4096
SECONDS_LIMIT, MEGABYTES_LIMIT, SLICE_SECONDS = 10, 2048, 120
ENVIRONMENT = {
    'ASAN_OPTIONS': 'detect_leaks=0:detect_container_overflow=0:alloc_dealloc_mismatch=0:allocator_may_return_null=1',  # LibTorch and FFmpeg are not instrumented
    'ASAN_SYMBOLIZER_PATH': '/usr/lib/llvm-16/bin/llvm-symbolizer',
    'UBSAN_OPTIONS': 'print_stacktrace=1',
    'OMP_NUM_THREADS': '1',
}


def run_once(build, target, seconds, seed, log):
    """Executions, peak megabytes and exit code of one process."""
    corpus, seeds, findings = build / 'corpus' / target, build / 'seeds' / target, build / 'findings'
    for folder in (corpus, seeds, findings):
        folder.mkdir(parents=True, exist_ok=True)
    dictionary = build / 'seeds' / 'dictionaries' / target
    command = [build / f'fuzz_{target}', f'-max_total_time={seconds}', f'-timeout={SECONDS_LIMIT}', f'-rss_limit_mb={MEGABYTES_LIMIT}',
               f'-max_len={MOST_BYTES.get(target, 4096)}', '-print_final_stats=1', '-reload=0', f'-artifact_prefix={findings}/{target}-', f'-seed={seed}']
    if dictionary.exists():
        command.append(f'-dict={dictionary}')
    with log.open('wb') as out:
        code = subprocess.run([*command, corpus, seeds], env={**os.environ, **ENVIRONMENT}, stdout=out, stderr=subprocess.STDOUT).returncode
    text = log.read_text(errors='replace')
    executions, memory = (re.search(rf'stat::{name}:\s*(\d+)', text) for name in ('number_of_executed_units', 'peak_rss_mb'))
    return int(executions[1]) if executions else 0, int(memory[1]) if memory else 0, code


def fuzz(build, target, seconds, seed):
    log, began = build / f'fuzz_{target}.log', time.monotonic()
    result = {'target': target, 'executions': 0, 'memory': 0, 'code': 0, 'log': log}
    left = seconds
    while left > 0 and result['code'] == 0:  # anew every few minutes: names that a program met stay in its memory (base/interned.h)
        executions, memory, result['code'] = run_once(build, target, min(left, SLICE_SECONDS), seed, log)
        result['executions'] += executions
        result['memory'] = max(result['memory'], memory)
        left -= SLICE_SECONDS
    result['seconds'] = time.monotonic() - began
    result['found'] = sorted(path for path in (build / 'findings').iterdir() if path.name.startswith(f'{target}-') and '-slow-unit-' not in path.name
                             and path.stat().st_mtime >= time.time() - result['seconds'] - 1)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('--seconds', type=int, default=60)
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--seed', type=int, default=0, help='of what is drawn; 0: another each time')
    parser.add_argument('targets', nargs='*')
    arguments = parser.parse_intermixed_args()
    targets = arguments.targets or sorted(path.name.removeprefix('fuzz_') for path in arguments.build.glob('fuzz_*') if path.suffix == '' and path.name != 'fuzz_seeds')
    failed, total = 0, 0
    print(f'{"target":<16}{"executions":>12}{"seconds":>9}{"per s":>9}{"MB":>7}  findings')
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for result in pool.map(lambda target: fuzz(arguments.build, target, arguments.seconds, arguments.seed), targets):
            total += result['executions']
            bad = result['code'] != 0 or result['executions'] == 0
            failed += bad
            names = ', '.join(str(path) for path in result['found']) or (f'exit {result["code"]}, see {result["log"]}' if bad else 'none')
            print(f'{result["target"]:<16}{result["executions"]:>12}{result["seconds"]:>9.0f}{result["executions"] / result["seconds"]:>9.0f}{result["memory"]:>7}  {names}', flush=True)
            if bad:
                print('\n'.join(result['log'].read_text(errors='replace').splitlines()[-60:]), flush=True)
    print(f'{total} executions')
    print(f'{len(targets) - failed} passed, {failed} failed')
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
