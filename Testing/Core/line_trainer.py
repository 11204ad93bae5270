"""Stands where Python does in ``python -m DiffusionCore train``: the same command, which knows the recipe "line", too.

It is that of ``line_recipe``; the setting ``pause`` makes each batch wait, in seconds. "affine" is this recipe, too,
for panels that offer no other one.
"""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from line_recipe import SETTINGS, LineConfig, LineRecipe

from DiffusionCore.__main__ import main
from DiffusionCore.training.entry import Entry
from DiffusionCore.training.recipes import RECIPES


@dataclass(frozen=True)
class PausedConfig(LineConfig):
    pause: float = 0.0


class PausedRecipe(LineRecipe):
    def __init__(self, config, *, seed=0):
        super().__init__(config)

    def draw(self, generator):
        time.sleep(self.config.pause)
        return super().draw(generator)


OFTEN = replace(SETTINGS, log_every=1, save_every=5)

if __name__ == "__main__":
    RECIPES["line"] = RECIPES["affine"] = Entry(PausedRecipe, PausedConfig(), OFTEN, "a line")
    sys.exit(main(sys.argv[sys.argv.index("DiffusionCore") + 1 :]))
