"""Where a registration computes while trainings hold the GPUs; no torch here."""

from __future__ import annotations

from pathlib import Path

from DiffusionCore.training.folder import is_in_use, read_record


def device_beside_trainings(device: str, folder: Path) -> str:
    """Return where to compute what was to compute on ``device``, at the side of the trainings that run in ``folder``.

    Only "auto" changes, and only while one of them computes on a GPU: to a GPU that all of them leave alone, or else to
    "cpu".
    """
    if device != "auto":
        return device
    try:
        places = sorted(folder.iterdir())
    except OSError:
        return device
    records = [read_record(place) for place in places if is_in_use(place)]
    holding = [record for record in records if record is not None and record.gpus]
    if not holding:
        return device
    return min(set.intersection(*(set(record.spare_gpus) for record in holding)), default="cpu")
