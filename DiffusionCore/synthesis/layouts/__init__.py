"""How a set of variants lies in a folder."""

from typing import Any

from DiffusionCore.synthesis.layouts.base import CaseLayout, Layout, Source
from DiffusionCore.synthesis.layouts.bids import Bids
from DiffusionCore.synthesis.layouts.nnunet import NnUNet
from DiffusionCore.synthesis.layouts.published import PublishedDrdm
from DiffusionCore.synthesis.layouts.registration import RegistrationPairs
from DiffusionCore.synthesis.layouts.review import Review
from DiffusionCore.synthesis.layouts.side_by_side import SideBySide

LAYOUTS: dict[str, type[Layout[Any]]] = {
    "nnunet": NnUNet,
    "pairs": SideBySide,
    "drdm": PublishedDrdm,
    "bids": Bids,
    "registration": RegistrationPairs,
    "review": Review,
}

__all__ = ["LAYOUTS", "CaseLayout", "Layout", "Source"]
