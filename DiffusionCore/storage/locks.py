"""Locks on files, which the operating system gives back however the process ends that holds them."""

from __future__ import annotations

import sys
import time
from typing import IO

_PATIENCE = 1.0  # seconds; whoever asks whether a file is locked holds its lock for an instant
_FAR = 2**30  # Windows locks bytes, and nobody can read those: one behind the end of the file


def lock_soon(file: IO) -> bool:
    """Do as ``lock`` does, but be patient for as long as somebody may just look whether it is locked."""
    deadline = time.monotonic() + _PATIENCE
    while not lock(file):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


if sys.platform == "win32":
    import msvcrt

    def lock(file: IO, *, shared: bool = False) -> bool:
        """Lock ``file`` until it is closed and return True, or False if somebody has locked it."""
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            if shared:  # only to know; there is no shared lock
                file.seek(_FAR)
                msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        except OSError:
            return False
        finally:
            file.seek(0)
        return True

else:
    import fcntl

    def lock(file: IO, *, shared: bool = False) -> bool:
        """Lock ``file`` until it is closed and return True, or False if somebody has locked it."""
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # some network drives know no locks; better unprotected than not at all
            return True
        return True
