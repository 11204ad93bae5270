"""How long a registration will take, and in how much memory: from the sizes of the images and the last run."""

import slicer
from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.words import duration_text, memory_text

_SETTING = "SpatialDiffusion/SecondsPerWork/{work}"
_DEVICE = "SpatialDiffusion/LastDevice"
# Until the first run has been measured: one core without a GPU, 2.5 and 80 million voxels
_START_SECONDS = 3.0  # the worker, torch and the model
_SECONDS_PER_WORK = {"deformable-fast": 9.0, "deformable-default": 14.0, "deformable-accurate": 60.0}
_SECONDS_OF_OTHERS = 5.0
_START_MEGABYTES = 380.0  # the same
_BYTES_PER_VOXEL = 4.0  # the images themselves; what is worked on is small


def workOf(fixed, moving, samples: int) -> float:
    """Return how much there is to do, 1 for a pair of heads: hardly any of it depends on the size of the images."""
    return samples * (1 + (_voxels(fixed) + _voxels(moving)) / 500e6)


def secondsOf(fixed, moving, work: str, samples: int) -> float:
    """Return how long a registration will take; ``work`` is the kind of it (Presets.workName)."""
    start = _SECONDS_PER_WORK.get(work, _SECONDS_OF_OTHERS)
    rate = slicer.util.settingsValue(_SETTING.format(work=work), start, converter=float)
    return _START_SECONDS + rate * workOf(fixed, moving, samples)


def estimateText(fixed, moving, work: str, device: str, samples: int) -> str:
    """Return the sentence after "Ready."."""
    seconds = secondsOf(fixed, moving, work, samples)
    megabytes = _START_MEGABYTES + _BYTES_PER_VOXEL * (_voxels(fixed) + _voxels(moving)) / 1e6
    place = deviceText(device if device != "auto" else slicer.util.settingsValue(_DEVICE, ""))
    sentence = _("About {time} on this computer ({place}), {memory}.") if place else _("About {time}, {memory}.")
    return sentence.format(time=duration_text(_rounded(seconds)), place=place, memory=memory_text(megabytes))


def remember(fixed, moving, work: str, device: str, samples: int, seconds: float) -> None:
    """Note how long a whole run took; the next estimate is made from it."""
    settings = slicer.app.userSettings()
    rate = max(0.1, seconds - _START_SECONDS) / workOf(fixed, moving, samples)
    settings.setValue(_SETTING.format(work=work), rate)
    settings.setValue(_DEVICE, device)


def deviceText(device: str) -> str:
    """Return what people call a device of torch: "CPU", "CUDA 0"."""
    return device.upper().replace(":", " ")


def _rounded(seconds: float) -> float:
    """Return ``seconds`` as rough as the estimate is."""
    return seconds if seconds < 10 else round(seconds / 5) * 5


def _voxels(volume) -> int:
    image = volume.GetImageData()
    return 0 if image is None else image.GetNumberOfPoints()
