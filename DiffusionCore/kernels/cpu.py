"""The kernels of numba behind torch functions: what `kernels_for` gives for tensors on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from DiffusionCore.kernels import drawing, pixels, points, reading, stencils, windows
from DiffusionCore.kernels.compilation import divided, shares

_ROW = 512  # points that are read together
_VOXELS = 2**12  # that are painted together
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def pull(image: Tensor, coordinates: Tensor, fill: float | None) -> Tensor:
    """As ``interpolation.pull``, LINEAR: ``image`` (B, C, K, J, I) at ``coordinates`` (B, K', J', I', 3)."""
    learns = torch.is_grad_enabled() and (image.requires_grad or coordinates.requires_grad)
    if image.shape[1] == pixels.WIDTH and image.dtype == coordinates.dtype and fill is None and not learns:
        return _pull_pixels(image, coordinates)
    where = coordinates.flatten(1, 3).movedim(-1, 1)
    return _Pull.apply(image, where, coordinates.new_empty(0, 3, 4), None, fill).unflatten(2, coordinates.shape[1:4])


def pull_at(image: Tensor, shifts: Tensor) -> Tensor:
    """As ``interpolation.pull_at``: ``image`` (B, C, K, J, I) at its voxels moved by ``shifts`` (B, 3, K, J, I)."""
    return pull_affine(image, torch.eye(3, 4, dtype=shifts.dtype)[None], shifts, 0, None)


def pull_affine(image: Tensor, matrices: Tensor, shifts: Tensor, plane: int, fill: float | None) -> Tensor:
    """As ``interpolation.pull_affine``, LINEAR: ``matrices`` (1 or B, 3, 4), ``shifts`` (B, 3, K', J', I')."""
    moved = _Pull.apply(image, shifts.flatten(2), matrices, _lattice(shifts, plane), fill)
    return moved.unflatten(2, shifts.shape[2:])


def pull_nearest(image: Tensor, coordinates: Tensor, fill: float | None) -> Tensor:
    """As ``interpolation.pull``, NEAREST, for any type of at most 8 bytes."""
    where = coordinates.detach().flatten(1, 3).movedim(-1, 1)
    return _nearest(image, where, coordinates.new_empty(0, 3, 4), None, fill).unflatten(2, coordinates.shape[1:4])


def pull_nearest_affine(image: Tensor, matrices: Tensor, shifts: Tensor, plane: int, fill: float | None) -> Tensor:
    """As ``interpolation.pull_affine``, NEAREST, for any type of at most 8 bytes."""
    moved = _nearest(image, shifts.detach().flatten(2), matrices.detach(), _lattice(shifts, plane), fill)
    return moved.unflatten(2, shifts.shape[2:])


def flow(shifts: Tensor, squarings: int) -> Tensor:
    """As ``transforms.velocity.flow``, of ``shifts`` (B, 3, K, J, I) that are small already; differentiable once."""
    return _Flow.apply(shifts, squarings)  # pyright: ignore[reportReturnType]


def moved_voxels(shifts: Tensor, shape: Sequence[int]) -> Tensor:
    """As ``interpolation.moved_voxels``, without derivatives."""
    batch, (k, j, i) = len(shifts), shape
    out = shifts.new_empty(batch, k, j, i, 3)
    divided(pixels.stretch, batch * k, shifts.contiguous().numpy(), (i, j, k), out.numpy())
    return out


def enlarged(fields: Tensor, shape: Sequence[int]) -> Tensor:
    """As ``interpolation.enlarged``, without derivatives."""
    out = fields.new_empty(*fields.shape[:2], *shape)
    divided(drawing.enlarge, out.shape[0] * out.shape[1], *_arrays(fields.flatten(0, 1)), out.flatten(0, 1).numpy())
    return out


def painted(shares: Tensor, chosen: Tensor, table: Tensor) -> Tensor:
    """As ``training.tissue_pool.painted``."""
    bytes_, out = shares.flatten(2), table.new_empty(*table.shape[:2], *shares.shape[2:])
    tasks = len(table) * -(-bytes_.shape[2] // _VOXELS)
    divided(drawing.paint, tasks, *_arrays(bytes_, chosen, table), _VOXELS, out.flatten(2).numpy())
    return out


def demons(fixed: Tensor, moving: Tensor, slopes: Tensor, floor: float, iterations: int, shifts: Tensor) -> Tensor:
    """Return ``shifts`` (B, 3, K, J, I) after so many ``iterations`` of ``deformation.demons``."""
    out = shifts.clone(memory_format=torch.contiguous_format)
    known = _arrays(fixed[:, 0], moving[:, 0], slopes)
    divided(drawing.demons, len(out), *known, _number(floor, out), iterations, out.numpy())
    return out


def compare(
    image: Tensor,
    reference: Tensor,
    mean: Tensor,
    variance: Tensor,
    weights: Tensor,
    share: Tensor,
    window: int,
    floor: float,
    *,
    slope: bool,
) -> tuple[Tensor, Tensor | None]:
    """Return the weighted sum (B,) of the squared local correlation of ``image`` (B, 1, K, J, I), and its slope."""
    one = image.detach()[:, 0].contiguous()
    batch, k, j, i = one.shape
    sums = torch.empty(batch, k, dtype=torch.float64)
    parts = image.new_empty(batch, 3, k, j, i) if slope else image.new_empty(0, 3, k, j, i)
    known = (reference[:, 0], mean[:, 0], variance[:, 0], weights[:, 0], share)
    arrays = [each.detach().contiguous().numpy() for each in known]
    divided(
        windows.compare, batch * k, one.numpy(), *arrays, window, _number(floor, image), sums.numpy(), parts.numpy()
    )
    value = sums.sum(1).to(image.dtype)
    if not slope:
        return value, None
    out = image.new_empty(batch, 1, k, j, i)
    divided(windows.derive, batch * k, parts.numpy(), one.numpy(), arrays[0], window, out[:, 0].numpy())
    return value, out


def read(image: Tensor, matrices: Tensor, where: Tensor, turn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return values (C, N), gradients (C, N, 3) and which points are inside (C, N); see ``points.read``."""
    shape = len(matrices), len(where)
    out = image.new_empty(shape), image.new_empty(*shape, 3), image.new_empty(shape)
    known = (each.contiguous().numpy() for each in (image, matrices, where, turn))
    divided(points.read, len(matrices), *known, *(each.numpy() for each in out))
    return out


def count(bins: Tensor, positions: Tensor, counted: Tensor, size: int) -> Tensor:
    """Return the joint histograms (C, size, size) that ``affine.similarity`` smoothes along the fixed axis."""
    joint = positions.new_zeros(len(positions), size, size)
    known = (each.contiguous().numpy() for each in (bins, positions, counted))
    divided(points.count, len(positions), *known, joint.numpy())
    return joint


def look_up(bins: Tensor, positions: Tensor, counted: Tensor, tables: Tensor) -> Tensor:
    """Return the derivative (C, N) by each sample of what has the derivative ``tables`` by the histograms."""
    slope = torch.empty_like(positions)
    known = (each.contiguous().numpy() for each in (bins, positions, counted, tables))
    divided(points.look_up, len(positions), *known, slope.numpy())
    return slope


def convolve(field: Tensor, weights: Sequence[Sequence[float]]) -> Tensor:
    """Return ``field`` (N, K, J, I) convolved along i, j and k by ``weights``: the middle, one side."""
    field = field.detach().contiguous()
    for axis, one_side in enumerate(weights):
        out, taps = torch.empty_like(field), field.new_tensor(one_side)
        divided(stencils.convolve, len(field) * field.shape[1], field.numpy(), taps.numpy(), axis, out.numpy())
        field = out
    return field


def diffuse(field: Tensor, shares: Sequence[float]) -> Tensor:
    """Return ``field`` (N, K, J, I) plus its second differences along i, j and k times ``shares``."""
    out = torch.empty_like(field, memory_format=torch.contiguous_format)
    divided(stencils.diffuse, len(field) * field.shape[1], *_arrays(field, field.new_tensor(shares)), out.numpy())
    return out


def damp_divergence(vectors: Tensor, amount: float, shares: Sequence[float]) -> Tensor:
    """Return ``vectors`` (3, K, J, I) plus ``amount`` times the gradient of their divergence.

    ``shares`` take the difference of two neighbors of a voxel along i, j and k to a derivative.
    """
    along, change = vectors.new_tensor(shares), vectors.new_empty(1, *vectors.shape[1:])
    out = torch.empty_like(vectors, memory_format=torch.contiguous_format)
    divided(stencils.diverge, vectors.shape[1], *_arrays(vectors, along), change.numpy())
    divided(stencils.climb, vectors.shape[1], *_arrays(vectors, change, amount * along), out.numpy())
    return out


def determinants(vectors: Tensor, matrix: Tensor) -> Tensor:
    """Return det(M + D) / det(M), (K, J, I): D has the differences of ``vectors`` (3, K, J, I) along i, j and k.

    ``matrix`` M (3, 3) is of double precision, its columns from a voxel to the next ones; see
    ``transforms.jacobian_determinant``.
    """
    out = vectors.new_empty(vectors.shape[1:])
    scale = _number(1 / float(torch.linalg.det(matrix)), vectors)
    numbers = tuple(_number(float(each), vectors) for each in matrix.flatten())
    divided(stencils.determine, len(out), *_arrays(vectors), numbers, scale, out.numpy())
    return out


def test_itself(device: str) -> None:
    """Raise an error if kernels do not compile, or do not give what torch gives."""
    ramp = torch.arange(24.0, device=device).view(1, 1, 2, 3, 4)
    found = pull(ramp, torch.tensor([1.5, 1.0, 0.5]).view(1, 1, 1, 1, 3), None)
    if abs(float(found) - 11.5) > 1e-4:
        raise ArithmeticError(f"11.5 is expected in the middle of a ramp, got {float(found)}")


class _Pull(torch.autograd.Function):
    """Reads an image (B, C, K, J, I) at ``where`` (B, 3, N): points, or shifts of a ``lattice``: J', I', first k'."""

    @staticmethod
    def forward(
        ctx: Any,
        image: Tensor,
        where: Tensor,
        matrices: Tensor,
        lattice: tuple[int, int, int] | None,
        fill: float | None,
    ) -> Tensor:
        ctx.save_for_backward(image, where, matrices)
        ctx.layout = (*_rows(where, lattice), fill is not None)
        out = image.new_empty(*image.shape[:2], where.shape[2])
        points = (*_readable(image), where.detach().numpy(), matrices.detach().numpy(), *ctx.layout)
        divided(reading.pull, _tasks(where, ctx.layout[1]), *points, _number(fill or 0.0, image), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        image, where, matrices = (each.detach() for each in ctx.saved_tensors)
        above, tasks = gradients[0].contiguous().numpy(), _tasks(where, ctx.layout[1])
        points = (where.numpy(), matrices.numpy(), *ctx.layout)
        by_image = by_where = by_matrices = None
        if ctx.needs_input_grad[0]:
            by_image = _by_image(image, where, matrices, ctx.layout, above)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            by_where = torch.empty_like(where, memory_format=torch.contiguous_format)
            lines = tasks // len(where) if ctx.needs_input_grad[2] else 0
            moments = torch.zeros(len(where), lines, 3, 4, dtype=torch.float64)
            source = _readable(image)
            divided(reading.pull_by_where, tasks, *source, *points, above, by_where.numpy(), moments.numpy())
            if lines:  # numpy adds in one order, whatever the threads
                total = torch.from_numpy(moments.numpy().sum(1)).to(matrices.dtype)
                by_matrices = total if len(matrices) == len(total) else total.sum(0, keepdim=True)
        return by_image, by_where, by_matrices, None, None


class _Flow(torch.autograd.Function):
    """Follows a field by scaling and squaring; the derivative follows it once more, so that nothing else is kept."""

    @staticmethod
    def forward(ctx: Any, shifts: Tensor, squarings: int) -> Tensor:
        ctx.save_for_backward(shifts)
        ctx.steps = ((0.5, 0.0), *((1.0, 1.0),) * squarings)
        field, other = _as_pixels(shifts.detach()), None
        for step in ctx.steps:
            field, other = _followed(field, *step, other), field
        return _as_field(field)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        fields = [_as_pixels(ctx.saved_tensors[0].detach())]
        for step in ctx.steps[:-1]:
            fields.append(_followed(fields[-1], *step))
        slope = _as_pixels(gradients[0])
        out, (batch, planes) = torch.empty_like(slope), slope.shape[:2]
        spans = torch.zeros(batch, planes, 2, dtype=torch.int32)
        parts = min(shares(slope.numel()), planes)
        for share, kept in reversed(ctx.steps):
            field = fields.pop()
            numbers = _number(share, field), _number(kept, field)
            if parts > 1:
                divided(pixels.reach, batch * planes, field.numpy(), numbers[0], spans.numpy())
            known = (field.numpy(), *numbers, slope.numpy(), spans.numpy(), parts)
            divided(pixels.follow_back, parts * batch, *known, out.numpy())
            slope, out = out, slope
        return _as_field(slope), None


def _followed(field: Tensor, share: float, kept: float, out: Tensor | None = None) -> Tensor:
    """Return ``kept`` f(x) + f(x + ``share`` f(x)) of a ``field`` (B, K, J, I, 4), in ``out`` if there is one."""
    out = torch.empty_like(field) if out is None else out  # its pages cost as much as the values
    numbers = _number(share, field), _number(kept, field)
    divided(pixels.follow, len(field) * field.shape[1], field.numpy(), *numbers, out.numpy())
    return out


def _by_image(image: Tensor, where: Tensor, matrices: Tensor, layout: tuple, above: Any) -> Tensor:
    """Return the derivative by ``image`` where that by the values read is ``above``."""
    tasks, size = _tasks(where, layout[1]), image.shape[:1:-1]
    points = (where.numpy(), tuple(size), matrices.numpy(), *layout[:3])
    spans = torch.zeros(len(where), tasks // len(where), 2, dtype=torch.int32)
    parts = min(shares(image.numel()), size[2])
    if parts > 1:
        divided(reading.reach, tasks, *points, spans.numpy())
    out = image.new_zeros(*image.shape[:4], max(2, size[0]))
    divided(reading.pull_by_image, parts * len(image), *points, layout[3], above, spans.numpy(), parts, out.numpy())
    return out if size[0] > 1 else out.sum(-1, keepdim=True)


def _nearest(
    image: Tensor, where: Tensor, matrices: Tensor, lattice: tuple[int, int, int] | None, fill: float | None
) -> Tensor:
    bits = image.detach().contiguous().view(_BITS[image.element_size()])
    out = bits.new_empty(*image.shape[:2], where.shape[2])
    outside = torch.tensor(0.0 if fill is None else fill).to(image.dtype).view(bits.dtype).item()
    layout = _rows(where, lattice)
    points = (bits.numpy(), tuple(image.shape[:1:-1]), where.numpy(), matrices.numpy(), *layout)
    divided(reading.pull_nearest, _tasks(where, layout[1]), *points, fill is not None, int(outside), out.numpy())
    return out.view(image.dtype)


def _readable(image: Tensor) -> tuple[Any, tuple[int, ...]]:
    """Return ``image`` as an array with two voxels along i at least, and once if all of a batch are one; its size."""
    one = image.detach()
    one = one[:1] if one.stride(0) == 0 else one
    one = one if one.shape[4] > 1 else one.expand(*one.shape[:4], 2)
    return one.contiguous().numpy(), tuple(image.shape[:1:-1])


def _lattice(shifts: Tensor, plane: int) -> tuple[int, int, int]:
    return shifts.shape[3], shifts.shape[4], plane


def _rows(where: Tensor, lattice: tuple[int, int, int] | None) -> tuple[int, int, int]:
    """Return how many rows a plane of points has, how many points a row, and which plane is the first."""
    return lattice or (0, min(_ROW, where.shape[2]), 0)


def _pull_pixels(image: Tensor, coordinates: Tensor) -> Tensor:
    """Return ``image`` (B, 4, K, J, I) at ``coordinates``; its channels lie side by side, and are best so before."""
    source, where = image.movedim(1, -1).contiguous(), coordinates.flatten(1, 3).contiguous()
    out = source.new_empty(*where.shape[:2], pixels.WIDTH)
    tasks = len(where) * -(-where.shape[1] // _ROW)
    divided(pixels.pull, tasks, source.numpy(), where.numpy(), _ROW, out.numpy())
    return out.view(*coordinates.shape[:4], pixels.WIDTH).movedim(-1, 1)


def _arrays(*tensors: Tensor) -> list[Any]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def _tasks(where: Tensor, row: int) -> int:
    return len(where) * -(-where.shape[2] // row)


def _as_pixels(fields: Tensor) -> Tensor:
    """Return ``fields`` (B, 3, K, J, I) as pixels (B, K, J, I, 4), the fourth component 0."""
    return pad(fields.movedim(1, -1), (0, 1)).contiguous()


def _as_field(field: Tensor) -> Tensor:
    """Return pixels (B, K, J, I, 4) as fields (B, 3, K, J, I)."""
    return field[..., :3].movedim(-1, 1).contiguous()


def _number(value: float, like: Tensor) -> Any:
    """Return ``value`` in the precision of ``like``, so that kernels are compiled for one type alone."""
    return torch.tensor(value, dtype=like.dtype).numpy()[()]
