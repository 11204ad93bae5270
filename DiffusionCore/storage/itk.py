"""Images that ITK reads, without the words that its libraries write past Python to the console."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import SimpleITK as sitk

from DiffusionCore.checks import StorageError
from DiffusionCore.storage.files import last_line, require_three_axes

# naming the reader keeps ITK from trying twenty others, each with complaints of its own
READERS = {".nrrd": "NrrdImageIO", ".nhdr": "NrrdImageIO", ".mha": "MetaImageIO", ".mhd": "MetaImageIO"}


@contextmanager
def quiet() -> Iterator[None]:
    """Drop what C and C++ libraries write to the console; their failures still come as exceptions.

    The console belongs to the process, so lines that other threads write in the meantime are dropped too.
    """
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, AttributeError, ValueError):  # a program without a console
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)


def read_image(path: Path, suffix: str, *, slices: int = 2) -> sitk.Image:
    """Return the 3D image in a file of one of the READERS, with any number of components.

    With ``slices`` 1, a 2D image comes as one slice of 1 mm.

    Raises:
        StorageError: not such a file, truncated, without its data file, not 3D, or without spacing.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(READERS[suffix])
    try:
        with quiet():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise StorageError(
            f"'{path}' cannot be read as {suffix}{_reason(error)}. It is damaged or of another format; export it again."
        ) from error
    require_three_axes(path, reader.GetSize(), slices=slices)
    if not all(spacing > 0 for spacing in reader.GetSpacing()):
        raise StorageError(
            f"'{path}' has the spacing {reader.GetSpacing()} mm; all three must be positive. Correct its header, "
            "or set the spacing in 3D Slicer (module Volumes) and save it again."
        )
    try:
        with quiet():
            image = reader.Execute()
            return image if image.GetDimension() == 3 else sitk.JoinSeries(image)
    except RuntimeError as error:
        raise StorageError(
            f"The voxels of '{path}' cannot be read: the file is truncated or damaged, or its data file is missing"
            f"{_reason(error)}. Copy or export it again."
        ) from error


def _reason(error: RuntimeError) -> str:
    """Return what ITK said, in parentheses; MetaImage's reasons are those of unrelated system calls."""
    line = last_line(error)
    return "" if line.startswith("Reason") else f" ({line if len(line) < 120 else line[:117] + '...'})"
