"""What nnU-Net v2 asks of a raw data set, written down again: its integrity check and its notes on the format."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import SimpleITK as sitk


def violations(folder):
    """Return what nnU-Net would object to in ``folder``, as sentences."""
    found = []
    dataset = json.loads((folder / "dataset.json").read_text())
    ending, channels, labels = dataset["file_ending"], dataset["channel_names"], dataset["labels"]
    if sorted(map(int, channels)) != list(range(len(channels))):
        found.append("channels are not numbered 0, 1, 2, ...")
    if labels.get("background") != 0:
        found.append("there is no background of value 0")
    if sorted(labels.values()) != list(range(len(labels))):
        found.append("labels are not consecutive")
    cases = sorted(path.name.removesuffix(ending) for path in (folder / "labelsTr").glob(f"*{ending}"))
    if len(cases) != dataset["numTraining"]:
        found.append(f"numTraining is {dataset['numTraining']}, there are {len(cases)} cases")
    images = {f"{case}_{int(channel):04d}{ending}" for case in cases for channel in channels}
    if images != {path.name for path in (folder / "imagesTr").iterdir()}:
        found.append("images and labels do not belong together")
        return found
    for case in cases:
        segmentation = sitk.ReadImage(str(folder / "labelsTr" / f"{case}{ending}"))
        values = sitk.GetArrayFromImage(segmentation)
        if not set(np.unique(values).tolist()) <= set(labels.values()):
            found.append(f"{case} has labels that dataset.json does not name")
        if values.dtype.kind not in "ui" or np.isnan(values).any():
            found.append(f"{case} has labels that are no integers")
        for channel in channels:
            path = folder / "imagesTr" / f"{case}_{int(channel):04d}{ending}"
            image = sitk.ReadImage(str(path))
            for fact in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
                if not np.allclose(getattr(image, fact)(), getattr(segmentation, fact)(), atol=1e-5):
                    found.append(f"{case}: {fact[3:].lower()} of image and labels differ")
            if np.isnan(sitk.GetArrayFromImage(image)).any():
                found.append(f"{path.name} holds NaN")
            if not np.allclose(nib.load(path).affine[:3], _ras(image), atol=1e-3):
                found.append(f"{path.name}: SimpleITK and nibabel read different geometries")
    return found


def _ras(image):
    """Return the (3, 4) voxel-to-RAS matrix of an ITK image."""
    linear = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    return np.diag([-1.0, -1.0, 1.0]) @ np.column_stack([linear, image.GetOrigin()])
