"""What the panel says about its numbers."""

from slicer.i18n import tr as _

_STRONGEST = 0.03  # DiffusionCore.deformation.strength.STRONGEST, which needs torch


def strengthText(parameters, method) -> str:
    """Return what the strength means for the volume that is chosen."""
    if not method.deforms:
        return _("The segmentation stays as it is.")
    percent = parameters.strength
    name = (
        _("copies")
        if percent == 0
        else _("subtle")
        if percent <= 40
        else _("natural")
        if percent <= 75
        else _("strong")
    )
    extent = _extent(parameters)
    if extent is None:
        return name
    text = _("{name}: tissue moves by up to {shift} mm in the mean")
    return text.format(name=name, shift=f"{percent / 100 * _STRONGEST * extent:.1f}")


def _extent(parameters):
    """Return the largest extent of the volume, mm, which that of its tissue does not exceed; None if nobody knows."""
    volume = parameters.inputVolume
    if parameters.source == "folder" or volume is None or volume.GetImageData() is None:
        return None
    sides = zip(volume.GetImageData().GetDimensions(), volume.GetSpacing(), strict=True)
    return max(count * spacing for count, spacing in sides)
