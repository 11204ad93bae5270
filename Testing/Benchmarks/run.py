"""How fast this is beside the tools that compute the same: a page, its figures, and the list of all ratios.

    python -m Testing.Benchmarks.run [SUITE ...] --output DIR [--device cuda] [--sizes 64 160x192x224] [--threads 1 2]
                                     [--rounds N] [--only WORD ...] [--without PEER ...] [--data FOLDER]
                                     [--peers-python PYTHON] [--quick]

DIR gets benchmarks.md, benchmarks.json (a list of {suite, benchmark, size, threads, device, peer, ratio, spread, ...})
and the figures. All are written after each contest, so that Ctrl-C keeps what there is. A peer that is not installed is
left out, and the page says how to get it. On a CUDA device each kernel is first held against torch.
Exit code 1: something failed, or a kernel is wrong there.
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
from Testing.Benchmarks.page import even_from, line_of, write_page
from Testing.Benchmarks.race import Contest, Row, able, in_short, race
from Testing.Benchmarks.results import Results

SUITES = {
    "kernels": "Testing.Benchmarks.suites.kernels",
    "losses": "Testing.Benchmarks.suites.losses",
    "sampling": "Testing.Benchmarks.suites.sampling",
    "registration": "Testing.Benchmarks.suites.registration",
    "synthesis": "Testing.Benchmarks.suites.synthesis",
    "training": "Testing.Benchmarks.suites.training",
}
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
            if options.device != "cpu":
                check_device(results)
            for name in names:
                run_suite(name, suites[name], results, output)
    except KeyboardInterrupt:
        results.stopped = True
    finally:
        set_threads(threads)
    draw(output, results)
    write_page(output, results)
    for rows in results.rows.values():
        for benchmark in dict.fromkeys(row.benchmark for row in rows):
            for line in even_from([row for row in rows if row.benchmark == benchmark]):
                say(line)
    seen = sum(map(len, results.rows.values()))
    say(f"{'stopped; ' if results.stopped else ''}{seen} rows in {output / 'benchmarks.md'}")
    for failure in results.failures:
        say(f"failed: {failure}")
    if results.stopped:
        return 130
    return 1 if results.failures or not all(check.right for check in results.checks) else 0


def check_device(results: Results) -> None:
    """Hold each kernel against torch on the device, which the run then computes on."""
    from Testing.Benchmarks.device_checks import checks, divide

    torch.cuda.set_device(0 if results.options.device == "cuda" else results.options.device)
    if results.options.warps or results.options.brick:
        divide(results.options.warps, results.options.brick)
    try:
        for check in checks():
            results.checks.append(check)
            say(f"{check.name}: {check.found}, {'right' if check.right else 'WRONG'}")
    except Exception as error:  # a device and its compiler fail in many ways
        results.failures.append(f"check after {len(results.checks)} others: {in_short(error)}")


def run_suite(name: str, module: str, results: Results, output: Path) -> None:
    """Race all contests of a suite that are wanted; what fails is told, and ends nothing else."""
    rows, names = results.rows.setdefault(name, []), set()
    options = results.options
    try:
        for contest in importlib.import_module(module).contests(options):
            names.add(contest.benchmark)
            if options.wants(contest.benchmark):
                run_contest(contest, rows, results)
                write_page(output, results)
            del contest  # its images make room for those of the next one
    except Exception as error:
        results.failures.append(f"suite {name}: {in_short(error)}")
    if not names:
        say(f"nothing of {name} runs on {options.device}")
    elif not rows and options.only:
        say(f"no benchmark of {name} begins with {' or '.join(options.only)}; there are: {', '.join(sorted(names))}")


def run_contest(contest: Contest, rows: list[Row], results: Results) -> None:
    """Race ``contest`` with each number of threads, and add its ``rows``."""
    options = results.options
    results.missing |= contest.missing
    ours = next(iter(contest.calls))
    calls = {peer: call for peer, call in contest.calls.items() if peer == ours or peer not in options.without}
    for threads in options.threads:
        set_threads(threads)
        where = f"{contest.benchmark}, {contest.size}, {threads} thread(s)"
        try:
            entered, failures = able(replace(contest, calls=calls))
            results.failures += [f"{where}: {failure}" for failure in failures]
            for row in race(entered, options.rounds, threads, options.device):
                rows.append(row)
                say(line_of(row))
        except Exception as error:  # ours, or a note
            results.failures.append(f"{where}: {in_short(error)}")


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
