"""The shell: ``python -m DiffusionCore COMMAND ...``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.commands import (
    benchmark,
    calibrate,
    cohort,
    evaluate,
    evaluate_images,
    generate,
    models,
    reference,
    register,
    sample,
    scan,
    synthesize,
    train,
)
from DiffusionCore.threads import WAITING

WRONG_INPUT, DEFECT, INTERRUPTED = 2, 1, 130


class UsageError(DiffusionCoreError):
    """The command line does not say what to do."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See: {self.prog} --help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that ``arguments`` name (default: those of the process) and return the exit code."""
    os.environ.update(WAITING | os.environ)
    given = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in given
    try:
        options = _parse([argument for argument in given if argument != "--debug"])
        return options.run(options)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written.", INTERRUPTED)
    except (DiffusionCoreError, ModuleNotFoundError, MemoryError) as error:
        if debug:
            raise
        return _fail(_text(error), WRONG_INPUT)
    except OSError as error:
        if debug:
            raise
        return _fail(f"{error.strerror or error}: {error.filename}" if error.filename else str(error), WRONG_INPUT)
    except Exception as error:
        if debug:
            raise
        return _fail(f"unexpected {type(error).__name__}: {error}. This is a defect; --debug shows where.", DEFECT)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m DiffusionCore",
        description="Registration and synthesis of 3D medical images by diffusion of transforms.",
        epilog="--debug after any command shows where an error came from.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (
        register,
        synthesize,
        cohort,
        reference,
        generate,
        sample,
        scan,
        evaluate,
        evaluate_images,
        benchmark,
        models,
        train,
        calibrate,
    ):
        command.add_parser(commands)
    options, late = parser.parse_known_args(arguments)
    if late and (not hasattr(options, "settings") or any(argument.startswith("-") for argument in late)):
        parser.error(f"unrecognized arguments: {' '.join(late)}")
    if late:  # argparse takes no key=value behind an option
        options.settings = [*options.settings, *late]
    return options


def _text(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").split(".")[0]
        return f"the package '{package}' is needed for this. Install it: pip install {package}"
    return "out of memory. Use smaller images, or close programs." if isinstance(error, MemoryError) else str(error)


def _fail(text: str, code: int) -> int:
    sys.stderr.write(f"error: {' '.join(text.split())}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
