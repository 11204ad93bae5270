"""A Python that has torch loaded already: the same worker processes for the tests, each 1.2 CPU seconds cheaper.

    test ---Popen---> launcher ---its arguments, environment and pipes---> server, which has imported what workers need
                         |                                                    | fork
                         +<--------------- how it ended ------------------ keeper ---fork---> the worker

The launcher stands for the worker: it ends as that ends, and where it is killed the keeper kills the worker and what
that has started. What is about starting, stopping (SIGSTOP) or killing the process itself needs the usual Python.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

_IMPORTED = (
    "DiffusionCore.jobs.execution",
    "DiffusionCore.jobs.worker",
    "DiffusionCore.training.recipes",
    "torch._dynamo",  # the optimizers bring it
)
_STREAMS = 3  # input, output, error
_STATUS = struct.Struct("i")


class WarmPython:
    """The server, from its start until ``close``; ``program`` takes the arguments of a Python."""

    def __init__(self, folder: Path) -> None:
        """Start the server; it lives in ``folder``."""
        place = folder / "server"
        self.program = folder / "PythonSlicer"
        self._server = subprocess.Popen([sys.executable, __file__, "--serve", str(place)], stdin=subprocess.PIPE)
        self.program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{__file__}" "{place}" "$@"\n')
        self.program.chmod(0o755)

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait()


def launch(place: str, arguments: list[str]) -> None:
    """Have ``arguments`` run by the server at ``place``, and end as they end."""
    connection = socket.socket(socket.AF_UNIX)
    _connect(connection, place)
    asked = json.dumps({"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}).encode()
    socket.send_fds(connection, [struct.pack("i", len(asked))], range(_STREAMS))
    connection.sendall(asked)
    (status,) = _STATUS.unpack(connection.recv(_STATUS.size, socket.MSG_WAITALL))
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


def _connect(connection: socket.socket, place: str) -> None:
    """Wait for the server, which may have been started just now: it makes its place when all is imported."""
    while True:
        try:
            connection.connect(place)
            return
        except (FileNotFoundError, ConnectionRefusedError):
            select.select([], [], [], 0.02)


def serve(place: str) -> None:
    """Fork a keeper for each launcher, until the standard input ends."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    for name in _IMPORTED:
        __import__(name)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place + ".new")
    listener.listen(64)
    os.rename(place + ".new", place)
    keepers = set()
    while sys.stdin not in select.select([sys.stdin, listener], [], [])[0]:
        connection, _ = listener.accept()
        keeper = os.fork()
        if keeper == 0:
            listener.close()
            keep(connection)
        connection.close()
        keepers = {keeper, *(other for other in keepers if os.waitpid(other, os.WNOHANG)[0] == 0)}
    for keeper in keepers:
        os.waitpid(keeper, 0)


def keep(connection: socket.socket) -> None:
    """Fork the worker, tell the launcher how it ended, and end it where the launcher is gone."""
    size, streams, *_ = socket.recv_fds(connection, 4, _STREAMS)
    asked = json.loads(connection.recv(struct.unpack("i", size)[0], socket.MSG_WAITALL))
    worker = os.fork()
    if worker == 0:
        connection.close()
        work(asked, streams)
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(worker)
    if ended not in select.select([connection, ended], [], [])[0]:
        os.killpg(worker, signal.SIGKILL)
    status = os.waitpid(worker, 0)[1]
    with contextlib.suppress(BrokenPipeError):  # nobody wants to know
        connection.sendall(_STATUS.pack(status))
    os._exit(0)


def work(asked: dict, streams: list[int]) -> None:
    """Be the Python that was asked for."""
    import runpy

    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.path[:0] = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w", encoding="utf-8"), open(2, "w", buffering=1)  # noqa: SIM115
    code = 1
    try:
        first, *rest = asked["arguments"]
        sys.argv = rest if first == "-m" else [first, *rest]
        if first == "-m":
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(first, run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    else:
        launch(sys.argv[1], sys.argv[2:])
