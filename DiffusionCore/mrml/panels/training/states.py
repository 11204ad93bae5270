"""What the training section shows in every situation: from facts to buttons, bar and line, without a widget."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.training.data_folder import DataFolder
from DiffusionCore.mrml.panels.training.recipes import Recipe, Source
from DiffusionCore.mrml.panels.words import duration_text

_PATIENCE = 5.0  # seconds after Stop until it can be forced


@dataclass(frozen=True)
class TrainingFacts:
    """All that the appearance depends on.

    Attributes:
        problem: why a training cannot start; empty if it can.
        failure: why the last thing that was asked for did not work, where no training says it.
        state: of the training in the folder, as ``TrainingState`` has it; empty if there is none.
        stop_seconds: how long ago it was asked to stop; None if it was not.
        step, of: the last step that was logged, and how many there will be.
        speed: steps per second.
        seconds_left: until the end or the time limit.
        best: (step, loss) of the best check.
        resumable: the step to go on from.
        message: why it failed.
        installing: what is said while packages are being installed; empty while they are not.
    """

    problem: str = ""
    failure: str = ""
    state: str = ""
    stop_seconds: float | None = None
    step: int = 0
    of: int | None = None
    speed: float | None = None
    seconds_left: float | None = None
    best: tuple[int, float] | None = None
    resumable: int | None = None
    message: str = ""
    installing: str = ""

    @property
    def running(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True)
class TrainingAppearance:
    """What the widgets show.

    Attributes:
        button, button_enabled, button_tip: of Start, Stop, Force stop.
        resume: the text of Resume; empty hides it.
        inputs: enabled.
        bar: value and maximum, (0, 0) for busy; None hides it.
        status, failed: the line, and whether it tells of a failure.
        title: of the section, which says also while it is folded that a training runs.
    """

    button: str
    button_enabled: bool
    button_tip: str
    resume: str
    inputs: bool
    bar: tuple[int, int] | None
    status: str
    failed: bool
    title: str


def training_appearance(facts: TrainingFacts) -> TrainingAppearance:
    """Return what the section shows when ``facts`` hold."""
    text, enabled, tip = _button(facts)
    busy = facts.running or bool(facts.installing)
    resumes = facts.resumable is not None and not busy
    return TrainingAppearance(
        button=text,
        button_enabled=enabled,
        button_tip=tip,
        resume=_("Resume from step {step}").format(step=facts.resumable) if resumes else "",
        inputs=not busy,
        bar=_bar(facts) if busy else None,
        status=_status(facts),
        failed=not busy and bool(facts.failure or facts.state == "failed"),
        title=_title(facts),
    )


def training_problem(
    chosen: Any, place: Path | None, run: Any, recipe: Recipe | None, data: DataFolder, shipped: set[str]
) -> str:
    """Return why no training can start with the parameters ``chosen``; empty if one can.

    Args:
        chosen: the wrapped parameter node.
        place: the folder that it names; None if there can be no such folder.
        run: the training that is there; None if there is none.
        recipe: what they choose to train; None if that is not known here.
        data: what is known of the folder of images.
        shipped: the names of the shipped models.
    """
    name = chosen.trainingName
    if recipe is None:
        return _("Select what to train.")
    given = chosen.trainingData != Path()
    if not data.usable and (recipe.source is Source.FOLDER or (recipe.source is Source.EITHER and given)):
        return _("Choose a folder with images to learn from.")
    if not name:
        return _("Enter a name for the model.")
    if not chosen.trainingFolder.is_absolute():
        return _("Choose an output folder.")
    if place is None:
        return _("This cannot be the name of a model. Use letters, digits, spaces, '-', '_' and '.'.")
    if name in shipped:
        return _("'{name}' is the name of a model that is shipped. Enter another name.").format(name=name)
    if run is None or run.weights is None:
        return ""
    if run.resumable is not None:
        return _("There is an unfinished training of this name. Resume it, or enter another name.")
    return _("There is a finished training of this name. Enter another name for a new one.")


def _button(facts: TrainingFacts) -> tuple[str, bool, str]:
    if facts.installing:
        return _("Installing..."), False, _("The Python packages are being installed.")
    stop = _("Saves a checkpoint, then stops. Resume continues exactly there.")
    if not facts.running:
        start = _("Trains in a process of its own, which goes on when you leave the module or close Slicer.")
        return _("Start training"), not facts.problem, facts.problem or start
    if facts.stop_seconds is None:
        return _("Stop"), True, stop
    if facts.stop_seconds >= _PATIENCE:
        return _("Force stop"), True, _("Ends the training at once. The last checkpoint stays.")
    return _("Stopping..."), False, stop


def _bar(facts: TrainingFacts) -> tuple[int, int]:
    return (min(facts.step, facts.of), facts.of) if facts.step and facts.of and facts.stop_seconds is None else (0, 0)


def _status(facts: TrainingFacts) -> str:
    if facts.installing:
        return facts.installing
    if facts.running:
        return _running_text(facts)
    said = [text for text in (facts.failure or _end_text(facts), facts.problem) if text]
    return " ".join(said) or _("Ready. The first step takes about a minute.")


def _title(facts: TrainingFacts) -> str:
    if not facts.running:
        return _("Training")
    if facts.stop_seconds is not None:
        return _("Training: stopping")
    if not facts.step:
        return _("Training: preparing the images")
    text = _("Training: step {step} of {of}") if facts.of else _("Training: step {step}")
    return text.format(step=facts.step, of=facts.of)


def _end_text(facts: TrainingFacts) -> str:
    """Return how the training in the folder has ended; empty if there is none."""
    match facts.state:
        case "failed":
            return facts.message
        case "stopped":
            return _stopped_text(facts)
        case "finished":
            done = _("Done after {of} steps{best}. Select the model below, and press Use.")
            return done.format(of=facts.of, best=_best_text(facts))
    return ""


def _running_text(facts: TrainingFacts) -> str:
    if facts.stop_seconds is not None:
        return _("Saving a checkpoint after this step...")
    if not facts.step:
        return _("Preparing the images...")
    parts = [_counted(facts)]
    if facts.speed is not None:
        parts.append(_("{speed} per s").format(speed=_speed_text(facts.speed)))
    if facts.seconds_left is not None:
        parts.append(_("{time} left").format(time=duration_text(facts.seconds_left)))
    return ", ".join(parts) + _best_text(facts)


def _stopped_text(facts: TrainingFacts) -> str:
    if facts.resumable is None:
        return _("Stopped before the first checkpoint. Nothing was kept.")
    if not facts.of:
        return _("Stopped; the last checkpoint is step {step}.").format(step=facts.resumable)
    text = _("Stopped; the last checkpoint is step {step} of {of}{best}.")
    return text.format(step=facts.resumable, of=facts.of, best=_best_text(facts))


def _counted(facts: TrainingFacts) -> str:
    text = _("Step {step} of {of}") if facts.of else _("Step {step}")
    return text.format(step=facts.step, of=facts.of)


def _best_text(facts: TrainingFacts) -> str:
    if facts.best is None:
        return ""
    step, loss = facts.best
    return _(", best check {loss} at {step}").format(loss=f"{loss:.3g}", step=step)


def _speed_text(speed: float) -> str:
    return f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}" if speed >= 0.1 else f"{speed:.2g}"
