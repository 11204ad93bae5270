"""The penalties of gradient and bending: worked out by hand, the same on any grid, and their slopes."""

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.losses import bending_penalty, gradient_penalty

PENALTIES = pytest.mark.parametrize("penalty", [gradient_penalty, bending_penalty])


def places(shape, spacing):
    """Return the mm (i, j, k) of the voxels of a grid: (3, K, J, I), double precision."""
    axes = [step * torch.arange(n, dtype=torch.float64) for n, step in zip(shape, spacing[::-1], strict=True)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1])


def bent(shape, spacing):
    """Return a field of second order, mm, at the voxels of a grid: its second derivatives are the same everywhere."""
    x, y, z = places(shape, spacing)
    return torch.stack([0.5 * x * x + 3 * y, x * y - z, 0 * x])[None]


def test_the_bending_of_a_field_of_second_order_is_that_of_its_derivatives_on_any_grid():
    for shape, spacing in (((5, 6, 7), (1.0, 0.5, 2.0)), ((4, 9, 5), (0.7, 3.0, 1.0))):
        assert_close(bending_penalty(bent(shape, spacing), spacing), torch.tensor([1 + 2.0]).double())


def test_an_affine_field_has_a_gradient_and_no_bending():
    shape, spacing = (4, 5, 6), (1.0, 0.5, 2.0)
    matrix = torch.tensor([[0.1, 0.2, 0.0], [0.0, -0.3, 0.0], [0.5, 0.0, 0.4]], dtype=torch.float64)
    field = torch.einsum("ab,bkji->akji", matrix, places(shape, spacing))[None] + 7
    assert_close(gradient_penalty(field, spacing), matrix.square().sum()[None])
    assert_close(bending_penalty(field, spacing), torch.zeros(1, dtype=torch.float64), atol=1e-20, rtol=0)


@PENALTIES
@pytest.mark.parametrize("shape", [(4, 5, 3), (1, 2, 4), (3, 1, 1), (1, 1, 1)])
def test_the_slopes_are_those_of_small_steps(penalty, shape):
    field = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda u: penalty(u, (1.0, 0.5, 2.0)), (field,))


@PENALTIES
def test_a_field_of_another_shape_is_refused(penalty):
    with pytest.raises(ValueError, match="vectors"):
        penalty(torch.zeros(1, 2, 4, 4, 4), (1.0, 1.0, 1.0))
