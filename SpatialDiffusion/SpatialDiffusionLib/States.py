"""What the panel shows in every situation: from facts to button, lines and icons, without a widget."""

from dataclasses import dataclass, replace
from enum import Enum

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.lines import Icon
from DiffusionCore.mrml.panels.states import End, Line, Phase, stop_button
from DiffusionCore.mrml.panels.words import duration_text
from DiffusionCore.mrml.tables import digits

from .Words import phaseText


class Link(Enum):
    """What the link in the status line leads to."""

    NONE = "none"
    SAMPLE = "sample"
    LAST_STEP = "last"
    DETAILS = "details"


@dataclass(frozen=True)
class Facts:
    """All that the appearance depends on. Steps are counted from 1.

    Attributes:
        phase: what is going on.
        anyVolume: there is a volume in the scene.
        problem: why Register is not possible; empty if it is.
        training: a sentence about the training under way; empty if there is none.
        estimate: what a registration of this pair would take.
        activity: what is being done, where no step says it.
        step, of: the newest step and how many there will be.
        stepPhase: what made it.
        secondsLeft: None if nobody knows.
        resumedFrom: the step that the run under way started from.
        landmarks: how many pairs guide it.
        stopSeconds: how long ago Stop was pressed.
        end: how the last run ended.
        failure, hasDetails: why, if it failed, and whether the log tells more.
        gpuWasFull: it failed because the memory of the GPU was too small.
        caution: what the user must be told about its result; empty if nothing.
        seconds: how long it took.
        similarity: before and after.
        folding: percent of the voxels; None if it was not measured.
        shown, last: the step that the transform holds, and the last one that there is; None without steps.
        canUndo: there is something to undo.
    """

    phase: Phase = Phase.IDLE
    anyVolume: bool = True
    problem: str = ""
    training: str = ""
    estimate: str = ""
    activity: str = ""
    step: int | None = None
    of: int | None = None
    stepPhase: str = ""
    secondsLeft: float | None = None
    resumedFrom: int | None = None
    landmarks: int = 0
    stopSeconds: float = 0.0
    end: End = End.NONE
    failure: str = ""
    hasDetails: bool = False
    gpuWasFull: bool = False
    caution: str = ""
    seconds: float = 0.0
    similarity: tuple[float, float] | None = None
    folding: float | None = None
    shown: int | None = None
    last: int | None = None
    canUndo: bool = False

    @property
    def busy(self) -> bool:
        return self.phase is not Phase.IDLE

    def replaced(self, **changes) -> "Facts":
        return replace(self, **changes)

    @property
    def older(self) -> bool:
        """Whether another step than the last one is shown."""
        return self.shown is not None and self.shown != self.last


@dataclass(frozen=True)
class Appearance:
    """What the widgets show.

    Attributes:
        button, buttonEnabled, buttonTip: of Register, Stop, Force stop.
        undo, inputs: enabled.
        resume: enabled; ``resumeText`` names the step.
        bar: value and maximum, (0, 0) for busy; None hides it.
        status, icon: the status line.
        link: what its link leads to, under the text ``linkText``.
        steps: there are steps to browse.
    """

    button: str
    buttonEnabled: bool
    buttonTip: str
    undo: bool
    resume: bool
    resumeText: str
    inputs: bool
    bar: tuple[int, int] | None
    status: str
    icon: Icon = Icon.NONE
    link: Link = Link.NONE
    linkText: str = ""
    steps: bool = False


def appearance(facts: Facts) -> Appearance:
    """Return what the panel shows when ``facts`` hold."""
    line = _statusLine(facts)
    text, enabled, tip = _button(facts)
    ready = not facts.busy
    return Appearance(
        button=text,
        buttonEnabled=enabled,
        buttonTip=tip,
        undo=ready and facts.canUndo,
        resume=ready and facts.shown is not None and not facts.problem,
        resumeText=_("Resume from step {step}").format(step=facts.shown) if facts.shown else _("Resume"),
        inputs=ready,
        bar=_bar(facts),
        status=line.text,
        icon=line.icon,
        link=line.link or Link.NONE,
        linkText=line.link_text,
        steps=facts.last is not None,
    )


