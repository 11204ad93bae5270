"""``python -m DiffusionCore.jobs.worker FOLDER``: the process in which a job is carried out.

What it reports goes to its standard output, one message a line; nothing else does, for what libraries print there is
sent to the standard error, which the reader takes for the log. Its standard input has one word a line: ``inputs`` (all
of them are in the folder), ``stop``, ``release N`` (slot N has been copied). Where the input ends, whoever started it
is gone: so is the worker, at once.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray

from DiffusionCore.jobs.events import Event, StepMade
from DiffusionCore.jobs.failures import failed
from DiffusionCore.jobs.job_files import kind_of_job, read_job
from DiffusionCore.jobs.messages import encode
from DiffusionCore.jobs.sharing import Slots, array_path, remove_folder, writing
from DiffusionCore.loading import starting

_EXECUTORS = {
    "RegistrationJob": ("DiffusionCore.jobs.execution", "execute"),
    "SynthesisJob": ("DiffusionCore.jobs.synthesis", "execute_synthesis"),
    "ExportJob": ("DiffusionCore.jobs.synthesis", "execute_export"),
}


def main(arguments: list[str]) -> int:
    """Run the job in the folder that is named, and end the process."""
    (name,) = arguments
    folder = Path(name)
    output = _own_output()
    slots = Slots(folder)
    inbox = Inbox(folder, slots)
    sender = Sender(folder, slots, output)
    try:
        module, function = _EXECUTORS[kind_of_job(folder)]
        with starting():
            execute = getattr(import_module(module), function)  # brings torch: seconds, while the inputs are written
        inbox.inputs.wait()
        for event in execute(read_job(folder), inbox.stop.is_set):
            sender.send(event)
    except BaseException as error:
        try:
            sender.send(failed(error))  # the reader knows which step has come last
        except OSError:  # it is gone, which the standard input says only later
            remove_folder(folder)
            os._exit(1)
    output.flush()
    sys.stderr.flush()
    os._exit(0)  # the results are out; taking torch down takes its time


class Inbox:
    """What the reader says: ``inputs`` are there, ``stop``; slots are given back. A thread waits for it."""

    def __init__(self, folder: Path, slots: Slots, source: BinaryIO | None = None) -> None:
        self.inputs, self.stop = threading.Event(), threading.Event()
        self._folder, self._slots = folder, slots
        threading.Thread(target=self._listen, args=(source or sys.stdin.buffer,), daemon=True).start()

    def _listen(self, source: BinaryIO) -> None:
        for line in source:
            match line.split():
                case [b"inputs"]:
                    self.inputs.set()
                case [b"stop"]:
                    self.stop.set()
                case [b"release", slot]:
                    self._slots.give_back(int(slot))
        remove_folder(self._folder)
        os._exit(1)


class Sender:
    """Writes events: the fields of steps into slots, other arrays into files of their own."""

    def __init__(self, folder: Path, slots: Slots, output: BinaryIO) -> None:
        self._folder, self._slots, self._output = folder, slots, output
        self._files = 0

    def send(self, event: Event) -> None:
        """Write one line.

        Raises:
            OSError: the disk is full.
        """
        place = self._slots.place if isinstance(event, StepMade) else self._write
        self._output.write(encode(event, place).encode() + b"\n")
        self._output.flush()

    def _write(self, array: NDArray) -> dict[str, Any]:
        name, self._files = f"result-{self._files}", self._files + 1
        for _ in writing(array_path(self._folder, name), array):
            pass
        return {"file": name}


def _own_output() -> BinaryIO:
    """Return the standard output for messages alone; what others print to it goes to the standard error from now on."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    faulthandler.enable()
    return output


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
