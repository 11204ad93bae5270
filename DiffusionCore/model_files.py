"""The user's own models: put a file among them, copy one out, delete one; no torch.

What belongs to weights lies beside them under their name and goes with them: the calibration of their errors, and the
reference of what the labels of real cases are like.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from DiffusionCore.checks import CheckpointError, StorageError
from DiffusionCore.models import SHIPPED, SUFFIX, ModelCard, find_model, models_folder, read_card, write_markdown_card
from DiffusionCore.storage.files import replacing

COMPANIONS = (".calibration.json", ".reference.json")  # behind the name of the weights


def install_model(weights: str | Path, name: str, *, replace: bool = False) -> ModelCard:
    """Copy a file of weights, and what lies beside it, into ``models_folder()`` as the model ``name``, with its card.

    Raises:
        CheckpointError: the file cannot be used; there is another model of this name, and it is a shipped one or
            ``replace`` is false.
        StorageError: no such file, no name for a file, or the folder cannot be written.
    """
    source, folder = Path(weights), models_folder()
    read_card(source)
    if not is_model_name(name):
        raise StorageError(f"'{name}' cannot be the name of a model. Use letters, digits, '-', '_', '.' and spaces.")
    if (SHIPPED / f"{name}{SUFFIX}").exists():
        raise CheckpointError(f"'{name}' is the name of a model that is shipped. Choose another name.")
    target = folder / f"{name}{SUFFIX}"
    if target.exists() and not replace and target.read_bytes() != source.read_bytes():
        raise CheckpointError(
            f"There is another model '{name}' in '{folder}'. Choose another name, or remove it there."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"The folder of models '{folder}' cannot be made ({error.strerror}).") from error
    return _copied(source, target)


def export_model(name: str, target: str | Path, *, replace: bool = False) -> ModelCard:
    """Copy the model ``name`` to the file ``target`` (.safetensors), with its card and what belongs to it beside.

    Raises:
        CheckpointError: there is no such model.
        StorageError: another ending, a file that is there already, a folder that is missing or cannot be written.
    """
    source, target = find_model(name), Path(target)
    if target.suffix != SUFFIX:
        raise StorageError(f"A model is written as a file {SUFFIX}, but '{target}' is none. Give it this ending.")
    if target.exists() and not replace:
        raise StorageError(f"'{target}' is there already. Choose another name, or remove it.")
    if target.exists() and target.samefile(source):
        raise StorageError(f"'{target}' is the model itself. Choose another file.")
    return _copied(source, target)


def delete_model(name: str) -> None:
    """Delete the model ``name`` of ``models_folder()``, with its card and all that belongs to it.

    Raises:
        CheckpointError: there is none; a shipped one cannot be deleted.
        StorageError: its file cannot be deleted.
    """
    weights = models_folder() / f"{name}{SUFFIX}"
    if not is_model_name(name) or not weights.is_file():
        raise CheckpointError(f"There is no model '{name}' in '{models_folder()}'; others cannot be deleted.")
    try:
        for path in (weights, *_companions(weights), weights.with_name(f"{name}.md")):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"The model '{weights}' cannot be deleted ({error.strerror}).") from error


def is_model_name(name: str) -> bool:
    """Return whether a model may be called so: a plain file name on every system, that is not a hidden file."""
    return re.fullmatch(r"[\w-](?:[\w. -]*[\w-])?", name) is not None


def _copied(source: Path, target: Path) -> ModelCard:
    """Copy ``source`` to ``target`` with its companions; those of other weights that were there must not stay."""
    pairs = list(zip(_companions(source), _companions(target), strict=True))
    if not (target.exists() and target.read_bytes() == source.read_bytes()):
        for _, old in pairs:
            old.unlink(missing_ok=True)
        _copy(source, target)
    for given, copy in pairs:
        if given.is_file():
            _copy(given, copy)
    write_markdown_card(target)
    return read_card(target)


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as unfinished:
        shutil.copyfile(source, unfinished)


def _companions(weights: Path) -> list[Path]:
    name = weights.name.removesuffix(SUFFIX)
    return [weights.with_name(name + suffix) for suffix in COMPANIONS]