def _button(facts: Facts) -> tuple[str, bool, str]:
    stop = _("Stop after the current step and keep what is there.")
    force = _("End the computation at once. The steps so far stay.")
    start = _("Start. The views follow every step; you can stop at any time.")
    busy = stop_button(facts.phase, facts.stopSeconds, stop=stop, force=force)
    return busy or (_("Register"), not facts.problem, facts.problem or start)


def _bar(facts: Facts) -> tuple[int, int] | None:
    if not facts.busy:
        return None
    if facts.phase is Phase.RUNNING and facts.step is not None and facts.of:
        return min(facts.step, facts.of), facts.of
    return 0, 0


def _statusLine(facts: Facts) -> Line:
    match facts.phase:
        case Phase.INSTALLING:
            return Line(facts.activity or _("Installing PyTorch. This is needed once."))
        case Phase.STARTING:
            return Line(facts.activity or _("Reading the volumes..."))
        case Phase.RUNNING:
            return Line(_runningText(facts))
        case Phase.STOPPING:
            return Line(_("Stopping after this step..."))
    return _idleLine(facts)


def _runningText(facts: Facts) -> str:
    if facts.step is None or facts.activity:
        return facts.activity or _("Starting...")
    parts = [] if facts.resumedFrom is None else [_resumedText(facts)]
    counted = _("step {step} of {of}") if facts.of else _("step {step}")
    parts.append(counted.format(step=facts.step, of=facts.of))
    parts.append(phaseText(facts.stepPhase))
    if facts.secondsLeft is not None:
        parts.append(_("{time} left").format(time=duration_text(facts.secondsLeft)))
    text = ", ".join(part for part in parts if part)
    return text[:1].upper() + text[1:]


def _resumedText(facts: Facts) -> str:
    if not facts.landmarks:
        return _("Resumed from step {step}").format(step=facts.resumedFrom)
    text = _("Resumed from step {step} with {count} landmark pairs")
    return text.format(step=facts.resumedFrom, count=facts.landmarks)


def _idleLine(facts: Facts) -> Line:
    if facts.end is End.FAILED and facts.failure:
        if facts.hasDetails:
            return Line(facts.failure, Icon.ERROR, Link.DETAILS, _("Details"))
        return Line(facts.failure, Icon.WARNING)
    if facts.older and facts.end is not End.STOPPED:
        text = _("The transform holds step {step} of {last}.").format(step=facts.shown, last=facts.last)
        return Line(text, Icon.WARNING, Link.LAST_STEP, _("Go to the last"))
    if facts.end is End.STOPPED:
        return _cautious(_stoppedLine(facts), facts)
    if facts.end is End.FINISHED:
        return _cautious(Line(_doneText(facts)), facts)
    return _readyLine(facts)


def _cautious(line: Line, facts: Facts) -> Line:
    """Return ``line`` with the caution about the result, if there is one."""
    return replace(line, text=f"{line.text} {facts.caution}", icon=Icon.WARNING) if facts.caution else line


def _stoppedLine(facts: Facts) -> Line:
    if facts.step is None:
        return Line(_("Stopped before the first step; nothing was changed."))
    counted = _("Stopped at step {step} of {of}.") if facts.of else _("Stopped at step {step}.")
    text = counted.format(step=facts.step, of=facts.of)
    holds = _("The transform holds step {step}.").format(step=facts.shown or facts.step)
    if facts.older:
        return Line(f"{text} {holds}", Icon.WARNING, Link.LAST_STEP, _("Go to the last"))
    return Line(f"{text} {holds}")


def _doneText(facts: Facts) -> str:
    sentences = [_("Done in {time}.").format(time=duration_text(facts.seconds))]
    if facts.similarity is not None:
        before, after = (digits(value) for value in facts.similarity)
        measured = _("Similarity {before} to {after}").format(before=before, after=after)
        if facts.folding is not None:
            folding = _("folding {percent} %").format(percent=digits(facts.folding))
            measured += ", " + (folding if facts.folding > 0 else _("no folding"))
        sentences.append(measured + ".")
    return " ".join(sentences)


def _readyLine(facts: Facts) -> Line:
    if not facts.anyVolume:
        text = _("Load two volumes to start, or")
        return Line(text, Icon.NONE, Link.SAMPLE, _("try the sample pair"))
    said = (facts.problem,) if facts.problem else (_("Ready."), facts.estimate)
    return Line(" ".join(filter(None, (*said, facts.training))))
