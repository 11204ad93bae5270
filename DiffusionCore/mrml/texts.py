"""What the core says, in the language of the user: its texts are English, and this process knows the translations."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

_LONGEST = 500  # characters of a text that is looked at; what other programs say can be longer


def _texts(_: Callable[[str], str]) -> tuple[str, ...]:
    """Return ``_`` of every text of the core that a panel shows; {names} stand for what is in it."""
    return (
        # before a registration
        _("Select a fixed volume."),
        _("Select a moving volume."),
        _("Fixed and moving are the same volume."),
        _("Fixed volume"),
        _("Moving volume"),
        _('The fixed volume must be a volume of the scene; "{name}" is not.'),
        _('The moving volume must be a volume of the scene; "{name}" is not.'),
        _('The initial transform "{name}" is not linear. Choose another one.'),
        _("{volume} holds no image. Load it again, or choose another one."),
        _("{volume} has {count} color channels. Use Vector to Scalar Volume first."),
        _("{volume} has {count} values per voxel (4D). Take one of them out first."),
        _("{volume} has {size} voxels. A 3D volume of at least {least} a side is needed."),
        _("{volume} is empty: every voxel is {value}."),
        _("{volume} is empty: every voxel is invalid (NaN)."),
        _("{volume} has one invalid voxel (NaN). It counts as background."),
        _("{volume} has {count} invalid voxels (NaN). They count as background."),
        _("The volumes do not overlap (centers {distance} mm apart). They will be aligned at their centers first."),
        _("Moving volume is under '{transform}'. It is used as the initial transform."),
        _(
            "Segmentation and volume differ in size: {first} and {second}. "
            "Select the segmentation that was drawn on this volume."
        ),
        _("Landmarks come in pairs: choose a list for the fixed and one for the moving volume."),
        _("Fixed and moving landmarks are the same list. Choose two."),
        _("Fixed and moving landmarks differ in number: {first} and {second}. Each needs its counterpart."),
        _("The direction needs a line with two points. Draw it in a slice view."),
        _("A target segment needs the segmentations of both volumes."),
        _('The volume "{name}" holds no image. Load it again, or choose another one.'),
        _(
            'The volume "{name}" has {count} values per voxel; an image of one value is needed. '
            "Convert it with the module Vector to Scalar Volume."
        ),
        _(
            'The volume "{name}" lies under the transform "{transform}", which is not linear. '
            "Harden that transform on a copy of the volume, or take the volume out of it."
        ),
        _(
            'The volume "{name}" cannot be used where it stands: the transform "{transform}" shears it. '
            "Harden that transform on a copy of the volume, or take the volume out of it."
        ),
        _('The volume "{name}" is sheared, as by a gantry tilt. Resample it on a straight grid first.'),
        _('The segmentation "{name}" is empty. Draw a segment, or choose another one.'),
        _('The segmentation "{name}" lies under a transform that is not linear. Take it out of it.'),
        _('The label map "{name}" is empty. Choose another one.'),
        _('The labels of "{name}" must be integers from 0 to {most}.'),
        _('The output transform "{name}" {problem} Choose another one.'),
        _('The output volume "{name}" {problem} Choose another one.'),
        _("is of the old class {name}, which cannot hold every step."),
        _("is not in the scene."),
        _("is one of the inputs."),
        _('lies under "{transform}".'),
        _('lies under "{transform}" and would be shown displaced.'),
        _('holds the fixed volume "{name}", which would move with it.'),
        _('is not a volume of the same kind and scene as "{name}".'),
        _("The steps cannot be kept: the module Sequences is not loaded. Enable it."),
        _("There is no such step to resume from."),
        _("A registration is under way. Stop it first."),
        # variants of a case
        _("Select a volume."),
        _("Select a segmentation."),
        _("Volume"),
        _("Reading the cases..."),
        _("Making the variants..."),
        _("Expected a folder of labeled cases, but there is no folder '{folder}'."),
        _(
            "'{folder}' holds no labeled case. Needed are NAME.nii.gz beside NAME_seg.nii.gz, or imagesTr and "
            "labelsTr as nnU-Net has them, or img and msk as the published DRDM has them."
        ),
        _("'{folder}' holds other files. Choose a new folder."),
        _("'{folder}' holds another variant '{name}' already. Choose a new folder."),
        _("'{folder}' cannot be made ({reason}). Choose another folder."),
        _("The variant '{file}' cannot be read ({reason}). Generate it again."),
        _("A computation is under way. Stop it first."),
        _("The variants could not be made because of an error in the program. The log has the details."),
        _("The settings are refused: {reason}."),
        _("The landmarks '{file}' cannot be read; a .csv with the columns x, y, z in LPS mm is needed."),
        _("Variants that were looked through cannot be written as '{format}'."),
        # packages
        _(
            "PyTorch is missing, and so is the extension that installs it. Install the extension PyTorch in the "
            "Extensions Manager, restart Slicer, and try again."
        ),
        _("PyTorch is not installed. Check the connection, or install it in the module PyTorch Utils."),
        _("{module} needs {packages}. Install them now?"),
        _("{package} could not be installed: {reason}"),
        _("{module} cannot run without {packages}."),
        # during a registration
        _("Reading the volumes..."),
        _("Starting..."),
        _("Loading the model..."),
        _("Repeating with another seed ({number} of {count})..."),
        _("Resampling the moving volume..."),
        _("Writing the result..."),
        # its end
        _("Stopped: the {node} was removed."),
        _("fixed volume"),
        _("moving volume"),
        _("output transform"),
        _("output volume"),
        _("The registration was ended."),
        _("The registration was stopped before its first step; nothing was changed."),
        _("The registration failed because of an error in the program. The log has the details."),
        _("The result could not be shown because of an error in the program. The log has the details."),
        _("The GPU ran out of memory. Choose the CPU as the device, or crop or downsample the volumes."),
        _("The computer ran out of memory. Close other programs, or crop or downsample the volumes."),
        _("The disk is full. Free some space in the folder for temporary files and try again."),
        _("The folder for temporary files cannot be written: {reason}."),
        _("The package '{name}' is missing. Install it and try again."),
        _("The computation ended unexpectedly before its first step."),
        _("The computation ended unexpectedly before its first step (memory ran out?)."),
        _("The computation ended unexpectedly after step {step}."),
        _("The computation ended unexpectedly after step {step} (memory ran out?)."),
        _("The registration could not be started: {reason} '{program}'."),
        _("there is no program"),
        _("this does not run:"),
        _("The settings must be plain numbers and text: {reason}."),
        _("The settings must be plain numbers and text: by their names, not {settings}."),
        _("There is no method '{name}'. There are: {names}."),
        _(
            "The 'spacing' of {spacing} mm shows too little of an object of {radius} mm in radius. "
            "Choose at most {most} mm; 2 mm is the default."
        ),
        _(
            "The images were not believed to be aligned, so that only landmarks or a target segment can deform. "
            "Choose some, or start anew from a better initial transform."
        ),
        _(
            "No pose fits clearly better than all others. The images were put center to center, or left as the initial "
            "transform puts them, and no deformation was fitted to them. Start from a better initial transform."
        ),
        _(
            "Pairs of landmarks that lie outside the fixed image, where nothing is deformed, and were not followed: "
            "{outside} of {count}."
        ),
        _("Step {step} is kept."),
        _("Steps {first}-{last} are kept."),
        _("The transform holds step {step}."),
        # a training
        _("A training is running in '{folder}'. Stop it first, or choose another folder."),
        _("No training can be kept in '{folder}' ({reason}). Choose a folder that may be written."),
        _("The training cannot be started: '{program}': {reason}."),
        _("The images cannot be checked: '{program}': {reason}."),
        _("The check of the images ended unexpectedly."),
        _("'{folder}' does not tell which recipe was trained. Start it anew elsewhere."),
        _("The memory ran out. Choose another device, or close other programs."),
        _("The training failed because of an error in the program; '{file}' has the details."),
        _("The training ended unexpectedly (memory ran out?)."),
        _("The training ended unexpectedly after step {step} (memory ran out?)."),
        _("The last checkpoint is step {step}."),
        # uncertainty
        _("Where repeated solutions differ, in mm."),
        _("Where the samples of the deformation differ, in mm. It was not compared with true errors."),
        _("How far points may lie from where they belong, in mm, as errors on synthetic pairs say."),
        _("How large errors may be, in mm, as errors on synthetic pairs say. It hardly says where they are."),
        _("The colors reach from 0 to {top} mm."),
        _("The uncertainty says how large errors may be, but hardly where they are."),
        # tables and curves
        _("Measure"),
        _("Before"),
        _("After"),
        _("Similarity"),
        _("Overlap"),
        _("Overlap of {segment}"),
        _("Folding"),
        _("Local correlation"),
        _("Self similarity"),
        _("Uncertainty, median"),
        _("Uncertainty, 95 % below"),
        _("Step"),
    )


TEXTS = _texts(str)


@lru_cache(maxsize=256)
def core_text(text: str) -> str:
    """Return ``text`` of the core in the language of the user; what is not known stays as it is.

    Of several sentences each is looked up; names and numbers in them stay, and known words in them are translated.
    """
    for template, translated in _translations() if len(text) <= _LONGEST else ():
        found = _pattern(template).match(text)
        if found:
            values = {name: core_text(value) for name, value in found.groupdict().items()}
            rest = text[found.end() :].lstrip()
            return " ".join(filter(None, (translated.format(**values), core_text(rest) if rest else "")))
    return text


@lru_cache(maxsize=1)
def _translations() -> list[tuple[str, str]]:
    """Return every text and its translation, the most specific first."""
    from slicer.i18n import tr  # only the application has it

    fixed = {text: len(re.sub(r"{\w+}", "", text)) for text in TEXTS}
    return sorted(zip(TEXTS, _texts(tr), strict=True), key=lambda pair: -fixed[pair[0]])


@lru_cache(maxsize=256)
def _pattern(template: str) -> re.Pattern:
    whole = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.+?)", re.escape(template))
    return re.compile(whole + ("(?= |$)" if template.endswith(".") else "$"), re.DOTALL)
