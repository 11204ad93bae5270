"""What the panel shows in every situation: from facts to buttons, lines and icons, without a widget."""

from dataclasses import dataclass, replace
from enum import Enum

from slicer.i18n import tr as _

from DiffusionCore.mrml.panels.lines import Icon
from DiffusionCore.mrml.panels.states import End, Line, Phase, stop_button
from DiffusionCore.mrml.panels.words import duration_text


class Task(Enum):
    """What is being done, or was done last."""

    NONE = "none"
    PREVIEW = "preview"
    GENERATE = "generate"
    REDRAW = "redraw"
    EXPORT = "export"


class Link(Enum):
    """What the link in the status line leads to."""

    NONE = "none"
    SAMPLE = "sample"
    CLEAR = "clear"
    UNDO = "undo"
    DETAILS = "details"
    FOLDER = "folder"


@dataclass(frozen=True)
class Facts:
    """All that the appearance depends on.

    Attributes:
        phase: what is going on.
        task: which task that is, or was.
        anyVolume: there is a volume in the scene, or a folder is asked for.
        problem: why no variant can be made; empty if one can.
        exportProblem: the same for the export.
        training: a sentence about the training under way; empty if there is none.
        activity: what is being done, where no number says it.
        done, of: of the task.
        secondsLeft: None if nobody knows.
        stopSeconds: how long ago Stop was pressed.
        end: how the last task ended.
        failure, hasDetails: why, if it failed, and whether the log tells more.
        caution: what is missing; empty if nothing.
        seconds: how long it took.
        refusedDraws: draws that failed a check, in the last task.
        count: how many variants Generate makes.
        rows, kept: variants that there are, and those that are kept.
        cleared: variants that Undo would bring back.
        exported: the folder that the last export wrote to; empty for the scene.
    """

    phase: Phase = Phase.IDLE
    task: Task = Task.NONE
    anyVolume: bool = True
    problem: str = ""
    exportProblem: str = ""
    training: str = ""
    activity: str = ""
    done: int = 0
    of: int = 0
    secondsLeft: float | None = None
    stopSeconds: float = 0.0
    end: End = End.NONE
    failure: str = ""
    hasDetails: bool = False
    caution: str = ""
    seconds: float = 0.0
    refusedDraws: int = 0
    count: int = 1
    rows: int = 0
    kept: int = 0
    cleared: int = 0
    exported: str = ""

    @property
    def busy(self) -> bool:
        return self.phase is not Phase.IDLE

    def replaced(self, **changes) -> "Facts":
        return replace(self, **changes)

    @property
    def rejected(self) -> int:
        return self.rows - self.kept


@dataclass(frozen=True)
class Appearance:
    """What the widgets show.

    Attributes:
        generate, generateEnabled, generateTip: of Generate, Stop, Force stop.
        preview, inputs, redraw: enabled.
        export, exportEnabled, exportTip: of Export.
        bar: value and maximum, (0, 0) for busy; None hides it.
        status, icon: the status line.
        link: what its link leads to, under the text ``linkText``.
        verdicts: the line below the table.
    """

    generate: str
    generateEnabled: bool
    generateTip: str
    preview: bool
    inputs: bool
    redraw: bool
    export: str
    exportEnabled: bool
    exportTip: str
    bar: tuple[int, int] | None
    status: str
    icon: Icon
    link: Link
    linkText: str
    verdicts: str


def appearance(facts: Facts) -> Appearance:
    """Return what the panel shows when ``facts`` hold."""
    generate, enabled, tip = _generateButton(facts)
    line = _statusLine(facts)
    ready = not facts.busy
    return Appearance(
        generate=generate,
        generateEnabled=enabled,
        generateTip=tip,
        preview=ready and not facts.problem,
        inputs=ready,
        redraw=ready and facts.rejected > 0 and not facts.problem,
        export=_exportText(facts),
        exportEnabled=ready and facts.kept > 0 and not facts.exportProblem,
        exportTip=_exportTip(facts),
        bar=_bar(facts),
        status=line.text,
        icon=line.icon,
        link=line.link or Link.NONE,
        linkText=line.link_text,
        verdicts=_verdicts(facts),
    )


def _generateButton(facts: Facts) -> tuple[str, bool, str]:
    stop = _("Stop after what is being made; what is finished stays.")
    force = _("End the computation at once. What is finished stays.")
    start = _("Start. Each variant can be looked at as soon as it is finished; you can stop at any time.")
    busy = stop_button(facts.phase, facts.stopSeconds, stop=stop, force=force)
    return busy or (_generateText(facts), not facts.problem, facts.problem or start)


