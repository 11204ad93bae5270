"""A small labeled case on an oblique grid, in memory and on disk, for the tests of synthesis."""

from __future__ import annotations

import numpy as np
from strategies import oblique_grid

from DiffusionCore.space import Frame, Volume
from DiffusionCore.storage.label_names import LabelName
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.synthesis.subject import Segmentation, Subject

GRID = oblique_grid((36, 44, 32), (2.0, 1.7, 2.4))
NAMES = (LabelName(3, "liver", "#DD8265"), LabelName(200, "tumor", "#90EE90"))
LANDMARKS = GRID.map([(10.5, 20.2, 15.8), (25.1, 30.0, 12.3)], Frame.VOXEL, Frame.RAS)


def case(name="anna", seed=0):
    """A body with an organ of label 3 and two tumors of label 200."""
    k, j, i = np.meshgrid(*(np.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    body = i**2 + j**2 + k**2 < 0.7
    organ = (i - 0.25) ** 2 + (j + 0.1) ** 2 + k**2 < 0.16
    tumors = ((i - 0.4) ** 2 + j**2 + k**2 < 0.02) | ((i + 0.45) ** 2 + j**2 + k**2 < 0.02)
    noise = np.random.default_rng(seed).normal(0, 10, GRID.shape)
    values = (body * (300 + 200 * i + noise) + organ * 250 + tumors * 200).round().astype(np.int16)
    labels = np.where(tumors, 200, np.where(organ & body, 3, 0)).astype(np.uint8)
    return Subject(name, (Volume(values, GRID),), (Segmentation(Volume(labels, GRID), NAMES),), LANDMARKS)


def write_cases(target):
    """Write two cases side by side, NAME.nii.gz and NAME_seg.nii.gz, into the new folder ``target``."""
    target.mkdir()
    for seed, name in enumerate(("anna", "bert")):
        subject = case(name, seed)
        write_volume(target / f"{name}.nii.gz", subject.images[0])
        write_volume(target / f"{name}_seg.nii.gz", subject.segmentations[0].volume)
        (target / f"{name}_seg.tsv").write_text("index\tname\tcolor\n3\tliver\t#DD8265\n200\ttumor\tn/a\n")
    return target
