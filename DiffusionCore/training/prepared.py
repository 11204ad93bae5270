"""Images that were prepared for a training, kept on disk: made once for the same files and settings."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.checks import StorageError
from DiffusionCore.storage.files import replacing

FOLDER_VARIABLE = "SPATIALDIFFUSION_CACHE"
_VERSION = 2  # of how images are prepared: raise it where the same files and settings give other values
Arrays = dict[str, NDArray]


def prepared(files: Sequence[Path], settings: dict[str, Any], make: Callable[[], Arrays]) -> Arrays:
    """Return what ``make`` returns, from the disk if it was made before of the same content with the same settings.

    A file that was renamed or copied is the same, one that was changed is another. A folder that cannot be written, or
    an entry that cannot be read, only costs time.

    Args:
        files: all that ``make`` reads.
        settings: all that it depends on otherwise, as JSON knows it.
        make: makes the arrays, none of them of Python objects.
    """
    entry = None
    try:
        entry = cache_folder() / f"{_key(files, settings)}.npz"
        with entry.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return dict(kept)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        made = make()  # which says what is wrong if a file is not there
    if entry is None:
        return made
    with suppress(OSError, StorageError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with replacing(entry) as unfinished:
            np.savez_compressed(unfinished, **made)  # pyright: ignore[reportArgumentType]  names are ours
    return made


def cache_folder() -> Path:
    """Return where prepared images are kept: $SPATIALDIFFUSION_CACHE, or one in the platform's place for such files."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        place = Path.home() / "Library" / "Caches"
    else:
        place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return place / "SpatialDiffusion" / "prepared"


def _key(files: Sequence[Path], settings: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps([_VERSION, settings], sort_keys=True).encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
