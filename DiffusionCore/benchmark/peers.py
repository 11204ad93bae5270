"""What the other tools make of a pair: each behind one function, with the settings that its authors recommend.

Every function takes the paths of both images (NIfTI), a folder for what it writes, and whether the contrasts differ,
and returns the transform from fixed to moving points, RAS mm. The packages are optional (``pip install .[peers]``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from DiffusionCore.affine.foreground import center_of_mass
from DiffusionCore.benchmark.cost import Cost
from DiffusionCore.space import Frame
from DiffusionCore.storage.transforms import read_transform
from DiffusionCore.storage.volumes import read_volume
from DiffusionCore.transforms import Affine, Displacement, Transform
from DiffusionCore.transforms.resample import resample

_SMALL = 40  # voxels along the shortest axis; below, greedy's finest level has nothing to do
_NCC = "NCC 2x2x2"  # of greedy's quick start
_COARSE = 60  # voxels along the shortest axis, below which ConvexAdam needs a finer grid


@dataclass(frozen=True)
class Task:
    """A pair for a peer: ``fixed`` and ``moving`` are NIfTI files, ``folder`` takes what it writes."""

    fixed: Path
    moving: Path
    folder: Path
    other_contrast: bool
    threads: int


def greedy(task: Task, cost: Cost) -> Transform:
    """Return greedy's affine and deformable registration: NCC 2x2x2 (NMI for other contrast), default smoothing."""
    return _greedy(task, cost, "NMI" if task.other_contrast else _NCC)


def greedy_ncc(task: Task, cost: Cost) -> Transform:
    """Return what greedy does with NCC 2x2x2 for the deformation in any contrast."""
    return _greedy(task, cost, _NCC)


def _greedy(task: Task, cost: Cost, metric: str) -> Transform:
    affine = greedy_affine(task, cost)
    start, warp = task.folder / "affine.mat", task.folder / "warp.nii.gz"
    with cost:
        _run_greedy(task, f"-it {start} -n 100x50x10 -m {metric} -o {warp}")
    return affine @ read_transform(warp)


def greedy_affine(task: Task, cost: Cost) -> Affine:
    """Return greedy's affine registration from the centers of mass (NCC 4x4x4; NMI for other contrast)."""
    metric = "NMI" if task.other_contrast else "NCC 4x4x4"
    levels = "100x50x10" if min(read_volume(task.fixed).grid.size) >= _SMALL else "100x50"
    moments, matrix = task.folder / "moments.mat", task.folder / "affine.mat"
    with cost:
        _run_greedy(task, f"-moments 1 -o {moments}")
        _run_greedy(task, f"-a -dof 12 -ia {moments} -n {levels} -m {metric} -o {matrix}")
    return Affine(torch.from_numpy(np.loadtxt(matrix)))  # greedy writes RAS


def ants(task: Task, cost: Cost) -> Transform:
    """Return the SyN registration of ANTs with the defaults of ANTsPy: mutual information."""
    return _run_ants(task, cost, "SyN")


def ants_affine(task: Task, cost: Cost) -> Transform:
    """Return the affine registration of ANTs with the defaults of ANTsPy: mutual information."""
    return _run_ants(task, cost, "Affine")


def elastix(task: Task, cost: Cost) -> Transform:
    """Return elastix' default affine and B-spline registration by mutual information, from the centers of gravity."""
    return _run_elastix(task, cost, ("affine", "bspline"))


def elastix_affine(task: Task, cost: Cost) -> Transform:
    """Return elastix' default affine registration by mutual information, from the centers of gravity."""
    return _run_elastix(task, cost, ("affine",))


def convexadam(task: Task, cost: Cost) -> Transform:
    """Return ConvexAdam with MIND features after greedy's affine."""
    return _convexadam(task, cost, greedy_affine(task, cost))


