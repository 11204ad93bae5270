"""Images in files: NIfTI, NRRD and MetaImage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from DiffusionCore.checks import StorageError
from DiffusionCore.space import Frame, Volume
from DiffusionCore.storage.files import replacing, require_file, require_suffix
from DiffusionCore.storage.geometry import grid_from_header, grid_of, image_on
from DiffusionCore.storage.itk import READERS, quiet, read_image
from DiffusionCore.storage.nifti import read_nifti, write_nifti

VOLUME_SUFFIXES = (".nii.gz", ".nii", *READERS)
_WIDENED = {np.dtype(bool): np.uint8, np.dtype(np.float16): np.float32, np.dtype(np.longdouble): np.float64}


def read_volume(path: str | Path, *, slices: int = 2) -> Volume:
    """Return the 3D image in a file: values (K, J, I) in the type of the file, on a RAS grid in mm.

    NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr) and MetaImage (.mha, .mhd). Headers whose axes are orthogonal up to
    rounding (1e-3) are made exactly orthogonal. It must have at least 2 ``slices``; with 1, a single one or a 2D image
    (which becomes a slice, of 1 mm where the file does not say) is read, too.

    Raises:
        StorageError: no such file, a folder, another format, truncated, 2D, one slice, a time series, several
            components, complex values, a spacing of zero, sheared or singular axes.
    """
    path = require_file(path, "a 3D image")
    suffix = require_suffix(path, VOLUME_SUFFIXES, "an image")
    if suffix in READERS:
        image = read_image(path, suffix, slices=slices)
        values, grid = sitk.GetArrayFromImage(image), grid_of(image, path)
        _require_numbers(path, values.dtype, image.GetNumberOfComponentsPerPixel())
        return Volume(values, grid)
    nifti = read_nifti(path, slices=slices)
    _require_numbers(path, nifti.values.dtype, nifti.values.shape[3])
    grid = grid_from_header(nifti.voxel_to_ras, nifti.values.shape, path)
    return Volume(nifti.values[..., 0].T, grid)


def write_volume(path: str | Path, volume: Volume) -> None:
    """Write ``volume`` to a file in the format of its ending (see read_volume), compressed where the format can.

    The type of the values is kept, but for those that no format has: bool becomes uint8, float16 float32, longdouble
    float64. The file appears whole or not at all.

    Raises:
        StorageError: an unknown ending, a type that is no number, a folder that is missing or read-only, a full disk.
    """
    path = Path(path)
    suffix = require_suffix(path, VOLUME_SUFFIXES, "an image")
    values = np.asarray(volume.values)
    _require_numbers(path, values.dtype, 1)
    kind = np.dtype(_WIDENED.get(values.dtype, values.dtype)).newbyteorder("=")
    values = np.ascontiguousarray(values, dtype=kind)
    with replacing(path) as unfinished:
        if suffix in READERS:
            with quiet():
                sitk.WriteImage(image_on(values, volume.grid), str(unfinished), useCompression=True)
        else:
            write_nifti(unfinished, values.T, volume.grid.matrix(Frame.VOXEL, Frame.RAS))


def _require_numbers(path: Path, dtype: np.dtype, components: int) -> None:
    if components > 1 or dtype.names:
        raise StorageError(
            f"'{path}' has several values at each voxel (colors or vectors); one number per voxel is needed. "
            "Save one component, or the gray values, to a file of its own."
        )
    if dtype.kind not in "biuf":
        raise StorageError(
            f"'{path}' holds values of the type {dtype}; real numbers are needed. Of complex values save the magnitude."
        )
