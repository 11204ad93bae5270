"""From an exception to what the user reads: one or two sentences, and the traceback for the log."""

from __future__ import annotations

import errno
import traceback

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.events import Failed

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MEMORY_TEXTS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
_LONGEST = 20_000  # characters of a traceback

GPU_MEMORY = "The GPU ran out of memory. Choose the CPU as the device, or crop or downsample the volumes."
STOPPED_EARLY = "The registration was stopped before its first step; nothing was changed."


def failed(error: BaseException, last_step: int | None = None) -> Failed:
    """Return ``error`` as the end of a run whose last step was ``last_step``."""
    details = "".join(traceback.format_exception(error))[-_LONGEST:]
    return Failed(explain(error), details, last_step)


def explain(error: BaseException) -> str:
    """Return what happened and what helps, in words without class names."""
    text = str(error).strip()
    if isinstance(error, DiffusionCoreError) and text:
        return text
    if isinstance(error, MemoryError) or any(known in text.lower() for known in _MEMORY_TEXTS):
        if "cuda" in text.lower() or "mps" in text.lower():
            return GPU_MEMORY
        return "The computer ran out of memory. Close other programs, or crop or downsample the volumes."
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return "The disk is full. Free some space in the folder for temporary files and try again."
    if isinstance(error, ModuleNotFoundError):
        return f"The package '{error.name}' is missing. Install it and try again."
    return "The registration failed because of an error in the program. The log has the details."


def ended_unexpectedly(first_step: int | None, last_step: int | None, details: str, *, killed: bool = True) -> Failed:
    """Return the end of a run whose process is gone; ``killed``: by the system, as where memory runs out.

    The steps are counted from 0 here, and from 1 in the text.
    """
    guess = " (memory ran out?)" if killed else ""
    if first_step is None or last_step is None:
        return Failed(f"The computation ended unexpectedly before its first step{guess}.", details)
    first, last = first_step + 1, last_step + 1
    kept = f"Step {last} is kept." if first == last else f"Steps {first}-{last} are kept."
    return Failed(f"The computation ended unexpectedly after step {last}{guess}. {kept}", details, last_step)
