"""NIfTI files, placed as 3D Slicer places them.

nibabel reads and writes them: ITK takes the voxels of a truncated NIfTI file for zeros without a word, reads the
voxels of ``x.nii`` when asked for ``x.nii.gz`` and both exist, and does not notice that a disk is full.
"""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import logger as nibabel_logger
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from DiffusionCore.checks import StorageError
from DiffusionCore.storage.files import last_line, require_three_axes, suffix_of

_logger = logging.getLogger(__name__)
_MM = {"meter": 1000.0, "micron": 0.001}
_SIZES_OF_NIFTI_2 = (b"\x1c\x02\0\0", b"\0\0\x02\x1c")  # 540 in both byte orders
_SCANNER = 1  # the code of a sform or qform in the scanner's own coordinates
_NO_NIFTI = (ImageFileError, HeaderDataError, WrapStructError)
_DAMAGE = (OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error, *_NO_NIFTI)


@dataclass(frozen=True)
class Nifti:
    """What a NIfTI file says: ``values`` (I, J, K, C), ``voxel_to_ras`` (4, 4) in mm, the intent code."""

    values: NDArray
    voxel_to_ras: NDArray[np.float64]
    intent: int


def read_nifti(path: Path, *, slices: int = 2) -> Nifti:
    """Return the content of a NIfTI-1 or NIfTI-2 file of at least so many ``slices`` (1: a 2D image, too).

    A slope and intercept in the header are applied (giving float32, or float64 for float64 voxels); without them
    the type is that of the file, in the byte order of the machine.

    Raises:
        StorageError: not a NIfTI file, not 3D (one slice, a time series), truncated, damaged, or without spacing.
    """
    try:
        with _without_remarks():
            content = path.read_bytes()
            if content.startswith(b"\x1f\x8b"):
                content = gzip.decompress(content)  # the whole, as the checksum comes last
            kind = nib.Nifti2Image if content[:4] in _SIZES_OF_NIFTI_2 else nib.Nifti1Image
            image = kind.from_bytes(content)
            spacing = kind.header_class.from_fileobj(BytesIO(content), check=False)["pixdim"][1:4]
            if not (np.isfinite(spacing) & (spacing != 0)).all():  # loading has mended them in the image
                raise StorageError(
                    f"'{path}' has the spacing {tuple(map(float, spacing))} mm; none may be zero. Correct its header, "
                    "or set the spacing in 3D Slicer (module Volumes) and save it again."
                )
            # the axes of a NIfTI file are x, y, z, time, component; a time axis of one point is only a way of writing
            times, components = (*image.shape[3:5], 1, 1)[:2]
            require_three_axes(path, (*image.shape[:3], times) if times > 1 else image.shape[:3], slices=slices)
            i, j, k = (*image.shape, 1)[:3]
            values = _scaled(cast(ArrayProxy, image.dataobj)).reshape((i, j, k, components), order="F")
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
    content = image.to_bytes()
    path.write_bytes(gzip.compress(content, 1, mtime=0) if suffix_of(path) == ".nii.gz" else content)


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep nibabel from logging what it finds in a header: an error says it better, and once."""
    before, nibabel_logger.disabled = nibabel_logger.disabled, True
    try:
        yield
    finally:
        nibabel_logger.disabled = before


def _scaled(proxy: ArrayProxy) -> NDArray:
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
    matrix[:3] *= _MM.get(str(header.get_xyzt_units()[0]), 1.0)
    return matrix
