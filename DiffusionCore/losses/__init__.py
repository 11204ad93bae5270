"""How unlike two images are, and which way to move one of them; each with its hand-derived slope."""

from DiffusionCore.losses.box import box_sum
from DiffusionCore.losses.force import Comparison, force, with_gradient
from DiffusionCore.losses.local_correlation import LocalCorrelation, local_correlation
from DiffusionCore.losses.self_similarity import SelfSimilarity, self_similarity
from DiffusionCore.losses.smoothness import bending_penalty, gradient_penalty
from DiffusionCore.losses.structural_similarity import structural_similarity

__all__ = [
    "Comparison",
    "LocalCorrelation",
    "SelfSimilarity",
    "bending_penalty",
    "box_sum",
    "force",
    "gradient_penalty",
    "local_correlation",
    "self_similarity",
    "structural_similarity",
    "with_gradient",
]
