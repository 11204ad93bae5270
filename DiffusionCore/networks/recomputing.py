"""Less memory for more time: the parts of a network compute once more in the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute_parts(network: nn.Module) -> None:
    """Have each part of ``network`` keep what it was given instead of all that it made; the gradients are the same.

    Its parts are its sequences, and the largest modules without lists inside; single layers are none. Its weights keep
    their names, and without gradients nothing changes. Source: Chen et al., Training deep nets with sublinear memory
    cost (2016).
    """
    for part in _parts(network):
        part.forward = partial(_recomputed, part.forward)


def _recomputed(forward: Callable[..., Any], *inputs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*inputs)
    return checkpoint(forward, *inputs, use_reentrant=False, preserve_rng_state=False)  # nothing in them is random


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, nn.Sequential) or not any(isinstance(inner, nn.ModuleList) for inner in child.modules()):
            if any(True for _ in child.children()):
                yield child
        else:
            yield from _parts(child)
