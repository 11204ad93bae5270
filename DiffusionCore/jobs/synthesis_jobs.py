"""What a process that makes variants, or writes those that were kept, needs to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from DiffusionCore.space import Volume
from DiffusionCore.storage.label_names import LabelName


@dataclass(frozen=True, eq=False)
class SceneCase:
    """A case that is in no file: its ``image``, ``labels`` on the same grid, and the ``names`` of these."""

    name: str
    image: Volume
    labels: Volume
    names: tuple[LabelName, ...] = ()


@dataclass(frozen=True, eq=False)
class SynthesisJob:
    """Variants that somebody will look through (``synthesis.layouts.review``).

    Attributes:
        source: a case, or the path of a folder of cases.
        output: path of the folder of the variants; the cases go there, too, as original-N.npz.
        indices: of the variants.
        settings: of ``SynthesisSettings``, as in its JSON form, partial: what is missing takes its default.
        seed: of everything random.
        workers: processes; None for as many as it is worth.
    """

    source: SceneCase | str
    output: str
    indices: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    workers: int | None = None


@dataclass(frozen=True, eq=False)
class ExportJob:
    """Variants, and perhaps their originals, that are to be written as a data set.

    Attributes:
        folders: of the variants, as ``SynthesisJob`` has filled them.
        records: of the variants, each with ``folder``, the place of its folder among these.
        output: path of the data set; one that was begun is gone on with.
        layout: a name in ``synthesis.layouts.LAYOUTS`` that needs nothing but the cases.
        originals: whether the originals of the variants are written, too.
    """

    folders: tuple[str, ...]
    records: tuple[dict[str, Any], ...]
    output: str
    layout: str = "nnunet"
    originals: bool = False
