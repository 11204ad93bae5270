"""What all files share: is it there, which format, and writing so that a half-written file never appears."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from DiffusionCore.checks import StorageError

_UNFINISHED = ".writing-"


def suffix_of(path: Path) -> str:
    """Return the ending of a file name in lower case, ``.nii.gz`` as one."""
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()


def require_file(path: str | Path, what: str) -> Path:
    """Return ``path`` if it is a file that holds something; ``what`` is what it should be, e.g. "an image".

    Raises:
        StorageError: nothing is there, a folder is there, or the file is empty.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise StorageError(f"Expected {what}, but '{path}' is a folder. Name one file in it.")
        if not path.exists():
            raise StorageError(f"Expected {what}, but there is no file '{path}'. Check the name and the folder.")
        if path.stat().st_size == 0:
            raise StorageError(f"Expected {what}, but '{path}' is empty (0 bytes). Copy or export it again.")
        with path.open("rb"):
            return path
    except (OSError, ValueError) as error:
        raise StorageError(
            f"Expected {what}, but '{path}' cannot be opened ({error}). Check its name and rights."
        ) from error


def require_suffix(path: Path, known: Collection[str], what: str) -> str:
    """Return the suffix of ``path`` if it is one of ``known``, else raise StorageError."""
    suffix = suffix_of(path)
    if suffix not in known:
        raise StorageError(
            f"'{path}' has the ending '{suffix}', but {what} can be one of {', '.join(known)}. "
            "Convert it first (3D Slicer opens most formats, DICOM too, and saves these)."
        )
    return suffix


def require_three_axes(path: Path, size: tuple[int, ...], *, slices: int = 2) -> None:
    """Raise StorageError unless ``size`` (i, j, k, ...) is that of a 3D image of at least so many ``slices``.

    With 1, a 2D image will do, too.
    """
    shown = " x ".join(map(str, size))
    if len(size) > 3:
        raise StorageError(
            f"'{path}' has {len(size)} axes ({shown}), a time series or a stack; one 3D image is needed. "
            "Save one of its volumes to a file of its own."
        )
    if slices > 1 and (len(size) < 3 or min(size) < slices):
        kind = "a 2D image" if len(size) < 3 else "a single slice"
        raise StorageError(f"'{path}' is {kind} ({shown}); a 3D image is needed. Combine the slices into one volume.")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield the path to write instead of ``path``; what was written there takes its place only if all went well.

    The yielded path has the same name and lies in a temporary folder beside the target, so the move is atomic and
    detached data files (``.mhd``, ``.nhdr``) come along. On any error the target is as it was and nothing is left.

    Raises:
        StorageError: the folder is missing or read-only, the disk is full, the library that writes failed.
    """
    path = Path(path)
    if path.is_dir():
        raise StorageError(f"Expected the name of a file to write, but '{path}' is a folder. Add a file name.")
    if not path.parent.is_dir():
        raise StorageError(f"Cannot write '{path}': the folder '{path.parent}' does not exist. Create it first.")
    try:
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=path.parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder) / path.name
            written = sorted(Path(folder).iterdir(), key=lambda file: file.name == path.name)
            for file in written:  # the header comes last: it must not point to data that are not there yet
                os.replace(file, path.with_name(file.name))
    except (OSError, RuntimeError) as error:  # RuntimeError: all that ITK raises
        raise StorageError(
            f"Cannot write '{path}': {last_line(error)}. Check that the folder may be written and the disk has space."
        ) from error


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed left of files that they were writing into ``folder``."""
    for left in folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)


def last_line(error: BaseException) -> str:
    """Return the last line of an error's text, where C++ libraries say what happened, without its final dot."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip().rstrip(".") if lines else type(error).__name__
