"""How a set of variants lies in a folder."""

from DiffusionCore.synthesis.layouts.base import Layout, Source
from DiffusionCore.synthesis.layouts.bids import Bids
from DiffusionCore.synthesis.layouts.nnunet import NnUNet
from DiffusionCore.synthesis.layouts.published import PublishedDrdm

LAYOUTS: dict[str, type[Layout]] = {"nnunet": NnUNet, "drdm": PublishedDrdm, "bids": Bids}

__all__ = ["LAYOUTS", "Layout", "Source"]
