"""Weights in files: safetensors with all that is needed to use them inside; a pickle is never opened.

The metadata of the file has one entry, JSON text under "DiffusionCore": the version of this format, the kind of the
model, its configuration, and its card (data, steps, seed, results, license). torch is only imported for the weights.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DiffusionCore.checks import CheckpointError
from DiffusionCore.storage.files import last_line, replacing, require_file

if TYPE_CHECKING:
    from torch import Tensor

FORMAT_VERSION = 1
_ENTRY = "DiffusionCore"
_LONGEST_HEADER = 100_000_000  # bytes, the limit of safetensors itself
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"(dp", b"}q", b"\x1f\x8b")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained model: its ``kind`` (e.g. "pose"), the ``config`` it is built from, ``weights``, and its ``card``.

    ``config`` and ``card`` hold what JSON knows; in a file tuples become lists.
    """

    kind: str
    config: dict[str, Any]
    weights: dict[str, Tensor]
    card: dict[str, Any]


def save_checkpoint(path: str | Path, checkpoint: Checkpoint, *, half: bool = False) -> None:
    """Write ``checkpoint``; the file appears whole or not at all.

    With ``half`` weights of float32 and float64 are stored as float16, but for tensors that do not fit its range.

    Raises:
        StorageError: a folder that is missing or read-only, a full disk.
        TypeError: the configuration or the card holds something that has no JSON form.
        ValueError: a number in the configuration or the card is NaN or infinite.
    """
    from safetensors.torch import save

    description = {
        "format": FORMAT_VERSION,
        "kind": checkpoint.kind,
        "config": checkpoint.config,
        "card": checkpoint.card,
    }
    text = json.dumps(description, allow_nan=False)
    # the format has no strided and no shared tensors
    weights = {name: _stored(tensor, half).clone().contiguous() for name, tensor in checkpoint.weights.items()}
    with replacing(path) as unfinished:
        unfinished.write_bytes(save(weights, metadata={_ENTRY: text}))


def load_checkpoint(path: str | Path, kind: str | None = None) -> Checkpoint:
    """Return the checkpoint at ``path``, its weights on the CPU in the precision of the file.

    Raises:
        CheckpointError: a pickle, a truncated or foreign file, a newer format, a kind other than ``kind`` (None: any).
        StorageError: no such file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = require_file(path, "a file of weights (.safetensors)")
    description = read_description(path, kind)
    try:
        weights = load(path.read_bytes())
    except (SafetensorError, OSError) as error:
        raise _damaged(path, last_line(error)) from error
    return Checkpoint(description["kind"], description["config"], weights, description["card"])


def read_description(path: str | Path, kind: str | None = None) -> dict[str, Any]:
    """Return {format, kind, config, card} of the checkpoint at ``path`` without reading its weights; needs no torch.

    Raises:
        CheckpointError: as load_checkpoint.
        StorageError: no such file.
    """
    path = require_file(path, "a file of weights (.safetensors)")
    try:
        description = json.loads(_header(path).get("__metadata__", {}).get(_ENTRY, "null"))
    except (ValueError, AttributeError, RecursionError) as error:
        raise _damaged(path, "its header is no valid JSON") from error
    if not isinstance(description, dict) or not isinstance(description.get("format"), int):
        raise CheckpointError(
            f"'{path}' holds tensors, but not the description that a model of DiffusionCore carries (format, kind, "
            "configuration, card). Use weights that were saved by `python -m DiffusionCore train`."
        )
    if description["format"] > FORMAT_VERSION:
        raise CheckpointError(
            f"'{path}' has the format {description['format']}, this version reads up to {FORMAT_VERSION}. "
            "It was made by a newer version of SpatialDiffusion: update the extension, or choose older weights."
        )
    kinds = {"kind": str, "config": dict, "card": dict}
    if wrong := [name for name, expected in kinds.items() if not isinstance(description.get(name), expected)]:
        raise _damaged(path, f"its description has no valid {' and no valid '.join(wrong)}")
    if kind not in (None, description["kind"]):
        raise CheckpointError(
            f"'{path}' holds a model of the kind '{description['kind']}', but one of the kind '{kind}' is needed. "
            "Choose another one; `python -m DiffusionCore models` lists them."
        )
    return description


def _header(path: Path) -> dict[str, Any]:
    """Return the JSON header of a safetensors file: 8 bytes with its length (little endian), then the text."""
    with path.open("rb") as file:
        start = file.read(9)
        if start[8:] != b"{":
            if start.startswith(_PICKLES):
                raise CheckpointError(
                    f"'{path}' is a pickle or an archive (.pt, .pth, .ckpt): opening one can run any program in it, so "
                    "it is not opened. Convert it to safetensors where it comes from, or train the model again."
                )
            raise _damaged(path, "it does not begin like a safetensors file")
        length = int.from_bytes(start[:8], "little")
        text = start[8:] + file.read(min(length, _LONGEST_HEADER) - 1)
    if len(text) != length:
        raise _damaged(path, "it ends within its header")
    header = json.loads(text)
    try:
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        missing = 8 + length + max(ends, default=0) - path.stat().st_size
    except (KeyError, IndexError, TypeError) as error:
        raise _damaged(path, "its header is none of safetensors") from error
    if missing:
        raise _damaged(path, f"{missing} bytes are missing" if missing > 0 else f"it has {-missing} bytes too many")
    return header


def _damaged(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"'{path}' is truncated or damaged, or no file of weights: {reason}. Copy or download it again, or choose "
        "another model."
    )


def _stored(tensor: Tensor, half: bool) -> Tensor:
    import torch

    tensor = tensor.detach().cpu()
    if not half or tensor.dtype not in (torch.float32, torch.float64):
        return tensor
    smaller = tensor.half()
    return smaller if torch.isfinite(smaller).all() else tensor
