"""Numbers as people say them."""

from __future__ import annotations

from slicer.i18n import tr as _


def duration_text(seconds: float) -> str:
    """Return ``seconds`` with the precision that somebody who waits needs: "9 s", "2 min", "1 h 20 min"."""
    if seconds < 90:
        return _("{seconds} s").format(seconds=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 60:
        return _("{minutes} min").format(minutes=minutes)
    return _("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)


def memory_text(megabytes: float) -> str:
    """Return an amount of memory: "640 MB", "1.4 GB"."""
    if megabytes < 1000:
        return _("{megabytes} MB").format(megabytes=max(10, 10 * round(megabytes / 10)))
    return _("{gigabytes} GB").format(gigabytes=f"{megabytes / 1000:.1f}")


def installing_text(name: str, number: int, of: int) -> str:
    """Return what is said while the package ``name`` is being installed, which is one of several or the only one."""
    if of == 1:
        return _("Installing {name}. This is needed once.").format(name=name)
    text = _("Installing {name} ({number} of {of}). This is needed once.")
    return text.format(name=name, number=number, of=of)
