"""The worker as seen from outside: a process, its folder, and a queue of what it says."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from DiffusionCore.jobs.messages import Lines
from DiffusionCore.jobs.process_tree import kill_tree, tree_options
from DiffusionCore.jobs.sharing import remove_folder
from DiffusionCore.threads import WAITING

_MODULE = "DiffusionCore.jobs.worker"
_ROOT = str(Path(__file__).resolve().parents[2])
_MOST_WAITING = 5000  # lines for the log that wait to be read; more are dropped
_SWEEP = 1.0  # seconds that pipes may stay open after the worker has ended
_abandoned: weakref.WeakSet[threading.Thread] = weakref.WeakSet()  # threads that still have to clear up


@dataclass(frozen=True)
class Said:
    """A line of the standard output: a message, if it is one."""

    line: bytes


@dataclass(frozen=True)
class Printed:
    """A line of the standard error."""

    text: str


@dataclass(frozen=True)
class Ended:
    """The process is gone; nothing comes after this. ``code`` is negative for the number of a signal."""

    code: int


Word = Said | Printed | Ended


class WorkerProcess:
    """A worker that has been started in ``folder``, which it owns: the folder ends with it, once it is let go.

    Threads do nothing but block on a pipe and put lines in a queue: where the program that shows the results is busy,
    they would get no time for more.

    Args:
        folder: of the run.
        python: the program, or the program and its first arguments; by default this Python.
        environment: its whole environment; by default that of this process. The package is added to the path.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self, folder: Path, python: str | Sequence[str] | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        start = [python or sys.executable] if python is None or isinstance(python, str) else list(python)
        self._process = process = subprocess.Popen(
            [*start, "-m", _MODULE, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=worker_environment(os.environ if environment is None else environment),
            **tree_options(),
        )
        self._words: SimpleQueue[Word] = SimpleQueue()
        self._abandoned = threading.Event()
        listeners = [
            threading.Thread(target=_listen, args=(process.stdout, self._words, Said), daemon=True),
            threading.Thread(target=_listen, args=(process.stderr, self._words, _printed), daemon=True),
        ]
        wait = (process, folder, self._words, listeners, self._abandoned)
        self._waiter = threading.Thread(target=_wait, args=wait, daemon=True)
        for thread in (*listeners, self._waiter):
            thread.start()
        # also when it is forgotten, or the interpreter ends
        self._end = weakref.finalize(self, _forget, process, self._abandoned, self._waiter, os.getpid())

    @property
    def pid(self) -> int:
        """Of the process that was started: the worker, or what started it in turn."""
        return self._process.pid

    def heard(self) -> Word | None:
        """Return the next line, or None if there is none yet."""
        try:
            return self._words.get_nowait()
        except Empty:
            return None

    def tell(self, line: str) -> None:
        """Send a line; nothing if the worker is gone."""
        stream = self._process.stdin
        assert stream is not None
        with contextlib.suppress(OSError, ValueError):
            stream.write(line.encode() + b"\n")
            stream.flush()

    def kill(self) -> None:
        """End the worker and what it has started; what it has said can still be heard."""
        if self._process.returncode is None:
            kill_tree(self._process)

    def let_go(self, patience: float = 0.0) -> None:
        """End the worker and remove its folder; wait at most ``patience`` seconds for both to be gone."""
        if self._end.detach():
            _abandoned.add(self._waiter)
            _abandon(self._process, self._abandoned)
        self._waiter.join(patience)


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return ``environment`` with this package on the path, and with prints that come at once, in UTF-8."""
    path = environment.get("PYTHONPATH")
    return {
        **WAITING,
        **environment,
        "PYTHONPATH": os.pathsep.join([_ROOT, path] if path else [_ROOT]),
        "PYTHONSAFEPATH": "1",  # a file torch.py in the folder where Slicer was started is not ours
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
    }


def _printed(line: bytes) -> Printed:
    return Printed(line.decode("utf-8", "replace").rstrip("\r"))


def _listen(pipe: IO[bytes], words: SimpleQueue[Word], word: Callable[[bytes], Word]) -> None:
    lines = Lines()
    while piece := os.read(pipe.fileno(), 2**16):
        for line in lines.feed(piece):
            if word is Said or words.qsize() < _MOST_WAITING:
                words.put(word(line))
    for line in lines.end():
        words.put(word(line))
    pipe.close()


def _wait(
    process: subprocess.Popen,
    folder: Path,
    words: SimpleQueue[Word],
    listeners: Sequence[threading.Thread],
    abandoned: threading.Event,
) -> None:
    code = process.wait()
    kill_tree(process)  # what it has started and left behind
    for listener in listeners:
        listener.join(_SWEEP)
    words.put(Ended(code))
    abandoned.wait()
    remove_folder(folder)  # here, as to free a gigabyte of shared memory takes its time


def _abandon(process: subprocess.Popen, abandoned: threading.Event) -> None:
    if process.returncode is None:
        kill_tree(process)
    with contextlib.suppress(OSError):
        process.stdin.close()  # type: ignore[union-attr]
    abandoned.set()


@atexit.register
def _clear_up() -> None:
    for waiter in list(_abandoned):
        waiter.join(_SWEEP)


def _forget(process: subprocess.Popen, abandoned: threading.Event, waiter: threading.Thread, owner: int) -> None:
    if os.getpid() == owner:  # a fork of this process has no part in it
        _abandon(process, abandoned)
        waiter.join(_SWEEP)
