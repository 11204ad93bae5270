"""How ``key=value`` changes settings: the key of a part is ``part.key``."""

from __future__ import annotations

import json
from typing import Any

from DiffusionCore.checks import DiffusionCoreError


def make_change(change: str, *settings: dict[str, Any]) -> None:
    """Make ``change``, "key=value", in the first of the nested ``settings`` that knows the key.

    Raises:
        DiffusionCoreError: none does; the text lists all keys.
    """
    key, equals, text = change.partition("=")
    owner = next((values for values in settings if key in _keys(values)), None)
    if not equals or owner is None:
        known = ", ".join(known for values in settings for known in _keys(values))
        raise DiffusionCoreError(f"'{change}' changes nothing; write key=value with one of the keys: {known}.")
    _set(owner, key, text)


def _keys(values: dict[str, Any], before: str = "") -> list[str]:
    """Return all keys of nested ``values``, those of a part as ``part.key``."""
    inner = [
        _keys(value, f"{before}{key}.") if isinstance(value, dict) else [before + key] for key, value in values.items()
    ]
    return [key for keys in inner for key in keys]


def _set(values: dict[str, Any], key: str, text: str) -> None:
    """Put JSON ``text``, or plain text where it is none, at ``key`` of nested ``values``."""
    *path, last = key.split(".")
    for part in path:
        values = values[part]
    try:
        values[last] = json.loads(text)
    except json.JSONDecodeError:
        values[last] = text
