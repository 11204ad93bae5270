"""``cohort``: the command register, or synthesize, for thousands of cases, by many processes or machines."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DiffusionCore.commands.arguments import (
    add_guidance_arguments,
    add_keep_steps_argument,
    add_output_argument,
    add_run_arguments,
    positive,
    seed,
    whole,
)
from DiffusionCore.commands.synthesize import add_synthesis_arguments

if TYPE_CHECKING:
    from distributed import Client

    from DiffusionCore.cohort.cases import Case, Failure
    from DiffusionCore.storage.tables import Listed

_OWN = ("run", "kind", "list", "output", "scheduler", "workers", "retries")  # options that change no result
_ABOUT = (
    "Cases that are finished are not made again: the same command goes on after a stop or a crash, and tries those "
    "that failed anew. A bad case gets a line, and the others go on; the exit code is then 1. DIR receives cases/NAME "
    "with what the command {} writes and a picture, summary.csv, and summary.html. Needs the package distributed."
)


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the shell."""
    text = "register, or synthesize, thousands of cases on one machine or a cluster"
    cohort = commands.add_parser("cohort", help=text, description=f"{text[0].upper()}{text[1:]}, resumable.")
    kinds = cohort.add_subparsers(required=True, metavar="register|synthesize")
    columns = "The list (.csv with a header, or a .json list of objects) has a row per case; paths are relative to it. "
    pairs = "Columns: fixed, moving; optional: name, fixed_segmentation, moving_segmentation, initial_transform, "
    pairs += "landmarks, which guide as register --landmarks does, truth (a transform; its error is reported), seed. "
    parser = kinds.add_parser("register", help="align pairs", description=columns + pairs + _ABOUT.format("register"))
    _add_arguments(parser, "register")
    add_run_arguments(parser)
    add_guidance_arguments(parser)
    add_keep_steps_argument(parser)
    images = "Columns: image; optional: name, label, landmarks, seed, and those of lists for trainings. "
    description = columns + images + _ABOUT.format("synthesize")
    parser = kinds.add_parser("synthesize", help="make variants of labeled cases", description=description)
    _add_arguments(parser, "synthesize")
    parser.add_argument("--count", type=positive, required=True, metavar="N", help="variants of each case")
    add_synthesis_arguments(parser)
    parser.set_defaults(source="random")


def _add_arguments(parser: argparse.ArgumentParser, kind: str) -> None:
    add = parser.add_argument
    add("list", type=Path, metavar="MANIFEST", help="the list of cases (.csv or .json)")
    add_output_argument(parser)
    where = parser.add_mutually_exclusive_group()
    text = "processes of this machine, with one thread each (default: one per core); they share the memory evenly"
    where.add_argument("--workers", type=positive, metavar="N", help=text)
    text = "work on the workers of a running Dask scheduler instead: tcp://HOST:PORT, or its --scheduler-file. They "
    text += "need the same packages, and must see all files under the same paths"
    where.add_argument("--scheduler", metavar="ADDRESS", help=text)
    text = "how often a case is tried again when its worker was killed, or the system or the device failed (default: "
    add("--retries", type=whole, default=1, metavar="N", help=text + "%(default)s)")
    parser.set_defaults(run=run, kind=kind)


def run(options: argparse.Namespace) -> int:
    """Make the cohort and return 0, 1 if a case failed, or 130 if the user stopped it early."""
    from DiffusionCore.cohort.account import Account
    from DiffusionCore.cohort.cases import Failure, finished
    from DiffusionCore.cohort.folder import CohortFolder
    from DiffusionCore.cohort.kinds import KINDS, MODELS
    from DiffusionCore.cohort.scheduling import require_dask, results
    from DiffusionCore.commands.progress import PoliteStop
    from DiffusionCore.storage.tables import read_cases

    require_dask()
    kind, output = KINDS[options.kind], options.output.absolute()
    settings = {
        name: _absolute(value, may_be_file=name in MODELS) for name, value in vars(options).items() if name not in _OWN
    }
    kind.require(argparse.Namespace(**settings, output=output))
    listed = read_cases(options.list.absolute(), kind.unit, kind.columns)
    rows = [_case(row, options.kind, settings) for row in listed]
    made = {"command": options.kind, **{name: _plain(value) for name, value in settings.items()}}
    with (
        CohortFolder(output, made),
        PoliteStop(signal.SIGINT, signal.SIGTERM) as stop,  # a cluster ends jobs by SIGTERM
        Account(output, [row.name for row in rows], f"Cohort: {options.kind}", kind.doubt) as account,
    ):
        left: list[Case] = []
        for row in rows:
            if isinstance(row, Failure):
                account.add(row)
            elif (there := finished(output, row)) is None:
                left.append(row)
            else:
                account.take_over(there)
        if left:
            with _workers(options, len(left)) as client:
                for result in results(client, output, left, retries=options.retries, should_stop=stop):
                    account.add(result)
        for case in left if stop.requested else ():  # what workers finished in the meantime
            if case.name not in account and (there := finished(output, case)) is not None:
                account.add(there)
    numbers = f"{account.made} made, {account.before} were there, {account.failed} failed"
    waiting = f", {account.waiting} waiting" if account.waiting else ""
    sys.stdout.write(f"{len(rows)} cases: {numbers}{waiting}. Results: {options.output}\n")
    if stop.requested:
        sys.stderr.write("Stopped early. The same command goes on from here.\n")
        return 130
    return int(account.failed > 0)


def _case(row: Listed, kind: str, settings: dict[str, Any]) -> Case | Failure:
    """Return the case of a row, or why there is none."""
    from DiffusionCore.cohort.cases import Case, Failure

    if row.problem:
        return Failure(row.name, row.problem)
    try:
        own = {"seed": seed(row.cells["seed"])} if "seed" in row.cells else {}
    except argparse.ArgumentTypeError as error:
        return Failure(row.name, f"In the column seed {error}.")
    return Case(kind, row, argparse.Namespace(**{**settings, **own}))


def _workers(options: argparse.Namespace, cases: int) -> AbstractContextManager[Client]:
    from DiffusionCore.cohort.scheduling import local_workers, workers_of

    if options.scheduler is not None:
        return workers_of(options.scheduler)
    return local_workers(min(options.workers or os.cpu_count() or 1, cases))


def _absolute(value: Any, *, may_be_file: bool) -> Any:
    """Return the value of an option with its path made absolute: workers may stand elsewhere."""
    if may_be_file and value is not None and Path(value).is_file():
        return str(Path(value).absolute())
    return value.absolute() if isinstance(value, Path) else value


def _plain(value: Any) -> Any:
    """Return the value of an option as JSON knows it."""
    return str(value) if isinstance(value, Path) else value
