"""What a run says at its end, in one or two sentences."""

from __future__ import annotations

from collections.abc import Sequence

from DiffusionCore.jobs.events import FOLDING, OVERLAP, SIMILARITY, Measure
from DiffusionCore.mrml.step_items import KeptStep
from DiffusionCore.mrml.tables import digits


def done(seconds: float, measures: Sequence[Measure]) -> str:
    """Return "Done in 18 s. Similarity 0.52 to 0.83, no folding.", as far as that is known."""
    parts = [f"{m.name} {digits(m.before)} to {digits(m.after)}" for m in measures if _compares(m)]
    folding = next((m.after for m in measures if m.name == FOLDING and m.after is not None), None)
    if folding is not None:
        parts.append("no folding" if folding == 0 else f"folding {folding:.2g} %")
    text = ", ".join(parts)
    return f"Done in {duration(seconds)}. {text[:1].upper()}{text[1:]}." if text else f"Done in {duration(seconds)}."


def stopped(last: int, of: int | None, *, complete: bool = True) -> str:
    """Return what is said after a stop; ``last`` is the index of the last step.

    Not ``complete``: the computation had to be ended before it could make the moved volume.
    """
    text = f"Stopped at step {last + 1}" + (f" of {of}." if of is not None else ".")
    return text if complete else f"{text} The moved volume was not written."


def kept(message: str, history: Sequence[KeptStep], *, in_sequence: bool) -> str:
    """Return ``message`` with what became of the steps that a failed run had made, unless it says so."""
    first, last = history[0].number, history[-1].number
    if "kept" in message:
        return message
    if not in_sequence:
        return f"{message} The transform holds step {last}."
    return f"{message} Step {last} is kept." if first == last else f"{message} Steps {first}-{last} are kept."


def duration(seconds: float) -> str:
    """Return a time as people say it: 0.8 s, 18 s, 3 min 5 s, 1 h 10 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _compares(measure: Measure) -> bool:
    return measure.name in (SIMILARITY, OVERLAP) and measure.before is not None and measure.after is not None
