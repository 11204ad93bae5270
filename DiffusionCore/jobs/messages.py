"""Events and jobs as lines of JSON; arrays that are not small travel in files beside them.

A dataclass is ``{"@": its name, "of": {field: value}}``, a dict ``{"@": "dict", "of": ...}``, an array ``{"@": "array",
"dtype": ..., "shape": ..., "values": [...]}`` or, in a file, ``{..., "file": ...}``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.jobs.events import Event, Failed, Finished, Log, Measure, Progress, Started, StepMade, VariantMade
from DiffusionCore.jobs.specification import RegistrationJob, ResumePoint
from DiffusionCore.jobs.synthesis_jobs import ExportJob, SceneCase, SynthesisJob
from DiffusionCore.space import Grid, Volume
from DiffusionCore.space.plain import Composite, Field, Matrix
from DiffusionCore.storage.label_names import LabelName

_EVENTS = (Started, Progress, Log, StepMade, VariantMade, Finished, Failed)
_JOBS = (RegistrationJob, SynthesisJob, ExportJob)
_KNOWN: dict[str, Any] = {
    known.__name__: known
    for known in (*_EVENTS, *_JOBS, Measure, ResumePoint, SceneCase, LabelName, Volume, Grid, Matrix, Field, Composite)
}
_SMALL = 64  # numbers that still stand in the line itself
_LONGEST = 2**20  # bytes of a line; what is longer is no message

Place = Callable[[NDArray], dict[str, Any]]
"""Puts an array somewhere and returns where: ``{"file": name}``, and whatever else the reader must know."""

Load = Callable[[dict[str, Any]], NDArray]
"""Returns the array that a reference of ``references`` stands for."""


class MessageError(ValueError):
    """A line is no message."""


def encode(value: Any, place: Place) -> str:
    """Return an event or a job as one line; large arrays are given to ``place``.

    Raises:
        TypeError: it holds something that has no JSON form.
    """
    return json.dumps(_plain(value, place))


def parse(line: bytes | str) -> Any:
    """Return the JSON of a line.

    Raises:
        MessageError: it is none, or that of another program.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MessageError(str(error)) from error
    if not isinstance(message, dict) or message.get("@") not in _KNOWN:
        raise MessageError("no message")
    return message


def references(message: Any) -> Iterator[dict[str, Any]]:
    """Yield the references to arrays in files, in the order in which they stand in ``message``."""
    if isinstance(message, list):
        for item in message:
            yield from references(item)
    elif isinstance(message, dict):
        if message.get("@") == "array" and "file" in message:
            yield message
        else:
            yield from references(list(message.values()))


def decode(message: Any, load: Load) -> Any:
    """Return what ``parse`` made of the line of ``encode``: the same event or job.

    Raises:
        MessageError: something is missing, too much, or refused by its class.
    """
    try:
        return _value(message, load)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, DiffusionCoreError) as error:
        raise MessageError(f"{type(error).__name__}: {error}") from error


def decode_event(message: Any, load: Load) -> Event:
    """Return the event of ``message``; errors as ``decode``."""
    event = decode(message, load)
    if not isinstance(event, _EVENTS):
        raise MessageError(f"no event: {type(event).__name__}")
    return event


class Lines:
    """Makes lines out of what a pipe gives, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the lines that ``piece`` completes, without their ends; an endless one is cut."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = b""
        return lines

    def end(self) -> list[bytes]:
        """Return the last line if it has no end."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


def _plain(value: Any, place: Place) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and type(value).__name__ in _KNOWN:
        of = {field.name: _plain(getattr(value, field.name), place) for field in dataclasses.fields(value)}
        return {"@": type(value).__name__, "of": of}
    if isinstance(value, np.ndarray):
        return _array(value, place)
    if isinstance(value, dict):
        return {"@": "dict", "of": {str(key): _plain(item, place) for key, item in value.items()}}
    if isinstance(value, list | tuple):
        return [_plain(item, place) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _array(array: NDArray, place: Place) -> dict[str, Any]:
    if array.dtype.hasobject:
        raise TypeError(f"an array of the type {array.dtype} holds no plain numbers")
    where = {"values": array.ravel().tolist()} if _stands_in_line(array) else place(array)
    return {"@": "array", "dtype": array.dtype.str, "shape": list(array.shape), **where}


def _stands_in_line(array: NDArray) -> bool:
    return array.size <= _SMALL and array.dtype.kind in "biuf" and array.dtype.itemsize <= 8


def _value(message: Any, load: Load) -> Any:
    if isinstance(message, list):
        return [_value(item, load) for item in message]
    if not isinstance(message, dict):
        return message
    kind = message["@"]
    if kind == "array":
        if "values" not in message:
            return load(message)
        return np.array(message["values"], dtype=np.dtype(message["dtype"])).reshape(message["shape"])
    of = {key: _value(item, load) for key, item in message["of"].items()}
    if kind == "dict":
        return of
    return _KNOWN[kind](**{key: tuple(item) if isinstance(item, list) else item for key, item in of.items()})
