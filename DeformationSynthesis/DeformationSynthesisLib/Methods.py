"""Methods: what is new in a variant, in words for the user, and what that means for the core. No torch."""

from dataclasses import dataclass, field
from typing import Any

from slicer.i18n import tr as _

SHAPES = "shapes"
_RECOVERED = "recovered:"  # these begin the key of a method by a model
_IMAGES = "images:"
_BOTH = "both:"
_KINDS = {"drdm": (_RECOVERED,), "image": (_IMAGES, _BOTH)}


@dataclass(frozen=True)
class Method:
    """One line of the list.

    Attributes:
        key: what is saved with the scene.
        text: what the user reads.
        description: the gray line below.
        settings: of ``SynthesisSettings``, partial.
        deforms: whether the strength means anything.
    """

    key: str
    text: str
    description: str
    settings: dict[str, Any] = field(default_factory=dict)
    deforms: bool = True


def methods(cards) -> list[Method]:
    """Return the method that needs no model, and those by the models of ``cards`` (DiffusionCore.models)."""
    found = [
        Method(
            SHAPES,
            _("New shapes"),
            _("Smooth random deformations of four scales, alike on both sides of a body that has two."),
        )
    ]
    for card in cards:
        found += [_methodOf(beginning, card.name) for beginning in _KINDS.get(card.kind, ())]
    return found


def keysOf(name: str, kind: str) -> list[str]:
    """Return the keys of the methods by the model ``name`` of the ``kind``; none if it is of no use here."""
    return [beginning + name for beginning in _KINDS.get(kind, ())]


def missingMethod(key: str) -> Method:
    """Return what stands for a method whose model is gone."""
    name = key.partition(":")[2] or key
    return Method(key, name, _("The model '{name}' is not installed here. Choose another method.").format(name=name))


def _methodOf(beginning: str, name: str) -> Method:
    key = beginning + name
    if beginning == _RECOVERED:
        text = _("Recovered shapes: {name}").format(name=name)
        about = _("Random deformations that a network made more natural, step by step; the preview shows the steps.")
        return Method(key, text, about, {"model": name})
    if beginning == _IMAGES:
        text = _("New images from the segmentation: {name}").format(name=name)
        about = _("A diffusion paints a new image into the segmentation, which stays. A minute each on a CPU.")
        return Method(key, text, about, {"image_model": name, "displacement": 0.0}, deforms=False)
    text = _("Both: {name}").format(name=name)
    about = _("The segmentation is deformed, and a diffusion paints a new image into it. A minute each on a CPU.")
    return Method(key, text, about, {"image_model": name})
