"""How a set of variants lies in a folder."""

from DiffusionCore.synthesis.layouts.base import CaseLayout, Layout, Source
from DiffusionCore.synthesis.layouts.bids import Bids
from DiffusionCore.synthesis.layouts.nnunet import NnUNet
from DiffusionCore.synthesis.layouts.published import PublishedDrdm
from DiffusionCore.synthesis.layouts.review import Review
from DiffusionCore.synthesis.layouts.side_by_side import SideBySide

LAYOUTS: dict[str, type[Layout]] = {
    "nnunet": NnUNet,
    "pairs": SideBySide,
    "drdm": PublishedDrdm,
    "bids": Bids,
    "review": Review,
}

__all__ = ["LAYOUTS", "CaseLayout", "Layout", "Source"]
