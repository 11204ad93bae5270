"""The section Training in a window of its own, as a user has it in front of him."""

from __future__ import annotations

from clicking import choose, wait_until

ENDLESS = ("log_every=1", "pause=0.03", "steps=100000")  # runs until it is ended, however slow the machine is
LIMIT = 300.0  # seconds; far more than anything here takes, also where the machine is busy


class TrainingWindow:
    """What the section needs of a panel, with the parameters of the panel SpatialDiffusion.

    Attributes:
        recipes: what is offered.
        used: (name, kind) of the models that were to be used.
        changes: how often there were other models.
    """

    def __init__(self, scene, app, recipes=None):
        import qt
        import slicer
        from SpatialDiffusionLib.Parameters import Parameters

        from DiffusionCore.mrml.panels.training.registration_recipes import registration_recipes
        from DiffusionCore.mrml.panels.training.section import TrainingSection

        self.name, self.used, self.changes, self.app = "SpatialDiffusion", [], 0, app
        self.recipes = registration_recipes() if recipes is None else recipes
        node = slicer.mrmlScene.GetSingletonNode("Panel", "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.vtkMRMLScriptedModuleNode()
            node.SetSingletonTag("Panel")
            node = scene.AddNode(node)
        self.node, self.wrapper = node, Parameters
        self.parameters = Parameters(node)
        self.window = qt.QWidget()
        self.window.resize(460, 760)
        self.section = TrainingSection(self.window, self, self.recipes)
        self.window.show()
        app.processEvents()

    def use_model(self, name, kind):
        self.used.append((name, kind))
        return f"{name} is used."

    def models_changed(self):
        self.changes += 1

    def training_changed(self):
        """Nothing else is shown here."""

    def __getattr__(self, name):
        import qt

        widget = self.window.findChild(qt.QWidget, f"training{name[:1].upper()}{name[1:]}")
        if widget is None:
            raise AttributeError(name)
        return widget

    @property
    def status(self):
        return self.statusLabel.text

    def choose(self, recipe):
        """Choose the recipe and its preset in the two lists."""
        from DiffusionCore.mrml.panels.training.recipes import preset_text

        choose(self.recipeSelector, recipe.text)
        choose(self.presetSelector, preset_text(recipe.preset))

    def select(self, name):
        """Select the model ``name`` of the table, the first of that name."""
        self.modelsTable.selectRow([row[0] for row in self.models].index(name))

    @property
    def models(self):
        table = self.modelsTable
        return [[table.item(row, column).text() for column in range(5)] for row in range(table.rowCount)]

    def until(self, condition):
        return wait_until(lambda: condition(self), LIMIT)

    def close(self):
        self.section.cleanup()
        self.window.delete()
        self.app.processEvents()
