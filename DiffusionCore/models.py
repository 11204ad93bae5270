"""The models that are there: the shipped ones, and those that the user installed; no torch to list them."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from DiffusionCore.checks import CheckpointError, StorageError
from DiffusionCore.storage.checkpoint import Checkpoint, load_checkpoint, read_description

_logger = logging.getLogger(__name__)
SHIPPED = Path(__file__).parent / "weights"
FOLDER_VARIABLE = "SPATIALDIFFUSION_MODELS"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class ModelCard:
    """What a user must know of a model; the text is that of its checkpoint, "not stated" where that is silent.

    Attributes:
        name: the name to choose it by, that of its file without the ending.
        kind: what it is for, e.g. "pose".
        path: its file of weights.
        data: what it was trained on.
        steps: the optimizer steps of its training.
        seed: the seed of its training.
        time: how long the training took.
        commands: pairs of a command that trained it and what there is to say of that, in order; a remark has none.
        results: pairs of what was measured and the result.
        license: the terms of use.
        shipped: whether it came with the package, or was installed by the user.
    """

    name: str
    kind: str
    path: Path
    data: str
    steps: str
    seed: str
    time: str
    commands: tuple[tuple[str, str], ...]
    results: tuple[tuple[str, str], ...]
    license: str
    shipped: bool

    def __str__(self) -> str:
        return describe(self)


def models_folder() -> Path:
    """Return the folder of the user's own models: $SPATIALDIFFUSION_MODELS, or one in the platform's place for data."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "SpatialDiffusion" / "models"


def list_models() -> tuple[ModelCard, ...]:
    """Return the cards of all models, sorted by name; an installed model hides a shipped one of the same name.

    A file that cannot be used is left out and named in the log.
    """
    cards = {}
    for folder in (SHIPPED, models_folder()):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                cards[path.stem] = read_card(path)
            except StorageError as error:
                _logger.warning("A model was left out. %s", error)
    return tuple(cards[name] for name in sorted(cards))


def find_model(name_or_path: str | Path) -> Path:
    """Return the file of the model of this name, or of this path.

    Raises:
        CheckpointError: there is none; the text lists the models that exist.
    """
    if Path(name_or_path).is_file():
        return Path(name_or_path)
    cards = {card.name: card for card in list_models()}
    if (name := str(name_or_path)) in cards:
        return cards[name].path
    raise CheckpointError(
        f"There is no model '{name}' and no file of this name. Models: {', '.join(cards) or 'none'}. "
        f"Put further ones (.safetensors) into '{models_folder()}', or give the path of a file."
    )


def load_model(name_or_path: str | Path, kind: str | None = None) -> Checkpoint:
    """Return the checkpoint of a model by name or path.

    Raises:
        CheckpointError: there is none, it cannot be used, or it is not of the ``kind`` (None: any).
    """
    return load_checkpoint(find_model(name_or_path), kind)


def read_card(path: str | Path) -> ModelCard:
    """Return the card inside the checkpoint at ``path``.

    Raises:
        StorageError: no such file, or none that can be used.
    """
    path = Path(path)
    description = read_description(path)
    card = description["card"]
    results = card.get("results") or {}
    return ModelCard(
        name=path.stem,
        kind=description["kind"],
        path=path,
        data=_stated(card.get("data")),
        steps=_stated(card.get("steps")),
        seed=_stated(card.get("seed")),
        time=_stated(card.get("time", _duration(card.get("seconds")))),
        commands=_pairs(card.get("commands")),
        results=tuple((str(k), str(v)) for k, v in (results if isinstance(results, dict) else {"": results}).items()),
        license=_stated(card.get("license")),
        shipped=path.resolve().parent == SHIPPED.resolve(),
    )


def describe(card: ModelCard) -> str:
    """Return ``card`` as lines for the shell."""
    lines = [f"{card.name}  ({card.kind}, {'shipped' if card.shipped else 'installed'})"]
    return "\n  ".join([*lines, *(f"{label:<10}{text}" for label, text in _rows(card)), f"{'file':<10}{card.path}"])


def write_markdown_card(path: str | Path) -> Path:
    """Write the card inside the checkpoint at ``path`` beside it as Markdown, and return the file."""
    card = read_card(path)
    target = card.path.with_suffix(".md")
    target.write_text(markdown(card), encoding="utf-8")
    return target


def markdown(card: ModelCard) -> str:
    """Return ``card`` as a page of Markdown."""
    rows = "\n".join(f"| {label} | {text.replace('|', chr(92) + '|')} |" for label, text in _rows(card))
    return f"# {card.name}\n\nWeights of the kind `{card.kind}`.\n\n| | |\n|---|---|\n{rows}\n"


def _rows(card: ModelCard) -> list[tuple[str, str]]:
    results = "; ".join(f"{name}: {value}" if name else value for name, value in card.results)
    commands = "; ".join(", ".join(filter(None, (f"`{text}`" if text else "", note))) for text, note in card.commands)
    facts = ("data", "steps", "seed", "time")
    return [
        *((fact, getattr(card, fact)) for fact in facts),
        ("commands", _stated(commands)),
        ("license", card.license),
        ("results", _stated(results)),
    ]


def _pairs(commands: Any) -> tuple[tuple[str, str], ...]:
    """Return what a card tells of its commands; a file may hold anything there."""
    told = commands if isinstance(commands, list) else []
    return tuple((str(each[0]), str(each[1])) for each in told if isinstance(each, list) and len(each) == 2)


def _stated(value: Any) -> str:
    return "not stated" if value in (None, "") else " ".join(str(value).split())


def _duration(seconds: Any) -> str | None:
    if not isinstance(seconds, int | float):
        return None
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
