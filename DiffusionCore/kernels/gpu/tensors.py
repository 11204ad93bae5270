"""Shapes and types of tensors, as kernels want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton.language as tl
from torch import Tensor


def sizes(shape: Sequence[int]) -> tuple[int, int, int]:
    """Return the voxels along i, j and k of the ``shape`` (..., K, J, I)."""
    return shape[-1], shape[-2], shape[-3]


def working(tensor: Tensor) -> torch.dtype:
    """Return the type that is computed in."""
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def kind(tensor: Tensor) -> Any:
    """Return ``working`` as a type of Triton."""
    return tl.float64 if tensor.dtype == torch.float64 else tl.float32
