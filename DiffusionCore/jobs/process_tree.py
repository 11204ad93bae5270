"""Start a process that can be ended with all of its children, on every system."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any


def tree_options(platform: str = sys.platform) -> dict[str, Any]:
    """Return the arguments of ``subprocess.Popen`` that make a process the root of a tree of its own."""
    if platform == "win32":
        # by value: other systems do not have the names. CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW
        return {"creationflags": 0x00000200 | 0x08000000}
    return {"start_new_session": True}


def kill_tree(process: subprocess.Popen, platform: str = sys.platform) -> None:
    """End ``process``, started with ``tree_options``, and what it has started; nothing if all of it is gone.

    On Windows the tree is that of the parents, which ``taskkill`` follows; elsewhere it is the session.
    """
    if platform == "win32":
        if process.poll() is None:
            command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS denies it where only the dead are left
        return
