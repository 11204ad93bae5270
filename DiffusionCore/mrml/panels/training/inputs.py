"""The inputs of the section Training: what is learned from what, beginning where, and on which device."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.choices import Choice
from DiffusionCore.mrml.panels.folder_line import FolderLine
from DiffusionCore.mrml.panels.lines import let_shrink
from DiffusionCore.mrml.panels.training.beginnings import beginnings
from DiffusionCore.mrml.panels.training.data_check import DataCheck
from DiffusionCore.mrml.panels.training.data_folder import DataFolder
from DiffusionCore.mrml.panels.training.models import ModelRow
from DiffusionCore.mrml.panels.training.recipes import Recipe, Source, families, preset_text, presets_of


class TrainingInputs:
    """Shows the parameters that the wrapper of the parameters cannot bind, and sets them.

    Args:
        ui: the widgets of the form.
        recipes: what can be trained.
        set_value: called with name and value of a parameter that the user has chosen.
        on_change: called when the check of the images has started or ended.

    Attributes:
        data: what is known of the images.
        check: reads them.
    """

    def __init__(
        self,
        ui: Any,
        recipes: Sequence[Recipe],
        set_value: Callable[[str, Any], None],
        on_change: Callable[[], None],
    ) -> None:
        self._ui, self._set = ui, set_value
        self._recipes = {recipe.key: recipe for recipe in recipes}
        self._chosen: Any = None  # the wrapped parameter node
        self.data = DataFolder.look(Path())
        self._family = Choice(ui.trainingRecipeSelector, self._on_family)
        self._family.fill(families(recipes))
        self._preset = Choice(ui.trainingPresetSelector, lambda key: set_value("trainingRecipe", key))
        self._begin = Choice(ui.trainingBeginSelector, lambda name: set_value("trainingBegin", name))
        self._device = Choice(ui.trainingDeviceSelector, lambda key: set_value("trainingDevice", key))
        self._device.fill([("auto", _("Automatic")), ("cpu", _("CPU")), ("cuda", _("CUDA GPU"))])
        self._data_line = FolderLine(ui.trainingDataEdit, lambda folder: set_value("trainingData", folder))
        self.check = DataCheck(ui, on_change)
        let_shrink([ui.trainingDataListButton, ui.trainingDataCheckButton])
        ui.trainingDataListButton.clicked.connect(self._on_list)

    @property
    def recipe(self) -> Recipe | None:
        """The recipe that is chosen; None if it is not known here."""
        return None if self._chosen is None else self.recipe_of(self._chosen.trainingRecipe)

    def recipe_of(self, key: str) -> Recipe | None:
        """Return the recipe of this ``key``; None if it is not known here."""
        return self._recipes.get(key)

    def show(self, chosen: Any, rows: Sequence[ModelRow]) -> None:
        """Show the parameters ``chosen``, a wrapped parameter node; ``rows`` are the models that there are."""
        self._chosen, ui = chosen, self._ui
        recipe = self.recipe
        self._device.show(chosen.trainingDevice)
        self._family.show("" if recipe is None else recipe.family)
        presets = [] if recipe is None else presets_of(recipe.family, self._recipes.values())
        self._preset.fill([(each.key, preset_text(each.preset)) for each in presets])
        self._preset.show(chosen.trainingRecipe)
        ui.trainingRecipeLabel.setText("" if recipe is None else recipe.description)
        learns = recipe is not None and recipe.source is not Source.SYNTHETIC
        data_row = (ui.trainingDataEdit, ui.trainingDataListButton, ui.trainingDataCheckButton)
        for widget in (ui.trainingDataEditLabel, *data_row, ui.trainingDataLabel):
            widget.setVisible(learns)
        self.data = DataFolder.look(chosen.trainingData if learns else Path())
        self._data_line.show(chosen.trainingData)
        self.check.show(chosen.trainingData if learns else Path(), self.data.text, usable=self.data.usable)
        self.show_beginnings(rows)

    def show_beginnings(self, rows: Sequence[ModelRow]) -> None:
        """Offer those of the models ``rows`` that the recipe can begin with; another one is chosen no longer."""
        self._begin.fill(beginnings(self.recipe, rows))
        if not self._begin.show(self._chosen.trainingBegin):
            self._begin.show("")
            self._set("trainingBegin", "")

    def _on_family(self, family: str) -> None:
        """Choose the recipe of this ``family`` in the preset that was chosen before, or in its first.

        A name that was made of the family before, as the first one is, becomes one of this family.
        """
        before = self.recipe
        presets = presets_of(family, self._recipes.values())
        same = [each for each in presets if before is not None and each.preset is before.preset]
        full = [each for each in presets if each.key == family]
        if before is not None and (made := re.fullmatch(rf"my-{before.family}-(\d+)", self._chosen.trainingName)):
            self._set("trainingName", f"my-{family}-{made[1]}")
        self._set("trainingRecipe", (same or full or presets)[0].key)

    def _on_list(self, *_arguments: Any) -> None:
        title, kind = _("Choose a list of images"), _("Lists (*.csv *.json)")
        path = qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", kind)
        if path:
            self._set("trainingData", Path(path))
