"""Draw Documentation/synthesis/variants.png: variants of the ICBM template with their labels, plain and symmetric.

.venv/bin/python Testing/draw_variants.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from DiffusionCore.sample import make_sample
from DiffusionCore.synthesis.settings import SynthesisSettings
from DiffusionCore.synthesis.subject import Segmentation, Subject
from DiffusionCore.synthesis.synthesizer import Synthesizer

OUTPUT = Path(__file__).parents[1] / "Documentation" / "synthesis" / "variants.png"
COLORS = np.array([(0, 0, 0), (90, 160, 255), (255, 160, 90), (90, 220, 160), (240, 220, 90), (220, 90, 160)]) / 255
ROWS = ((0.3, "on"), (0.6, "on"), (1.0, "on"), (1.0, "off"))
VARIANTS = 3


def picture(subject: Subject) -> np.ndarray:
    """Return an axial and a coronal slice beside each other, labels as colored rims: (rows, columns, 3), 0..1."""
    image = subject.images[0].values.astype(float) / 255
    labels = subject.segmentations[0].volume.values
    slices = [(image[40], labels[40]), (image[:, 57], labels[:, 57])]
    shown = []
    for gray, label in slices:
        rim = np.zeros(label.shape, bool)
        rim[1:] |= label[1:] != label[:-1]
        rim[:, 1:] |= label[:, 1:] != label[:, :-1]
        rim &= label > 0
        color = np.repeat(gray[..., None], 3, 2).clip(0, 1)
        color[rim] = 0.5 * color[rim] + 0.5 * COLORS[label[rim]]
        tall = np.zeros((max(image.shape), color.shape[1], 3))
        tall[: len(color)] = color[::-1]
        shown.append(tall[:, 4:-4])
    return np.concatenate(shown, 1)


def main() -> None:
    """Draw it: rows of subtle, natural, strong, and strong without symmetry."""
    sample = make_sample(resolution=2)
    subject = Subject("template", (sample.fixed,), (Segmentation(sample.fixed_segmentation),))
    rows = []
    for strength, symmetry in ROWS:
        synthesizer = Synthesizer(subject, SynthesisSettings(strength=strength, symmetry=symmetry))  # pyright: ignore
        rows.append(np.concatenate([picture(synthesizer.variant(n).subject) for n in range(VARIANTS)], 1))
    mosaic = (255 * np.concatenate(rows, 0)).astype(np.uint8)
    OUTPUT.parent.mkdir(exist_ok=True)
    Image.fromarray(mosaic).save(OUTPUT, optimize=True)


if __name__ == "__main__":
    main()