def _generateText(facts: Facts) -> str:
    if facts.rows:
        return _("Generate {count} more").format(count=facts.count)
    if facts.count == 1:
        return _("Generate 1 variant")
    return _("Generate {count} variants").format(count=facts.count)


def _exportText(facts: Facts) -> str:
    if facts.kept == 1:
        return _("Export 1 kept variant")
    return _("Export {count} kept variants").format(count=facts.kept) if facts.kept else _("Export kept variants")


def _exportTip(facts: Facts) -> str:
    if not facts.kept:
        return _("Nothing kept.")
    return facts.exportProblem or _("Writes kept variants; files that exist are never overwritten.")


def _bar(facts: Facts) -> tuple[int, int] | None:
    if not facts.busy:
        return None
    known = facts.phase is Phase.RUNNING and facts.of > 1 and not facts.activity
    return (facts.done, facts.of) if known else (0, 0)


def _statusLine(facts: Facts) -> Line:
    match facts.phase:
        case Phase.INSTALLING:
            return Line(facts.activity)
        case Phase.STARTING:
            return Line(facts.activity or _("Starting..."))
        case Phase.RUNNING:
            return Line(_runningText(facts))
        case Phase.STOPPING:
            return Line(_("Stopping..."))
    return _idleLine(facts)


def _runningText(facts: Facts) -> str:
    if facts.activity:
        return facts.activity
    templates = {
        Task.EXPORT: _("Writing {number} of {of}"),
        Task.PREVIEW: _("Making the preview"),
    }
    text = templates.get(facts.task, _("Variant {number} of {of}"))
    text = text.format(number=min(facts.done + 1, facts.of), of=facts.of)
    if facts.secondsLeft is None:
        return text
    return text + ", " + _("{time} left").format(time=duration_text(facts.secondsLeft))


def _idleLine(facts: Facts) -> Line:
    if facts.end is End.FAILED:
        if facts.hasDetails:
            return Line(facts.failure, Icon.ERROR, Link.DETAILS, _("Details"))
        return Line(facts.failure, Icon.WARNING)
    if facts.cleared:
        text = _("Cleared {count} variants.").format(count=facts.cleared)
        return Line(text, Icon.NONE, Link.UNDO, _("Undo"))
    if facts.end is not End.NONE:
        return _endLine(facts)
    return _readyLine(facts)


def _endLine(facts: Facts) -> Line:
    stopped = facts.end is End.STOPPED
    if facts.task is Task.EXPORT:
        if not facts.exported:
            return Line(_("Added {count} variants to the scene.").format(count=facts.done))
        template = _("Stopped: {count} cases are in {place}.") if stopped else _("Wrote {count} cases to {place}.")
        text = template.format(count=facts.done, place=facts.exported)
        return Line(text, Icon.NONE, Link.FOLDER, _("Open folder"))
    if facts.task is Task.PREVIEW:
        return Line(_("Stopped.") if stopped else _("This is how a variant looks. It is not kept."))
    template = _("Stopped after {count} of {of} variants.") if stopped else _("Made {count} variants in {time}.")
    time = duration_text(facts.seconds)
    parts = [template.format(count=facts.done, of=facts.of, time=time)]
    if facts.refusedDraws:
        parts.append(_("{count} draws failed a check and were made again.").format(count=facts.refusedDraws))
    icon = Icon.NONE
    if facts.caution:
        parts.append(facts.caution)
        icon = Icon.WARNING
    return Line(" ".join(parts), icon, Link.CLEAR, _("Clear"))


def _readyLine(facts: Facts) -> Line:
    if not facts.anyVolume:
        return Line(_("Load a volume and a segmentation to start, or"), Icon.NONE, Link.SAMPLE, _("try the sample"))
    ready = _("Ready. There are {count} variants.").format(count=facts.rows) if facts.rows else _("Ready.")
    text = " ".join(filter(None, (facts.problem or ready, facts.training)))
    if facts.rows and not facts.problem:
        return Line(text, Icon.NONE, Link.CLEAR, _("Clear"))
    return Line(text)


def _verdicts(facts: Facts) -> str:
    if not facts.rows:
        return _("This is a preview; it is not kept.")
    return _("{kept} kept, {rejected} rejected").format(kept=facts.kept, rejected=facts.rejected)
