"""How fast this is beside the tools that compute the same: a page, its figures, and the list of all ratios.

    python -m Testing.Benchmarks.run [SUITE ...] --output DIR [--device cuda] [--sizes 64 160x192x224] [--threads 1 2]
                                     [--rounds N] [--only WORD ...] [--without PEER ...] [--data FOLDER]
                                     [--peers-python PYTHON] [--quick]

DIR gets benchmarks.md, benchmarks.json (a list of {suite, benchmark, size, threads, device, peer, ratio, spread, ...})
and the figures. All are written after each contest, so that Ctrl-C keeps what there is. A peer that is not installed is
left out, and the page says how to get it. Exit code 1: something failed, or is wrong on the device.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import SimpleITK as sitk
import torch

from Testing.Benchmarks.figures import draw_figures
from Testing.Benchmarks.options import read_options
from Testing.Benchmarks.page import line_of, write_page
from Testing.Benchmarks.race import race
from Testing.Benchmarks.results import Results

SUITES: dict[str, str] = {}
"""Name -> module with ``contests(options: Options) -> Iterator[Contest]``, imported when its turn comes."""


def main(arguments: Sequence[str] | None = None, suites: Mapping[str, str] = SUITES) -> int:
    """Do what the command line asks for; tests bring ``suites`` of their own."""
    options, names, output = read_options(arguments, __doc__ or "", suites)
    output.mkdir(parents=True, exist_ok=True)
    results = Results(options)
    threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the peers
            for name in names:
                run_suite(name, suites[name], results, output)
    except KeyboardInterrupt:
        results.stopped = True
    finally:
        set_threads(threads)
    draw(output, results)
    write_page(output, results)
    seen = sum(map(len, results.rows.values()))
    say(f"{'stopped; ' if results.stopped else ''}{seen} rows in {output / 'benchmarks.md'}")
    for failure in results.failures:
        say(f"failed: {failure}")
    if results.stopped:
        return 130
    return 1 if results.failures or not all(check.right for check in results.checks) else 0


def run_suite(name: str, module: str, results: Results, output: Path) -> None:
    """Race all contests of a suite that are wanted; what fails is told, and ends nothing else."""
    options, rows, names = results.options, results.rows.setdefault(name, []), set()
    try:
        for contest in importlib.import_module(module).contests(options):
            names.add(contest.benchmark)
            if not options.wants(contest.benchmark):
                continue
            results.missing |= contest.missing
            calls = {peer: call for peer, call in contest.calls.items() if peer not in options.without}
            contest = replace(contest, calls=calls)
            for threads in options.threads:
                set_threads(threads)
                try:
                    for row in race(contest, options.rounds, threads, options.device):
                        rows.append(row)
                        say(line_of(row))
                except Exception as error:  # a peer fails in many ways
                    results.failures.append(f"{contest.benchmark}, {contest.size}: {type(error).__name__}: {error}")
            write_page(output, results)
            del contest, calls  # their images make room for those of the next one
    except Exception as error:
        results.failures.append(f"suite {name}: {type(error).__name__}: {error}")
    if names and not rows and options.only:
        say(f"no benchmark of {name} begins with {' or '.join(options.only)}; there are: {', '.join(sorted(names))}")


def draw(output: Path, results: Results) -> None:
    """Draw the figures of all suites, if matplotlib is there."""
    try:
        for name, rows in results.rows.items():
            results.figures[name] = draw_figures(output, name, rows)
    except ModuleNotFoundError:
        results.missing["matplotlib"] = "without it there are no figures: pip install matplotlib"


def set_threads(threads: int) -> None:
    """Let torch, our kernels and SimpleITK compute with so many threads."""
    torch.set_num_threads(threads)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
