"""NIfTI files, placed as 3D Slicer places them.

nibabel does the reading and writing: ITK takes the voxels of a truncated NIfTI file for zeros without a word, reads the
voxels of ``x.nii`` when asked for ``x.nii.gz`` and both exist, and does not notice that a disk is full.
"""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import LoggingOutputSuppressor
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from DiffusionCore.checks import StorageError
from DiffusionCore.storage.files import last_line, require_three_axes

_logger = logging.getLogger(__name__)
_MM = {"meter": 1000.0, "micron": 0.001}
_SCANNER = 1  # the code of a sform or qform in the scanner's own coordinates
_DAMAGE = (OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error, ImageFileError, HeaderDataError)


@dataclass(frozen=True)
class Nifti:
    """What a NIfTI file says: ``values`` (I, J, K, C), ``voxel_to_ras`` (4, 4) in mm, the intent code."""

    values: NDArray
    voxel_to_ras: NDArray[np.float64]
    intent: int


def read_nifti(path: Path) -> Nifti:
    """Return the content of a NIfTI-1 or NIfTI-2 file.

    A slope and intercept in the header are applied (giving float32, or float64 for float64 voxels); without them
    the type is that of the file, in the byte order of the machine.

    Raises:
        StorageError: not a NIfTI file, not 3D (one slice, a time series), truncated, damaged, or without spacing.
    """
    try:
        with LoggingOutputSuppressor():
            image = nib.load(path, mmap=False)
            if not isinstance(image, nib.Nifti1Image):
                raise ImageFileError(f"it is of the type {type(image).__name__}")
            with image.file_map["image"].get_prepare_fileobj("rb") as file:  # loading has mended a zero spacing to 1
                spacing = type(image.header).from_fileobj(file, check=False)["pixdim"][1:4]
            if not (np.isfinite(spacing) & (spacing != 0)).all():
                raise StorageError(
                    f"'{path}' has the spacing {tuple(map(float, spacing))} mm; none may be zero. Correct its header, "
                    "or set the spacing in 3D Slicer (module Volumes) and save it again."
                )
            # the axes of a NIfTI file are x, y, z, time, component; a time axis of one point is only a way of writing
            times, components = (*image.shape[3:5], 1, 1)[:2]
            require_three_axes(path, (*image.shape[:3], times) if times > 1 else image.shape[:3])
            values = _scaled(image.dataobj).reshape((*image.shape[:3], components), order="F")
            matrix = _matrix(image.header, path)
    except _DAMAGE as error:
        raise StorageError(
            f"'{path}' cannot be read as NIfTI: {last_line(error)}. It is truncated, damaged, or of another format; "
            "copy or export it again."
        ) from error
    return Nifti(values, matrix, int(image.header["intent_code"]))


def write_nifti(path: Path, values: NDArray, voxel_to_ras: NDArray[np.float64]) -> None:
    """Write ``values`` (I, J, K) with the same geometry as sform and qform, so that all readers agree."""
    image = nib.Nifti1Image(values, voxel_to_ras, dtype=values.dtype)
    image.set_qform(voxel_to_ras, code=_SCANNER)
    image.set_sform(voxel_to_ras, code=_SCANNER)
    image.header.set_xyzt_units("mm")
    nib.save(image, path)


def _scaled(proxy: nib.arrayproxy.ArrayProxy) -> NDArray:
    raw = proxy.get_unscaled()
    raw = raw.astype(raw.dtype.newbyteorder("="), copy=False)
    if (proxy.slope, proxy.inter) == (1, 0):
        return raw
    kind = np.float64 if raw.dtype == np.float64 else np.float32
    return raw.astype(kind) * kind(proxy.slope) + kind(proxy.inter)


def _matrix(header: nib.Nifti1Header, path: Path) -> NDArray[np.float64]:
    """Return voxel -> RAS mm by ITK's choice between sform and qform, except that a sheared scanner sform is kept.

    (ITK then takes the qform, which cannot hold a shear: a tilted CT would silently come out straight.)
    """
    sform, sform_code = header.get_sform(coded=True)
    qform, _ = header.get_qform(coded=True)
    if sform is None and qform is None:
        matrix = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.diag([*header.get_zooms()[:3], 1.0])
    elif qform is None or (sform is not None and (sform_code == _SCANNER or np.allclose(sform, qform, atol=1e-3))):
        matrix = sform
    else:
        matrix = qform
        if sform is not None:
            _logger.warning("'%s' has two different geometries; the qform is used, as 3D Slicer does.", path)
    matrix = np.array(matrix, dtype=np.float64)
    matrix[:3] *= _MM.get(header.get_xyzt_units()[0], 1.0)
    return matrix
