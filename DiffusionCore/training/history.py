"""The commands that weights come from, on their card: one that was stopped and gone on with otherwise has several."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from DiffusionCore.checks import StorageError
from DiffusionCore.storage.checkpoint import read_description

COMMANDS = "commands"  # in a card: pairs (command, from which step on)


def command_text(recipe: str, settings: Sequence[str]) -> str:
    """Return the command that trains ``recipe`` with ``settings``, "key=value"; places on this machine are left out."""
    own = [setting for setting in settings if not setting.startswith("data=")]
    data = ["--data", "DATA"] if len(own) < len(settings) else []
    return " ".join(["python -m DiffusionCore train", recipe, *data, "--output RUN", *map(shlex.quote, own)])


def with_history(card: dict[str, Any], weights: Path, step: int) -> dict[str, Any]:
    """Return ``card`` with the commands of the training so far, up to ``step``, which ``weights`` name, before its own.

    The same command again is no other one.
    """
    own = card.get(COMMANDS)
    if not own:
        return card
    try:
        before = read_description(weights)["card"].get(COMMANDS, []) if step else []
    except StorageError:  # a state without weights: they were deleted, or are older than this
        before = []
    if before and before[-1][0] == own[0][0]:
        return {**card, COMMANDS: before}
    return {**card, COMMANDS: [*before, *([text, f"from step {step} on" if step else ""] for text, _ in own)]}
