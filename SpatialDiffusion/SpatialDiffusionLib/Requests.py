"""From the parameters of the panel to what the logic is asked for."""

from DiffusionCore.mrml.request import RegistrationRequest
from DiffusionCore.mrml.texts import core_text

from . import Presets
from .SteerSection import signatureOfSteering, steeringOf


def requestOf(parameters, preset, device) -> RegistrationRequest:
    """Return what Register asks for now, to be computed on ``device``."""
    return RegistrationRequest(
        fixed=parameters.fixedVolume,
        moving=parameters.movingVolume,
        transform=parameters.outputTransform,
        volume=parameters.outputVolume,
        fixed_segmentation=parameters.fixedSegmentation,
        moving_segmentation=parameters.movingSegmentation,
        initial=parameters.initialTransform,
        steering=steeringOf(parameters, preset),
        method=preset.method,
        settings=Presets.settingsOf(
            preset, parameters.steps, parameters.detail, parameters.damping, parameters.samples
        ),
        device=device,
        seed=parameters.seed,
        samples=1 if Presets.draws(preset) else parameters.samples,
        keep_steps=parameters.keepSteps,
        translate=core_text,
    )


def signatureOf(parameters) -> tuple:
    """Return what distinguishes one request from another: if it changes, the last result is no longer the answer."""
    nodes = (
        parameters.fixedVolume,
        parameters.movingVolume,
        parameters.fixedSegmentation,
        parameters.movingSegmentation,
        parameters.initialTransform,
        parameters.outputTransform,
        parameters.outputVolume,
    )
    choices = ("preset", "device", "detail", "damping", "steps", "samples", "seed", "keepSteps")
    return (
        *(None if node is None else node.GetID() for node in nodes),
        *(getattr(parameters, each) for each in choices),
        *signatureOfSteering(parameters),
    )
