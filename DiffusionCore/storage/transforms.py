"""Transforms in files, as ITK, ANTs and 3D Slicer use them for resampling: fixed points to moving points, LPS mm.

That is our own direction, so only the frame changes: F T F with F = diag(-1, -1, 1) on the way in and out.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray

from DiffusionCore.checks import GeometryError, StorageError
from DiffusionCore.space import Grid
from DiffusionCore.storage.files import replacing, require_file, require_suffix
from DiffusionCore.storage.geometry import LPS_TO_RAS, grid_from_header, grid_of, image_on
from DiffusionCore.storage.itk import READERS, quiet, read_image
from DiffusionCore.storage.nifti import read_nifti
from DiffusionCore.transforms import Affine, Chain, Displacement, Transform, Velocity

_ITK_SUFFIXES = (".h5", ".hdf5", ".tfm", ".txt", ".mat")
_FIELD_SUFFIXES = (*READERS, ".nii.gz", ".nii")
_WRITTEN_SUFFIXES = (".h5", ".tfm", ".nrrd")
_RAS_VECTORS = 1006  # the NIfTI intent "displacement vector"; with any other intent ITK and ANTs mean LPS


def read_transform(path: str | Path) -> Affine | Displacement | Chain:
    """Return the transform in a file, from fixed to moving points, RAS mm.

    ITK files (.h5, .tfm, .txt, .mat): every linear transform and every composite of linear ones is an Affine, a
    displacement field a Displacement, another composite a Chain. Image files with three components (.nrrd, .nhdr,
    .mha, .mhd, .nii, .nii.gz) are displacement fields.

    Raises:
        StorageError: no such file, another format, truncated, 2D, singular, a kind that has no counterpart here.
    """
    path = require_file(path, "a transform")
    suffix = require_suffix(path, (*_ITK_SUFFIXES, *_FIELD_SUFFIXES), "a transform")
    try:
        return _from_itk(_read_itk(path), path) if suffix in _ITK_SUFFIXES else _read_field(path, suffix)
    except GeometryError as error:
        raise StorageError(f"The transform in '{path}' cannot be used. {error}") from error


def write_transform(path: str | Path, transform: Transform, grid: Grid | None = None) -> None:
    """Write ``transform`` so that ITK's tools resample with it as we do; the file appears whole or not at all.

    .h5 and .tfm keep the parts: an Affine, a displacement field in double precision (a Velocity is one, on its own
    grid), or the composite of a Chain. .nrrd holds one displacement field of the whole transform on ``grid``, in
    single precision. Every field gets a ring of zero vectors unless it ends in zeros: 3D Slicer would continue its
    border for ever, ITK would not.

    Raises:
        StorageError: an unknown ending, a folder that is missing or read-only, a full disk.
        ValueError: .nrrd without a ``grid``.
    """
    path = Path(path)
    if require_suffix(path, _WRITTEN_SUFFIXES, "a transform that we write") == ".nrrd":
        if grid is None:
            raise ValueError("'grid' must be given for a .nrrd file: the grid to bake the displacement field on")
        field = _field_image(Displacement.of(transform, grid), np.float32)
        with replacing(path) as unfinished, quiet():
            sitk.WriteImage(field, str(unfinished), useCompression=True)
        return
    converted = _to_itk(transform, grid)
    with replacing(path) as unfinished:
        with quiet():
            sitk.WriteTransform(converted, str(unfinished))
        with unfinished.open("ab") as file:  # ITK's text writer is silent on a full disk; one more byte is not
            file.write(b"\n" if path.suffix.lower() == ".tfm" else b"")
            file.flush()
            os.fsync(file.fileno())


def _read_itk(path: Path) -> sitk.Transform:
    _require_complete_text(path)
    try:
        with quiet():
            return sitk.ReadTransform(str(path))
    except (RuntimeError, KeyError) as error:  # KeyError: a class that SimpleITK does not wrap
        content = path.read_bytes()
        if b"Inverse" in content:
            raise StorageError(
                f"'{path}' holds the inverse of a field, which only 3D Slicer can read. Convert it there to a "
                "displacement field (module Transforms, section Convert) and save that."
            ) from error
        raise StorageError(
            f"'{path}' is no transform that ITK can read: it is truncated, damaged, or of another tool or kind. "
            "Open it in the tool that made it, or in 3D Slicer, and save it as .h5."
        ) from error


def _require_complete_text(path: Path) -> None:
    """Raise StorageError for a text file that was cut off: ITK would take what is missing for zeros."""
    content = path.read_bytes()
    if not content.startswith(b"#Insight Transform File"):
        return
    lines = [line.split(b":")[0] for line in content.splitlines() if not line.startswith(b"Transform: Composite")]
    counts = {lines.count(key) for key in (b"Transform", b"Parameters", b"FixedParameters")}
    if len(counts) > 1 or not content.endswith(b"\n"):
        raise StorageError(
            f"'{path}' is truncated or damaged: every transform in it needs a line of Parameters and one of "
            "FixedParameters, with a line break at the end. Copy or export it again."
        )


def _from_itk(transform: sitk.Transform, path: Path) -> Affine | Displacement | Chain:
    if transform.GetDimension() != 3:
        raise StorageError(f"'{path}' holds a transform of {transform.GetDimension()}D points; a 3D one is needed.")
    if transform.IsLinear():
        origin, *axes = (np.array(transform.TransformPoint(point)) for point in np.vstack([np.zeros(3), np.eye(3)]))
        matrix = np.eye(4)
        matrix[:3] = np.column_stack([*(axis - origin for axis in axes), origin])
        return Affine(torch.from_numpy(_mirrored(matrix)))
    if isinstance(transform, sitk.CompositeTransform):
        count = transform.GetNumberOfTransforms()
        return Chain.of(*(_from_itk(transform.GetNthTransform(index), path) for index in range(count)))
    if transform.GetTransformEnum() == sitk.sitkDisplacementField:
        return _from_field(sitk.DisplacementFieldTransform(transform).GetDisplacementField(), path)
    raise StorageError(
        f"'{path}' holds a {transform.GetName()}; linear transforms, displacement fields and composites of them can "
        "be read. Convert it to a displacement field, for example in 3D Slicer (module Transforms, section Convert)."
    )


def _to_itk(transform: Transform, grid: Grid | None) -> sitk.Transform:
    if isinstance(transform, Chain):
        return sitk.CompositeTransform([_to_itk(part, grid) for part in Chain.of(*transform.parts).parts])
    if isinstance(transform, Affine):
        matrix = _mirrored(transform.matrix.numpy())
        affine = sitk.AffineTransform(3)
        affine.SetMatrix(matrix[:3, :3].ravel().tolist())
        affine.SetTranslation(matrix[:3, 3].tolist())
        return affine
    if isinstance(transform, Velocity):
        transform = transform.displacement
    if not isinstance(transform, Displacement):
        if grid is None:
            raise ValueError(f"'grid' must be given to bake a {type(transform).__name__} into a displacement field")
        transform = Displacement.of(transform, grid)
    return sitk.DisplacementFieldTransform(_field_image(transform, np.float64))


def _read_field(path: Path, suffix: str) -> Displacement:
    if suffix in READERS:
        image = read_image(path, suffix)
        key = "displacement field type"
        if image.HasMetaDataKey(key) and image.GetMetaData(key) == "modeling":
            raise StorageError(
                f"'{path}' holds a field from moving to fixed points ('modeling'). Invert it in 3D Slicer "
                "(module Transforms) and convert it there to a displacement field."
            )
        return _from_field(image, path)
    nifti = read_nifti(path)
    _require_vectors(path, nifti.values.shape[3])
    vectors = nifti.values.T if nifti.intent == _RAS_VECTORS else nifti.values.T * LPS_TO_RAS[:, None, None, None]
    return _displacement(vectors, grid_from_header(nifti.voxel_to_ras, nifti.values.shape, path))


def _from_field(image: sitk.Image, path: Path) -> Displacement:
    _require_vectors(path, image.GetNumberOfComponentsPerPixel())
    vectors = np.moveaxis(sitk.GetArrayFromImage(image) * LPS_TO_RAS, -1, 0)
    return _displacement(vectors, grid_of(image, path))


def _displacement(vectors: NDArray, grid: Grid) -> Displacement:
    return Displacement(torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32)), grid)


def _field_image(field: Displacement, kind: type[np.floating]) -> sitk.Image:
    if bool(field.vectors[:, 1:-1, 1:-1, 1:-1].count_nonzero() != field.vectors.count_nonzero()):
        field = field.with_zero_ring()
    vectors = field.vectors.cpu().numpy().astype(kind) * LPS_TO_RAS.astype(kind)[:, None, None, None]
    return image_on(np.ascontiguousarray(np.moveaxis(vectors + kind(0), 0, -1)), field.grid, vector=True)


def _require_vectors(path: Path, components: int) -> None:
    if components != 3:
        raise StorageError(
            f"'{path}' has {components} value(s) at each voxel; a displacement field has 3. Is it an image?"
        )


def _mirrored(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (4, 4) ``matrix`` in the other of the two frames RAS and LPS."""
    flip = np.array([*LPS_TO_RAS, 1.0])
    return flip[:, None] * matrix * flip
