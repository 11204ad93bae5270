"""The state of a training in files: all that it takes to go on as if nothing had happened."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from DiffusionCore.checks import CheckpointError
from DiffusionCore.storage.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from DiffusionCore.storage.files import replacing


@dataclass
class TrainingState:
    """What a training changes.

    Attributes:
        network: the network that is trained.
        average: the same network with the running mean of the weights.
        optimizer: of the network, with its moments.
        step: steps that were done.
        seconds: how long they took, over all runs.
    """

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0


def save_state(path: Path, state: TrainingState, *, kind: str, config: Any, seed: int) -> None:
    """Write ``state`` of the training of ``config``, a dataclass; the file appears whole or not at all."""
    tensors = {f"network.{name}": tensor for name, tensor in state.network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    for index, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": tensor for name, tensor in moments.items()}
    progress = {"step": state.step, "seconds": state.seconds, "seed": seed}
    save_checkpoint(path, Checkpoint(f"{kind}-training", asdict(config), tensors, progress))


def restore_state(path: Path, state: TrainingState, *, kind: str, config: Any, seed: int) -> None:
    """Put what was saved at ``path`` into ``state``; nothing happens if there is no such file.

    Raises:
        CheckpointError: the file belongs to another recipe, configuration or seed, or is damaged.
    """
    if not path.exists():
        return
    saved = load_checkpoint(path, f"{kind}-training")
    _require_same_run(path, {**saved.config, "seed": saved.card.get("seed", seed)}, {**asdict(config), "seed": seed})
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimizer": {}}
    for name, tensor in saved.weights.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = tensor
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, moment = name.split(".")
        moments.setdefault(int(index), {})[moment] = tensor
    state.network.load_state_dict(parts["network"])
    state.average.load_state_dict(parts["average"])
    state.optimizer.load_state_dict({"state": moments, "param_groups": state.optimizer.state_dict()["param_groups"]})
    state.step, state.seconds = int(saved.card["step"]), float(saved.card["seconds"])


def cut_log(path: Path, step: int) -> None:
    """Drop the rows after ``step`` from the log of JSON lines at ``path``, if there is one.

    A run that is killed leaves rows of steps that its last state does not know, and that will be written again.
    """
    if not path.exists():
        return
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            if json.loads(line)["step"] > step:
                break
        except ValueError:  # the row that was being written
            break
        rows.append(line)
    with replacing(path) as unfinished:
        unfinished.write_text("".join(rows), encoding="utf-8")


def _require_same_run(path: Path, saved: dict[str, Any], wanted: dict[str, Any]) -> None:
    wanted = json.loads(json.dumps(wanted))  # a file knows no tuples
    keys = [key for key in {**saved, **wanted} if saved.get(key) != wanted.get(key)]
    if keys:
        different = "; ".join(f"{key}: {saved.get(key)} there, {wanted.get(key)} here" for key in keys)
        raise CheckpointError(
            f"The run in '{path.parent}' was made with another configuration ({different}). "
            "Choose an empty output folder, or the same settings."
        )