def convexadam_centers(task: Task, cost: Cost) -> Transform:
    """Return ConvexAdam with MIND features after the centers of mass: where no affine registration can be trusted."""
    ends = [center_of_mass(read_volume(path)) for path in (task.fixed, task.moving)]
    return _convexadam(task, cost, Affine.translation(tuple(ends[1] - ends[0])))


def _convexadam(task: Task, cost: Cost, start: Affine) -> Transform:
    from convexAdam.convex_adam_MIND import convex_adam_pt  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(task.threads)
    fixed, moving = read_volume(task.fixed), read_volume(task.moving)
    seen = resample(moving, fixed.grid, start, fill=float(moving.values.min()))  # air in a CT is not 0
    spacing = 6 if min(fixed.grid.size) >= _COARSE else 3
    with cost:
        # numpy (I, J, K), as nibabel reads them; the answer is in voxels of these axes
        voxels = convex_adam_pt(
            fixed.values.T, seen.values.T, grid_sp=spacing, disp_hw=4, device=torch.device("cpu"), dtype=torch.float32
        )
    axes = fixed.grid.matrix(Frame.VOXEL, Frame.RAS)[:3, :3]
    vectors = np.moveaxis(np.asarray(voxels) @ axes.T, -1, 0).swapaxes(1, 3)
    return start @ Displacement(torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32)), fixed.grid)


Peer = Callable[[Task, Cost], Transform]
PEERS: dict[str, tuple[Peer, str]] = {
    "greedy": (greedy, "picsl_greedy"),
    "greedy-ncc": (greedy_ncc, "picsl_greedy"),
    "greedy-affine": (greedy_affine, "picsl_greedy"),
    "ants": (ants, "antspyx"),
    "ants-affine": (ants_affine, "antspyx"),
    "elastix": (elastix, "itk-elastix"),
    "elastix-affine": (elastix_affine, "itk-elastix"),
    "convexadam": (convexadam, "convexAdam"),
    "convexadam-centers": (convexadam_centers, "convexAdam"),
}
"""Name -> what runs, and the package that it needs."""


def described(name: str) -> str:
    """Return in one sentence what the peer ``name`` does."""
    return (PEERS[name][0].__doc__ or "").splitlines()[0].removeprefix("Return ")


def _run_greedy(task: Task, arguments: str) -> None:
    from picsl_greedy import Greedy3D  # pyright: ignore[reportMissingImports]

    Greedy3D().execute(f"-threads {task.threads} -i {task.fixed} {task.moving} {arguments}")


def _run_ants(task: Task, cost: Cost, kind: str) -> Transform:
    import ants  # pyright: ignore[reportMissingImports]

    fixed, moving = (ants.image_read(str(path)) for path in (task.fixed, task.moving))
    with cost:
        prefix = f"{task.folder}/ants_"
        found = ants.registration(fixed, moving, type_of_transform=kind, outprefix=prefix, random_seed=1)
    total: Transform = Affine.identity()
    for path in found["fwdtransforms"]:  # in the order in which they act on the points: warp, affine
        total = read_transform(path) @ total
    return total


def _run_elastix(task: Task, cost: Cost, stages: tuple[str, ...]) -> Transform:
    import itk  # pyright: ignore[reportMissingImports]

    fixed, moving = (itk.imread(str(path), itk.F) for path in (task.fixed, task.moving))
    parameters = itk.ParameterObject.New()
    for stage in stages:
        each = parameters.GetDefaultParameterMap(stage, 4)
        each["AutomaticTransformInitialization"] = ["true"]
        each["AutomaticTransformInitializationMethod"] = ["CenterOfGravity"]
        each["MaximumNumberOfSamplingAttempts"] = ["8"]
        parameters.AddParameterMap(each)
    threads = 1 if "bspline" in stages else task.threads  # its B-spline stage with more crashes on small images
    with cost:
        _, found = itk.elastix_registration_method(
            fixed, moving, parameter_object=parameters, number_of_threads=threads, log_to_console=False
        )
    field = task.folder / "field.nii.gz"
    itk.imwrite(itk.transformix_deformation_field(moving, found), str(field))
    return read_transform(field)
