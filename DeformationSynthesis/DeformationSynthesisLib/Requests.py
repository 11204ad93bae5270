"""From the parameters of the panel to what the logic is asked for."""

from DiffusionCore.mrml.synthesis_request import SynthesisRequest


def requestOf(parameters, method) -> SynthesisRequest:
    """Return what Generate asks for now."""
    settings = {
        "strength": parameters.strength / 100,
        "symmetry": parameters.symmetry,
        "rotation": parameters.rotation,
        "intensity": parameters.intensity / 100,
        "limits": {"volume_change": 1 + parameters.volumeChange / 100, "attempts": parameters.attempts},
        **method.settings,
    }
    if parameters.source == "folder":
        return SynthesisRequest(folder=parameters.caseFolder, settings=settings, seed=parameters.seed)
    nodes = (parameters.inputVolume, parameters.inputSegmentation)
    return SynthesisRequest(*nodes, settings=settings, seed=parameters.seed)


def signatureOf(parameters) -> tuple:
    """Return what distinguishes one request from another: if it changes, how the last one ended is no longer told."""
    nodes = (parameters.inputVolume, parameters.inputSegmentation)
    names = ("source", "caseFolder", "method", "count", "strength", "symmetry", "rotation", "intensity", "volumeChange")
    names += ("attempts", "seed", "exportFormat", "exportFolder", "datasetNumber", "datasetName", "includeOriginals")
    return (*(None if node is None else node.GetID() for node in nodes), *(getattr(parameters, each) for each in names))
