"""What may stand beside the type of a parameter in ``Annotated``, apart from validators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args


@dataclass(frozen=True)
class Decimals:
    """How many digits a number box shows after the point."""

    value: int


@dataclass(frozen=True)
class SingleStep:
    """How far one click on the arrow of a number box goes."""

    value: float


class Default:
    """The value of a parameter that the node does not hold yet; ``generator`` makes a new one at each use."""

    def __init__(self, value: Any = None, *, generator: Callable[[], Any] | None = None) -> None:
        self._value = value
        self._generator = generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator is not None else self._value


def split(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return the type in ``hint`` and what annotates it; nested ``Annotated`` are flattened."""
    kind, *notes = get_args(Annotated[hint, None])
    return kind, tuple(notes[:-1])


def first(notes: tuple[Any, ...], kind: type) -> Any:
    """Return the first of ``notes`` that is a ``kind``, or None."""
    return next((note for note in notes if isinstance(note, kind)), None)


def split_name(name: str) -> tuple[str, str | None]:
    """Return the name before the first dot and the rest, which is None without a dot."""
    head, dot, rest = name.partition(".")
    return head, rest if dot else None
