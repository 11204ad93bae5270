"""One training: which cases, what is learned of them, and how well unseen cases are labeled."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from DiffusionCore.affine.foreground import center_of_mass
from DiffusionCore.metrics import dice, hausdorff95
from DiffusionCore.synthesis.subject import Subject
from DiffusionCore.transforms import Affine
from Testing.Benchmarks.few_shot.arms import Arm
from Testing.Benchmarks.few_shot.cases import STRUCTURES, Window, box, classes, moved
from Testing.Benchmarks.few_shot.learning import Pool, predict, train
from Testing.Benchmarks.few_shot.network import UNet
from Testing.Benchmarks.few_shot.plan import Plan

Row = dict[str, Any]


def chosen(count: int, cases: int, seed: int) -> list[int]:
    """Return which ``cases`` of ``count`` a seed trains on; the next seed takes others, while there are some."""
    rounds = count // cases
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed // rounds)).tolist()
    first = seed % rounds * cases
    return sorted(order[first : first + cases])


def run(arm: Arm, cases: Sequence[Subject], unseen: Sequence[Subject], plan: Plan, seed: int) -> Row:
    """Return what a network of ``seed`` and ``arm`` reaches on ``unseen`` and those ``cases`` it was not trained on."""
    begun = time.process_time()
    indices = chosen(len(cases), plan.cases, seed)
    own = [cases[index] for index in indices]
    window = Window.about(own, plan.window)
    wide = window.wider(plan.jitter)
    pools = [Pool(wide.cut(case), [wide.cut(variant) for variant in arm(case)]) for case in own]
    made = time.process_time()
    network = train(pools, 1 + len(STRUCTURES), plan, seed)
    trained = time.process_time()
    others = [case for index, case in enumerate(cases) if index not in indices] + list(unseen)
    return {
        "seed": seed,
        "trained_on": [case.name for case in own],
        "plan": asdict(plan),
        "upright": {case.name: scores(network, case, window) for case in others},
        "tilted": {case.name: scores(network, tilted(case, plan.tilt, n), window) for n, case in enumerate(others)},
        "cpu_variants": round(made - begun, 1),
        "cpu_training": round(trained - made, 1),
    }


def scores(network: UNet, case: Subject, window: Window) -> Row:
    """Return Dice and 95 % Hausdorff distance, mm, of every structure; what lies beyond the window is missed."""
    truth = classes(case)
    start = window.start(case)
    found = box(predict(network, window.cut(case)[0]).numpy(), -start, truth.shape)
    distances = hausdorff95(found, truth, case.images[0].grid.spacing)
    names = dict(enumerate(STRUCTURES, 1))
    return {
        "dice": {names[label]: round(value, 4) for label, value in dice(found, truth).items()},
        "hd95": {names[label]: round(value, 2) for label, value in distances.items()},
    }


def tilted(case: Subject, degrees: float, number: int) -> Subject:
    """Return ``case`` turned by ``degrees`` about an axis through its tissue that ``number`` draws."""
    axis = np.random.default_rng(number).normal(size=3)
    turn = math.radians(degrees) * axis / np.linalg.norm(axis)
    return moved(case, Affine.exponential([*turn, *[0.0] * 9], center_of_mass(case.images[0])))
