"""Who computes what our kernels and losses compute, on the same images: the contestants of ``kernels.py``."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import SimpleITK as sitk
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from DiffusionCore.interpolation import Interpolation, moved_voxels, pull, pull_affine, pull_at
from DiffusionCore.kernels import VARIABLE
from DiffusionCore.losses import LocalCorrelation, bending_penalty, gradient_penalty, structural_similarity
from DiffusionCore.space import Grid
from DiffusionCore.transforms import Displacement, jacobian_determinant
from DiffusionCore.transforms.velocity import flow

Call = Callable[[], object]
WINDOW = 9
SETTINGS = {"padding_mode": "border", "align_corners": False}


def by_torch(call: Call) -> Call:
    """Return ``call`` without kernels."""

    def without() -> object:
        os.environ[VARIABLE] = "torch"
        try:
            return call()
        finally:
            del os.environ[VARIABLE]

    return without


def backward(call: Callable[..., Tensor], *inputs: Tensor) -> Call:
    """Return ``call`` of ``inputs`` together with the derivatives by them."""

    def both() -> object:
        learned = [each.detach().requires_grad_() for each in inputs]
        call(*learned).sum().backward()
        return [each.grad for each in learned]

    return both


class Contest:
    """Images and fields of one ``shape`` (K, J, I), and who computes what from them; ours is always the first."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        generator = torch.Generator().manual_seed(0)
        coarse = torch.randn(1, 3, *(max(2, n // 16) for n in shape), generator=generator)
        shifts = interpolate(coarse, size=shape, mode="trilinear")
        self.shape, self.shifts = shape, (3 / shifts.std() * shifts).contiguous()
        self.image, self.other = torch.rand(2, 1, 1, *shape, generator=generator)
        self.points = moved_voxels(self.shifts, shape)
        self.unit = 2 * (self.points + 0.5) / torch.tensor(shape[::-1]) - 1
        self.flipped = self.shifts.flip(1)  # MONAI has the components of k first
        self.array = self.image[0, 0].numpy()

    def warps(self) -> dict[str, dict[str, Call]]:
        image, shifts, unit = self.image, self.shifts, self.unit
        field = sitk.GetImageFromArray(shifts[0].movedim(0, -1).double().numpy(), isVector=True)
        moved, moving = sitk.DisplacementFieldTransform(field), sitk.GetImageFromArray(self.array)
        places = self.points[0].movedim(-1, 0).flip(0).contiguous().numpy()

        def ours() -> Tensor:
            return pull_at(image, shifts)

        def given() -> Tensor:
            return grid_sample(image, unit, **SETTINGS)

        def sampled(x: Tensor, u: Tensor) -> Tensor:
            return grid_sample(x, unit + 2 * u.movedim(1, -1) / torch.tensor(self.shape[::-1]), **SETTINGS)

        others = {
            "SimpleITK": lambda: sitk.Resample(moving, moved, sitk.sitkLinear),
            "scipy": lambda: map_coordinates(self.array, places, order=1, mode="nearest"),
        }
        by_field, by_both = backward(lambda u: pull_at(image, u), shifts), backward(pull_at, image, shifts)
        zero = torch.zeros_like(shifts)
        return {
            "warp": {"ours": ours, "torch": by_torch(ours), "grid_sample": given, **others},
            "warp without kernels": {
                "ours": by_torch(lambda: pull(image, self.points, fill=None)),
                "grid_sample": given,
            },
            "warp, derivative by the field": {
                "ours": by_field,
                "torch": by_torch(by_field),
                "grid_sample": backward(lambda g: grid_sample(image, g, **SETTINGS), unit),
            },
            "warp, derivative by field and image": {
                "ours": by_both,
                "torch": by_torch(by_both),
                "grid_sample": backward(sampled, image, zero),
            },
        }

    def other_reads(self) -> dict[str, dict[str, Call]]:
        image, shifts, points = self.image, self.shifts, self.points
        labels, nearest = (200 * image).to(torch.uint8), {"interpolation": Interpolation.NEAREST, "fill": None}
        turn = torch.eye(3, 4)[None] + 0.02 * torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(1))
        pixels = image.expand(-1, 4, -1, -1, -1).contiguous(memory_format=torch.channels_last_3d)
        plain = pixels.contiguous()

        def label() -> Tensor:
            return pull_affine(labels, torch.eye(3, 4)[None], self.shape, shifts, **nearest)

        def both() -> Tensor:
            return pull_affine(image, turn, self.shape, shifts, fill=None)

        def composed() -> Tensor:
            return shifts + pull_at(shifts, shifts)

        def four() -> Tensor:
            return pull(pixels, points, fill=None)

        def rounded() -> Tensor:
            return grid_sample(labels.float(), self.unit, mode="nearest", **SETTINGS).to(torch.uint8)

        return {
            "nearest labels": {"ours": label, "torch": by_torch(label), "grid_sample": rounded},
            "affine and displacement": {"ours": both, "torch": by_torch(both)},
            "composition": {"ours": composed, "torch": by_torch(composed)},
            "four channels": {
                "ours": four,
                "torch": by_torch(four),
                "grid_sample": lambda: grid_sample(plain, self.unit, **SETTINGS),
            },
        }

    def fields(self) -> dict[str, dict[str, Call]]:
        shifts, grid = self.shifts, Grid(self.shape[::-1], (1.0, 1.0, 1.0))
        transform = Displacement(shifts[0], grid)
        image = sitk.GetImageFromArray(shifts[0].movedim(0, -1).double().numpy(), isVector=True)

        def ours() -> Tensor:
            return flow(shifts)

        def volumes() -> Tensor:
            return jacobian_determinant(transform, grid)

        def by_gradients() -> Tensor:
            rows = [torch.stack(torch.gradient(component, dim=(2, 1, 0)), -1) for component in shifts[0]]
            (a, b, c), (d, e, f), (g, h, i) = (
                each.unbind(-1) for each in torch.stack(rows) + torch.eye(3)[:, None, None, None]
            )
            return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)

        slope = backward(flow, shifts)
        gradient = backward(lambda u: gradient_penalty(u, (1.0, 1.0, 1.0)), shifts)
        bending = backward(lambda u: bending_penalty(u, (1.0, 1.0, 1.0)), shifts)
        return {
            "flow": {"ours": ours, "torch": by_torch(ours)},
            "flow, derivative": {"ours": slope, "torch": by_torch(slope)},
            "Jacobian determinant": {
                "ours": volumes,
                "torch": by_torch(volumes),
                "torch.gradient": by_gradients,
                "SimpleITK": lambda: sitk.DisplacementFieldJacobianDeterminant(image),
            },
            "gradient penalty, derivative": {"ours": gradient},
            "bending energy, derivative": {"ours": bending},
        }

    def losses(self) -> dict[str, dict[str, Call]]:
        found = LocalCorrelation(self.other, window=WINDOW)

        def compared() -> object:
            return found.value_and_slope(self.image)

        alike = backward(lambda x: structural_similarity(x, self.other, window=WINDOW), self.image)
        return {
            "local correlation, derivative": {"ours": compared, "torch": by_torch(compared)},
            "local correlation without kernels, derivative": {"ours": by_torch(compared)},
            "structural similarity, derivative": {"ours": alike},
        }

    def calls(self) -> dict[str, dict[str, Call]]:
        """Return operation -> contestant -> call."""
        table = {**self.warps(), **self.other_reads(), **self.fields(), **self.losses()}
        if importlib.util.find_spec("monai") is not None:
            self._invite_monai(table)
        return table

    def _invite_monai(self, table: dict[str, dict[str, Call]]) -> None:
        from monai.losses import BendingEnergyLoss, DiffusionLoss, LocalNormalizedCrossCorrelationLoss, SSIMLoss
        from monai.networks.blocks import DVF2DDF, Warp

        image, other, flipped = self.image, self.other, self.flipped
        warp, squared, correlation = Warp(), DVF2DDF(), LocalNormalizedCrossCorrelationLoss(kernel_size=WINDOW)
        similarity, gradient, bending = SSIMLoss(spatial_dims=3, win_size=WINDOW), DiffusionLoss(), BendingEnergyLoss()
        correlated = backward(lambda x: correlation(x, other), image)
        for name, call in {
            "warp": lambda: warp(image, flipped),
            "warp, derivative by the field": backward(lambda u: warp(image, u), flipped),
            "warp, derivative by field and image": backward(warp, image, flipped),
            "composition": lambda: flipped + warp(flipped, flipped),
            "flow": lambda: squared(flipped),
            "flow, derivative": backward(squared, flipped),
            "local correlation, derivative": correlated,
            "local correlation without kernels, derivative": correlated,
            "structural similarity, derivative": backward(lambda x: similarity(x, other), image),
            "gradient penalty, derivative": backward(gradient, flipped),
            "bending energy, derivative": backward(bending, flipped),
        }.items():
            table[name]["MONAI"] = call
