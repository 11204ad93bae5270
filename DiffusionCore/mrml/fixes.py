"""What a button beside a sentence does to mend what the sentence is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class FixAction(Enum):
    """What the button does, with ``Fix.target``."""

    OPEN_MODULE = "open module"  # target: its name
    OPEN_EXTENSIONS = "open extensions"  # the Extensions Manager
    IGNORE_TRANSFORM = "ignore transform"  # target: the node to take out of the transforms above it
    ACCEPT = "accept"  # nothing to do: the user has read it


@dataclass(frozen=True, eq=False)
class Fix:
    """A button; what is written on it is up to the panel."""

    action: FixAction
    target: Any = None
