"""What a cohort can do with each of its cases: the work of one command of the shell, by its own options."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from DiffusionCore.cohort.thumbnails import draw_registration, draw_variants
from DiffusionCore.commands.inputs import PAIR_FILES, read_pair
from DiffusionCore.commands.running import run_silently, write_outcome
from DiffusionCore.commands.settings import settings_from
from DiffusionCore.commands.synthesize import order_of
from DiffusionCore.models import find_model
from DiffusionCore.report import HEADLINES, mean_of
from DiffusionCore.storage.tables import Columns, Listed
from DiffusionCore.synthesis.batch import make_set
from DiffusionCore.synthesis.inputs import SubjectFiles

MODELS = ("model", "learned", "image_model")  # options that name one, or its file
_OF_FILES = ("landmark_strength", "target_label", "target_strength")  # of a registration, which need files of a case


@dataclass(frozen=True)
class Finding:
    """What is told of a finished case in the summary: numbers by their titles, and sentences to heed."""

    measures: dict[str, float]
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A command that a cohort repeats.

    Attributes:
        columns: of the list of cases.
        require: raises ConfigError or CheckpointError if the options of the command are of no use for any case.
        work: does the work of the command on a case in the folder ``output`` of its options, the picture included.
        doubt: how doubtful a case with these measures is; the summary begins with the greatest.
        unit: what a case without a name is called by.
    """

    columns: Columns
    require: Callable[[argparse.Namespace], Any]
    work: Callable[[Listed, argparse.Namespace], Finding]
    doubt: Callable[[dict[str, float]], float]
    unit: str


def _require_registration(options: argparse.Namespace) -> None:
    _require_models(options)
    settings_from(argparse.Namespace(**{**vars(options), **dict.fromkeys(_OF_FILES)}))


def _register(case: Listed, options: argparse.Namespace) -> Finding:
    """Do as the command register does; landmarks and segmentations guide where the options say so."""
    pair = read_pair(**case.files, seed=options.seed)
    outcome = run_silently(pair, argparse.Namespace(**{**vars(options), **dict.fromkeys(PAIR_FILES), **case.files}))
    outcome.report["inputs"] = {name: str(path) for name, path in case.files.items()}
    draw_registration(options.output, pair, outcome.registration.transform)
    write_outcome(options.output, pair, outcome, keep_steps=options.keep_steps)
    sides = outcome.report["metrics"]
    found = {f"{name} {when}": mean_of(sides[when], key) for key, name in HEADLINES for when in ("before", "after")}
    return Finding({k: v for k, v in found.items() if v is not None}, tuple(outcome.report["cautions"]))


def _require_synthesis(options: argparse.Namespace) -> None:
    _require_models(options)
    order_of(options, ())


def _require_models(options: argparse.Namespace) -> None:
    for name in MODELS:
        if (model := getattr(options, name, None)) not in (None, "none"):
            find_model(model)


def _synthesize(case: Listed, options: argparse.Namespace) -> Finding:
    """Do as the command synthesize does with one case."""
    labels = (case.files["label"],) if "label" in case.files else ()
    subject = SubjectFiles(case.name, (case.files["image"],), labels, case.files.get("landmarks"))
    records: list[dict[str, Any]] = []
    outcome = make_set(order_of(options, [subject]), workers=1, on_sample=records.append)
    draw_variants(options.output, subject, records)
    measures = {"variants": float(outcome.made), "redrawn": float(outcome.redrawn)}
    if records:
        measures["displacement mm"] = fmean(record["mean_displacement_mm"] for record in records)
    return Finding(measures, tuple(outcome.refused.values()))


KINDS = {
    "register": Kind(
        Columns(PAIR_FILES[:2], PAIR_FILES[2:], ("seed",)),
        _require_registration,
        _register,
        doubt=lambda measures: -measures.get("Dice after", measures["MI after"]),
        unit="pair",
    ),
    "synthesize": Kind(
        Columns(("image",), ("label", "landmarks"), ("seed", "subject", "modality", "pair")),
        _require_synthesis,
        _synthesize,
        doubt=lambda measures: measures["redrawn"] - measures["variants"],
        unit="case",
    ),
}
