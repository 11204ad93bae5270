"""Compiled kernels for what torch does slowly; each does what the torch operations beside its call define."""

from DiffusionCore.kernels.dispatch import VARIABLE, kernel_for, kernels_used

__all__ = ["VARIABLE", "kernel_for", "kernels_used"]
