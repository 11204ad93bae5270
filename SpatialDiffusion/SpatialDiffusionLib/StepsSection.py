"""The section Steps: browse what a registration went through, and choose between its branches."""

import qt
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from DiffusionCore.mrml.sequences import StepSequence
from DiffusionCore.mrml.tables import digits

from .Words import metricText, phaseText

_EXPERT = ("local_correlation", "self_similarity")  # stand in the table of the steps only
_UNITS = {"folding": " %"}


class StepsSection(VTKObservationMixin):
    """Shows the steps of one output transform.

    Attributes:
        branch: the StepSequence that drives the transform; None if there are no steps.
    """

    def __init__(self, ui, onShown) -> None:
        """Take over the widgets of ``ui``; ``onShown()`` is called when another step is shown."""
        super().__init__()
        self._ui, self._onShown = ui, onShown
        self._transform, self.branch = None, None
        self._branches: list[str] = []
        self._text = None
        ui.branchSelector.connect("currentIndexChanged(int)", self._onBranchChosen)
        self._quietShortcuts()
        for widget in (ui.seekWidget, ui.playWidget):
            widget.layout().setContentsMargins(0, 0, 0, 0)
        ui.seekWidget.slider().setToolTip(_("Goes through the steps; the transform holds the one that is shown."))
        for spinBox in ui.playWidget.findChildren(qt.QDoubleSpinBox):
            spinBox.setToolTip(_("Steps that are played per second."))

    def follow(self, transform) -> None:
        """Show the steps of ``transform``, which may be None; called whenever something may have changed."""
        self._transform = transform
        branches = [] if transform is None else StepSequence.all_of(transform)
        active = next((steps for steps in branches if steps.is_active), branches[-1] if branches else None)
        if active is not None and len(active) == 0:
            active = None
        self._watch(active)
        self._listBranches(branches)
        self._describe()

    @property
    def shown(self) -> int | None:
        """The number of the step that is shown, from 1; None if there are no steps."""
        return None if self.branch is None else self._numberAt(self.branch.shown)

    @property
    def last(self) -> int | None:
        """The number of the last step."""
        return None if self.branch is None else self._numberAt(len(self.branch) - 1)

    def goToLast(self) -> None:
        if self.branch is not None:
            self.branch.select(len(self.branch) - 1)

    def release(self) -> None:
        """Let go of the scene."""
        self._watch(None)
        self.removeObservers()

    def _numberAt(self, item: int) -> int | None:
        return self.branch.step_of(item).number if 0 <= item < len(self.branch) else None

    def _watch(self, branch) -> None:
        former, browser = (None if each is None else each.browser for each in (self.branch, branch))
        self.branch = branch
        if browser is former:
            return
        self.removeObservers(self._onModified)
        if browser is not None:
            self.addObserver(browser, vtk.vtkCommand.ModifiedEvent, self._onModified)
            browser.SetPlaybackRateFps(min(browser.GetPlaybackRateFps(), 5.0))
        for widget in (self._ui.seekWidget, self._ui.playWidget):
            widget.setMRMLSequenceBrowserNode(browser)

    def _listBranches(self, branches) -> None:
        selector, names = self._ui.branchSelector, _shortNames([steps.name for steps in branches])
        wasBlocked = selector.blockSignals(True)
        if names != self._branches:
            self._branches = names
            selector.clear()
            selector.addItems(names)
        if self.branch is not None:
            selector.setCurrentIndex(next(i for i, s in enumerate(branches) if s.browser is self.branch.browser))
        selector.blockSignals(wasBlocked)
        self._ui.branchRow.setVisible(len(names) > 1)

    def _onBranchChosen(self, index: int) -> None:
        branches = StepSequence.all_of(self._transform)
        if 0 <= index < len(branches):
            branches[index].activate()
            self._onShown()

    def _onModified(self, *_arguments) -> None:
        self._onShown()

    def _describe(self) -> None:
        text = ""
        if self.branch is not None and 0 <= self.branch.shown < len(self.branch):
            text = stepText(self.branch.step_of(self.branch.shown))
        if text != self._text:
            self._text = text
            self._ui.stepLabel.setText(text)

    def _quietShortcuts(self) -> None:
        """Leave Ctrl+Shift+arrows to the toolbar of the application: of two equal shortcuts Qt fires neither."""
        for shortcut in self._ui.playWidget.findChildren(qt.QShortcut):
            shortcut.setEnabled(False)


def stepText(step) -> str:
    """Return the line about a KeptStep: what made it, the diffusion time, and how well the images agree."""
    parts = [phaseText(step.phase), _("t {time}").format(time=f"{step.time:.2f}")]
    told = {name: digits(value) for name, value in step.metrics.items() if name not in _EXPERT}
    return "  |  ".join(parts + [f"{metricText(name)} {text}{_UNITS.get(name, '')}" for name, text in told.items()])


def _shortNames(names: list[str]) -> list[str]:
    """Return what tells the branches of a transform apart; their nodes are named "<volumes> steps, from step 4"."""
    ends = [name.rpartition(", ")[2] for name in names[1:]]
    return [_("First run")] * len(names[:1]) + [end[:1].upper() + end[1:] for end in ends]
