"""What each kernel has to answer before its results are used: a call of it whose results were worked out by hand.

The images are ramps, products or sums along the axes, so that a formula gives every number. Rows have nine voxels: one
vector of eight, and one more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

_TOLERANCE = 1e-4  # of the largest number, at least of 1
_K, _J, _I = 2, 3, 9
_SHAPE = (_K, _J, _I)


@dataclass(frozen=True)
class Example:
    """A call of a kernel whose results are known.

    Attributes:
        arguments: of the call; those that may learn are the first ones.
        results: the numbers of each result.
        slopes: the derivatives of the sum of the first result by each argument that may learn.
        options: arguments that are given by name.
    """

    arguments: tuple[Any, ...]
    results: tuple[Sequence[float], ...]
    slopes: tuple[Sequence[float], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@torch.inference_mode(False)  # whoever asks first may be in that mode, who asks next may learn
def hold(kernel: Callable, name: str, device: str, learned: Sequence[bool] = ()) -> None:
    """Let ``kernel`` compute the example called ``name`` on ``device``, and its derivatives by what is ``learned``.

    Raises:
        ArithmeticError: other numbers come than are known.
    """
    example = EXAMPLES[name]()
    arguments = [each.to(device).clone() if isinstance(each, Tensor) else each for each in example.arguments]
    asked = [n for n, each in enumerate(learned) if each]
    with torch.set_grad_enabled(bool(asked)):
        for n in asked:
            arguments[n].requires_grad_()
        found = kernel(*arguments, **example.options)
        found = found if isinstance(found, tuple) else (found,)
        slopes = torch.autograd.grad(found[0].sum(), [arguments[n] for n in asked]) if asked else ()
    expected = [*example.results, *(example.slopes[n] for n in asked)]
    for one, numbers in zip((*found, *slopes), expected, strict=True):
        got, known = one.detach().double().cpu().flatten(), torch.tensor(numbers, dtype=torch.float64)
        if not bool(((got - known).abs() <= _TOLERANCE * known.abs().max().clamp_min(1)).all()):
            raise ArithmeticError(f"'{name}' gives {got.tolist()}, where {known.tolist()} are expected")


def _each(formula: Callable[[int, int, int], float]) -> list[float]:
    """Return ``formula`` (i, j, k) of all voxels of _SHAPE."""
    return [formula(i, j, k) for k in range(_K) for j in range(_J) for i in range(_I)]


def _product(by_k: Iterable[float], by_j: Sequence[float], by_i: Sequence[float]) -> list[float]:
    return [c * b * a for c in by_k for b in by_j for a in by_i]


def _sum(by_k: Iterable[float], by_j: Sequence[float], by_i: Sequence[float]) -> list[float]:
    return [c + b + a for c in by_k for b in by_j for a in by_i]


def _volumes(*numbers: Sequence[float]) -> Tensor:
    """Return images (1, N, K, J, I) of ``numbers``."""
    return torch.tensor(numbers, dtype=torch.float32).view(1, -1, *_SHAPE)


_RAMP, _RISES = _each(lambda i, j, k: i + 9 * j + 27 * k), (1.0, 9.0, 27.0)
_POINT, _COUNT = (1.5, 1.0, 0.5), 9  # read so often
_AT_POINT = [24.0] * _COUNT
_SHIFT = (0.5, 0.5, 0.25)
_SHIFTED = _each(lambda i, j, k: min(i + 0.5, 8) + 9 * min(j + 0.5, 2) + 27 * min(k + 0.25, 1))
_BY_RAMP = _product([0.75, 1.25], [0.5, 1, 1.5], [0.5, *[1] * 7, 1.5])  # how often each voxel was read
_BY_SHIFT = [
    *_each(lambda i, j, k: i < 8),
    *_each(lambda i, j, k: 9 * (j < 2)),
    *_each(lambda i, j, k: 27 * (k < 1)),
]
_BY_MATRIX = [168, 48, 24, 48, 1296, 162, 162, 324, 2916, 729, 0, 729]  # sums of _BY_SHIFT, times (i, j, k, 1)


def _matrix(shift: Sequence[float]) -> Tensor:
    """Return (1, 3, 4), double: a translation."""
    matrix = torch.eye(3, 4, dtype=torch.float64)[None]
    matrix[0, :, 3] = torch.tensor(shift)
    return matrix


def _points(point: Sequence[float]) -> Tensor:
    return torch.tensor(point).repeat(_COUNT, 1).view(1, _COUNT, 1, 1, 3)


def _pull() -> Example:
    by_image = _product([1, 1], [0, 1, 0], [0, _COUNT / 4, _COUNT / 4, *[0] * 6])
    return Example((_volumes(_RAMP), _points(_POINT), None), (_AT_POINT,), (by_image, [*_RISES] * _COUNT))


def _pull_at() -> Example:
    shifts = _volumes(*([each] * len(_RAMP) for each in _SHIFT))
    return Example((_volumes(_RAMP), shifts), (_SHIFTED,), (_BY_RAMP, _BY_SHIFT))


def _pull_affine() -> Example:
    arguments = _volumes(_RAMP), _matrix(_SHIFT), torch.zeros(1, 3, *_SHAPE), 0, None
    return Example(arguments, (_SHIFTED,), (_BY_RAMP, _BY_MATRIX, _BY_SHIFT))


def _pull_nearest() -> Example:
    return Example((_volumes(_RAMP).short(), _points((1.6, 1.4, 0.2)), None), ([11.0] * _COUNT,))


def _pull_nearest_affine() -> Example:
    arguments = _volumes(_RAMP).short(), _matrix((0.6, 0.0, 0.0)), torch.zeros(1, 3, *_SHAPE), 0, None
    return Example(arguments, (_each(lambda i, j, k: min(i + 1, 8) + 9 * j + 27 * k),))


def _flow() -> Example:
    """Return an even velocity along a row, which is followed by two steps: 1/8 of a voxel, then 1/4."""
    shifts = torch.tensor([0.25, 0, 0]).view(1, 3, 1, 1, 1).repeat(1, 1, 1, 1, 4)
    return Example((shifts, 1), ([*[0.5] * 4, *[0.0] * 8],), ([1.53125, 1.96875, 2.0, 2.5] * 3,))


def _moved_voxels() -> Example:
    shifts = torch.tensor([0.5, 1.0, 2.0]).view(1, 3, 1, 1, 1)
    points = [n for k in range(_K) for j in range(_J) for i in range(_I) for n in (i + 4.5, j + 3, k + 4)]
    return Example((shifts, _SHAPE), (points,))


def _enlarged() -> Example:
    return Example((torch.tensor([0.0, 1.0]).view(1, 1, 1, 1, 2), (2, 3, 4)), ([0, 0.25, 0.75, 1] * 6,))


def _read() -> Example:
    arguments = _volumes(_RAMP)[0, 0], _matrix((0, 0, 0)).float(), _points(_POINT).view(-1, 3), torch.eye(3)
    return Example(arguments, (_AT_POINT, [*_RISES] * _COUNT, [1.0] * _COUNT))


def _count() -> Example:
    arguments = torch.tensor([2]), torch.tensor([[3.0]]), torch.ones(1, 1), 8
    return Example(arguments, ([*[0] * 18, 1 / 6, 4 / 6, 1 / 6, *[0] * 43],))


def _look_up() -> Example:
    tables = torch.arange(8.0).repeat(1, 8, 1)
    return Example((torch.tensor([2]), torch.tensor([[3.25]]), torch.full((1, 1), 0.5), tables), ([0.5],))


def _convolve() -> Example:
    image = _volumes(_product([0, 4], [0, 4, 0], [0, 4, *[0] * 7]))[0]
    return Example((image, [[0.5, 0.25]] * 3), (_product([1, 3], [1, 2, 1], [1, 2, 1, *[0] * 6]),))


def _diffuse() -> Example:
    image = _volumes(_sum([0, 4], [0, 4, 0], [0, 4, *[0] * 7]))[0]
    return Example((image, [0.25] * 3), (_sum([1, 3], [1, 2, 1], [1, 2, 1, *[0] * 6]),))


def _damp_divergence() -> Example:
    """Return squares along each axis; their divergence rises evenly, but for the borders."""
    squares = _volumes(*(_each(lambda *at, axis=axis: at[axis] ** 2) for axis in range(3)))[0]
    along = ([1.5, 4.5, 8, 13, 20, 29, 40, 44.5, 57.5], [1.5, 2, 3.5], [0, 1])
    damped = [n for axis in range(3) for n in _each(lambda *at, axis=axis: along[axis][at[axis]])]
    return Example((squares, 2.0, [0.5] * 3), (damped,))


def _determinants() -> Example:
    k, j, i = torch.meshgrid(torch.arange(2.0), torch.arange(3.0), torch.arange(12.0), indexing="ij")
    return Example((torch.stack([0.5 * i, j, 2 * k]), torch.eye(3, dtype=torch.float64)), ([9.0] * 72,))


def _compare() -> Example:
    """Return a row of three voxels, compared with itself: each cube has two of them, or all three."""
    row = torch.tensor([0.0, 3.0, 0.0]).view(1, 1, 1, 1, 3)
    mean, variance = (torch.tensor(each).view(1, 1, 1, 1, 3) for each in ([1.5, 1, 1.5], [3.25, 3, 3.25]))
    counts = torch.tensor([[[2.0, 3.0, 2.0]]])
    arguments = row, row, mean, variance, torch.full_like(row, 1 / 3), 1 / counts, 3, 1.0
    results = [0.4676747], [-0.0492329, 0.0984658, -0.0492329]
    return Example(arguments, results, options={"slope": True})


def _painted() -> Example:
    shares = torch.tensor([[0, 0], [10, 20]], dtype=torch.uint8)[..., None, None, None].repeat(1, 1, *_SHAPE)
    arguments = shares, torch.tensor([1]), torch.tensor([[[1.0, 0.5]]]), torch.empty(1, 1, *_SHAPE)
    return Example(arguments, ([20.0] * len(_RAMP),))


def _demons() -> Example:
    """Return an even image whose slopes are said to be 1: all voxels are moved by 1 / (3 + 1)."""
    nothing, one = torch.zeros(1, 1, *_SHAPE), torch.ones(1, 1, *_SHAPE)
    arguments = nothing, one, one.repeat(1, 3, 1, 1, 1), 0.0, 1, nothing.repeat(1, 3, 1, 1, 1)
    return Example(arguments, ([-0.25] * 3 * len(_RAMP),))


EXAMPLES: dict[str, Callable[[], Example]] = {
    "compare": _compare,
    "convolve": _convolve,
    "count": _count,
    "damp_divergence": _damp_divergence,
    "demons": _demons,
    "determinants": _determinants,
    "diffuse": _diffuse,
    "enlarged": _enlarged,
    "flow": _flow,
    "look_up": _look_up,
    "moved_voxels": _moved_voxels,
    "painted": _painted,
    "pull": _pull,
    "pull_affine": _pull_affine,
    "pull_at": _pull_at,
    "pull_nearest": _pull_nearest,
    "pull_nearest_affine": _pull_nearest_affine,
    "read": _read,
}
"""Name of a kernel -> its example."""
