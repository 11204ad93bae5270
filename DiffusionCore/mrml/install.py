"""Bring torch and the other packages into Slicer: at the press of a button and after asking, never on import."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import slicer

from DiffusionCore.checks import DiffusionCoreError

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
_TORCH = ">=2.3"  # the first torch that works with the numpy 2 of Slicer


def missing_packages() -> list[str]:
    """Return the names of the packages that are to be installed, PyTorch first; nothing is imported."""
    names = ["PyTorch"] if importlib.util.find_spec("torch") is None else []
    return names + [_name(line) for line in _absent(_requirements())]


def installed_versions() -> dict[str, str]:
    """Return the version of each package that is needed, by its name; "" for one that is missing."""
    return {name: _version(name) for name in ("torch", *map(_name, _requirements()))}


def ensure_packages(requester: str, *, also: Sequence[str] = ()) -> None:
    """Make torch and the packages of requirements.txt importable; ``requester`` is the module that asks for them.

    ``also`` names further packages, which only some of its work needs.

    Raises:
        DiffusionCoreError: something is missing still, because it could not be installed or the user declined.
    """
    _ensure_torch()
    _ensure_requirements(requester, also)


def _ensure_torch() -> None:
    if importlib.util.find_spec("torch") is not None:
        return
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError as missing:
        raise DiffusionCoreError(
            "PyTorch is missing, and so is the extension that installs it. Install the extension PyTorch in the "
            "Extensions Manager, restart Slicer, and try again."
        ) from missing
    if PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=_TORCH) is None:
        raise DiffusionCoreError(
            "PyTorch is not installed. Check the connection, or install it in the module PyTorch Utils."
        )


def _ensure_requirements(requester: str, also: Sequence[str]) -> None:
    missing = _absent([*_requirements(), *also])
    if not missing:
        return
    try:
        if importlib.util.find_spec("slicer.packaging") is not None:
            importlib.import_module("slicer.packaging").pip_ensure(missing, requester=requester)
        else:  # Slicer 5.10
            question = f"{requester} needs {', '.join(missing)}. Install them now?"
            if slicer.util.confirmOkCancelDisplay(question):
                slicer.util.pip_install(missing)
    except Exception as error:  # pip and its dialogs fail in many ways, all of them outside of our hands
        raise DiffusionCoreError(f"{', '.join(missing)} could not be installed: {error}") from error
    importlib.invalidate_caches()
    if absent := _absent(missing):
        raise DiffusionCoreError(f"{requester} cannot run without {', '.join(absent)}.")


def _requirements() -> list[str]:
    return [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line[:1] not in ("#", "")]


def _absent(requirements: list[str]) -> list[str]:
    return [line for line in requirements if importlib.util.find_spec(_name(line)) is None]


def _name(requirement: str) -> str:
    return re.split(r"[<>=!~\s\[;]", requirement)[0]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
