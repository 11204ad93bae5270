"""An output folder that receives all the results of a run or none."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from DiffusionCore.checks import StorageError

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "there is no permission to write",
    errno.EPERM: "there is no permission to write",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EEXIST: "it is a file, not a folder",
}


@contextlib.contextmanager
def output_folder(target: Path) -> Iterator[Path]:
    """Yield a hidden folder inside ``target`` to write to; its contents move up when the block ends without an error.

    Files of the same names are replaced, others in ``target`` stay. After an error everything made here is removed.

    Raises:
        StorageError: the folder cannot be made or written to; the text tells why.
    """
    created = [folder for folder in (target, *target.parents) if not folder.exists()]
    try:
        try:
            target.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=".writing-", dir=target))
        except OSError as error:
            raise StorageError(_text(target, error)) from error
        try:
            yield work
            for item in sorted(work.iterdir()):
                _move(item, target / item.name)
        except OSError as error:
            raise StorageError(_text(target, error)) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except BaseException:
        for folder in created:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _move(source: Path, destination: Path) -> None:
    if destination.is_dir() and not destination.is_symlink():
        shutil.rmtree(destination)
    os.replace(source, destination)


def _text(target: Path, error: OSError) -> str:
    reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
    return f"Cannot write the results into '{target}': {reason}. Nothing was kept; choose another --output."
