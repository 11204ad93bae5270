"""Phases and metrics as people say them."""

from slicer.i18n import tr as _


def phaseText(phase: str) -> str:
    """Return what the core calls ``phase`` in the language of the user; a name that is new stays as it is."""
    known = {
        "start": _("as they lie"),
        "center": _("centers aligned"),
        "pose": _("rough alignment"),
        "search": _("search of rotations"),
        "caution": _("no safe pose found: centers aligned"),
        "compare": _("comparison"),
        "polish": _("fine alignment"),
        "field": _("learned deformation"),
        "diffusion": _("diffusion"),
        "refine": _("deformation"),
        "guide": _("deformation to what guides it"),
    }
    return known.get(phase, phase)


def metricText(name: str) -> str:
    """Return what the core calls a metric ``name`` in the language of the user; a name that is new stays as it is."""
    known = {
        "similarity": _("coarse similarity"),
        "overlap": _("overlap"),
        "local_correlation": _("local correlation"),
        "self_similarity": _("agreement of self-similarities"),
        "folding": _("folding"),
    }
    return known.get(name, name.replace("_", " "))
