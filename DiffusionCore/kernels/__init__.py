"""Compiled kernels for what torch does slowly; each does what the torch operations beside its call define."""

from DiffusionCore.kernels.dispatch import VARIABLE, kernels_for

__all__ = ["VARIABLE", "kernels_for"]
