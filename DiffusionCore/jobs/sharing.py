"""The folder of a run: files in shared memory through which arrays pass between two processes.

The fields of steps are written into maps of files that have their full size from the start, so that a full disk is an
error there and not a crash later. Who reads copies slab by slab: a process that draws windows must not be held up by
half a gigabyte.
"""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SHARED_MEMORY = Path("/dev/shm")
_PREFIX = "spatial-diffusion-"
_SLAB = 2**21  # bytes copied at a time: about a millisecond
_SUFFIX = ".array"
JOB = "job.json"


def make_folder(need: int, base: str | Path | None = None) -> Path:
    """Return a new folder, for this user alone, with room for about ``need`` bytes.

    It lies in ``base``, or in the memory of the computer where that is a file system (Linux) and has room for twice as
    much, or in the folder for temporary files.

    Raises:
        OSError: it cannot be made.
    """
    if base is None and sys.platform.startswith("linux") and _has_room(_SHARED_MEMORY, 2 * need):
        base = _SHARED_MEMORY
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))


def remove_folder(folder: Path) -> None:
    """Remove the folder with the files of a run in it; a file of somebody else keeps it there."""
    for file in (*folder.glob(f"*{_SUFFIX}"), folder / JOB):
        try:
            file.unlink(missing_ok=True)
        except OSError:  # open elsewhere (Windows): it goes when that process has ended
            continue
    try:
        folder.rmdir()
    except OSError:
        return


def array_path(folder: Path, name: str) -> Path:
    """Return the file of the array ``name``."""
    return folder / f"{Path(name).name}{_SUFFIX}"


def slabs(array: NDArray) -> Iterator[slice]:
    """Yield slices of the first axis of ``array``, each of about 2 MB, or one plane."""
    rows = max(1, _SLAB // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        yield slice(start, start + rows)


def writing(path: Path, array: NDArray) -> Iterator[None]:
    """Write ``array`` into a new file; one slab for each ``next``.

    Raises:
        OSError: the disk is full, or the folder is gone.
    """
    with path.open("xb", buffering=0) as file:
        for slab in slabs(array):
            part = np.ascontiguousarray(array[slab]).reshape(-1).view(np.uint8).data
            while part:
                part = part[file.write(part) :]
            yield


def reading(path: Path, target: NDArray) -> Iterator[None]:
    """Copy the array in a file into ``target``, which has its type and shape; one slab for each ``next``.

    Raises:
        OSError, ValueError: the file is gone, or smaller than the array.
    """
    flat = target.reshape(-1).view(np.uint8)
    with path.open("rb", buffering=0) as file:
        for start in range(0, len(flat), _SLAB):
            part = flat[start : start + _SLAB]
            # a map of this slab alone: to unmap half a gigabyte at the end takes its time, too
            with mmap.mmap(file.fileno(), len(part), offset=start, access=mmap.ACCESS_READ) as source:
                part[:] = np.frombuffer(source, np.uint8)
            yield


def empty_like(reference: dict[str, Any]) -> NDArray:
    """Return room for the array of ``reference``."""
    return np.empty(tuple(reference["shape"]), np.dtype(reference["dtype"]))


def reserve(path: Path, size: int) -> None:
    """Make a file of ``size`` bytes that really has them, so that a full disk is an error and not a crash later.

    Raises:
        OSError: the disk is full.
    """
    with path.open("xb", buffering=0) as file:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
                return
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # not every file system can
                    raise
        zeros = bytes(_SLAB)
        for start in range(0, size, _SLAB):
            file.write(zeros[: size - start])


class Slots:
    """Files for the fields of steps, written again and again: a field that is not yet fetched is never overwritten.

    Args:
        folder: of the run.
        most: how many there are at most; two for fields of more than ``large`` bytes.
        large: see above.
    """

    def __init__(self, folder: Path, *, most: int = 4, large: int = 2**28) -> None:
        self._folder, self._most, self._large = folder, most, large
        self._files: list[tuple[str, mmap.mmap] | None] = []
        self._free: list[int] = []
        self._made = 0
        self._changed = threading.Condition()

    def place(self, array: NDArray) -> dict[str, Any]:
        """Copy ``array`` into a free slot, waiting for one, and return where it is.

        Raises:
            OSError: the disk is full.
        """
        slot = self._take(array.nbytes)
        name, memory = self._file(slot, array.nbytes)
        target = np.frombuffer(memory, array.dtype, array.size).reshape(array.shape)
        for channel in range(array.shape[-1]):  # as a tensor stores them: four times as fast as all at once
            target[..., channel] = array[..., channel]
        return {"file": name, "slot": slot}

    def give_back(self, slot: int) -> None:
        """Let ``slot`` be written again; for another thread to call when the reader has copied the field."""
        with self._changed:
            self._free.append(slot)
            self._changed.notify()

    def _take(self, size: int) -> int:
        most = 2 if size > self._large else self._most
        with self._changed:
            if not self._free and len(self._files) < most:
                self._files.append(None)
                return len(self._files) - 1
            while not self._free:
                self._changed.wait()
            return self._free.pop()

    def _file(self, slot: int, size: int) -> tuple[str, mmap.mmap]:
        """Return the name and the memory of ``slot``, in a new file if the old one is too small."""
        former = self._files[slot]
        if former is not None:
            if len(former[1]) >= size:
                return former
            former[1].close()
            array_path(self._folder, former[0]).unlink(missing_ok=True)
        name, self._made = f"field-{self._made}", self._made + 1
        path = array_path(self._folder, name)
        reserve(path, size)
        with path.open("r+b") as file:
            memory = mmap.mmap(file.fileno(), size)
        self._files[slot] = name, memory
        return name, memory


def _has_room(folder: Path, need: int) -> bool:
    try:
        return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > need
    except OSError:
        return False
