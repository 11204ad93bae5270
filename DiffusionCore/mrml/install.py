"""Bring torch and the other packages into Slicer: at the press of a button and after asking, never on import."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import slicer

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml.fixes import Fix, FixAction

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
_TORCH = ">=2.3"  # the first torch that works with the numpy 2 of Slicer
_PYTORCH = "PyTorch"

Tell = Callable[[str, int, int], None]
"""Is told what is being installed now: its name, which of how many."""


class InstallError(DiffusionCoreError):
    """A package could not be installed.

    Attributes:
        fix: where the user gets further than by trying again; None if nowhere.
    """

    def __init__(self, text: str, fix: Fix | None = None) -> None:
        super().__init__(text)
        self.fix = fix


def missing_packages() -> list[str]:
    """Return the names of the packages that are to be installed, PyTorch first; nothing is imported."""
    names = [_PYTORCH] if importlib.util.find_spec("torch") is None else []
    return names + [_name(line) for line in _absent(_requirements())]


def installed_versions() -> dict[str, str]:
    """Return the version of each package that is needed, by its name; "" for one that is missing."""
    return {name: _version(name) for name in ("torch", *map(_name, _requirements()))}


def ensure_packages(
    requester: str,
    *,
    also: Sequence[str] = (),
    tell: Tell = lambda name, number, of: None,
    translate: Callable[[str], str] = str,
) -> None:
    """Make torch and the packages of requirements.txt importable; ``requester`` is the module that asks for them.

    Args:
        requester: what the user is told needs them.
        also: further packages, which only some of its work needs.
        tell: see Tell.
        translate: from the question before the installation to that in the language of the user.

    Raises:
        InstallError: something is missing still, because it could not be installed or the user declined.
    """
    torch = [_PYTORCH] if importlib.util.find_spec("torch") is None else []
    missing = _absent([*_requirements(), *also])
    of = len(torch) + len(missing)
    for name in torch:
        tell(name, 1, of)
        _install_torch()
    names = ", ".join(map(_name, missing))
    question = translate("{module} needs {packages}. Install them now?").format(module=requester, packages=names)
    if not missing or not slicer.util.confirmOkCancelDisplay(question):
        missing = []
    for number, requirement in enumerate(missing, start=len(torch) + 1):
        tell(_name(requirement), number, of)
        _install(requirement, requester)
    importlib.invalidate_caches()
    if absent := _absent([*_requirements(), *also]):
        raise InstallError(f"{requester} cannot run without {', '.join(map(_name, absent))}.")


def _install_torch() -> None:
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError as missing:
        raise InstallError(
            "PyTorch is missing, and so is the extension that installs it. Install the extension PyTorch in the "
            "Extensions Manager, restart Slicer, and try again.",
            Fix(FixAction.OPEN_EXTENSIONS),
        ) from missing
    if PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=_TORCH) is None:
        raise InstallError(
            "PyTorch is not installed. Check the connection, or install it in the module PyTorch Utils.",
            Fix(FixAction.OPEN_MODULE, "PyTorchUtils"),
        )


def _install(requirement: str, requester: str) -> None:
    try:
        if importlib.util.find_spec("slicer.packaging") is not None:
            ensure = importlib.import_module("slicer.packaging").pip_ensure
            ensure([requirement], requester=requester, prompt_install=False)
        else:  # Slicer 5.10
            slicer.util.pip_install([requirement])
    except Exception as error:  # pip and its dialogs fail in many ways, all of them outside of our hands
        raise InstallError(f"{_name(requirement)} could not be installed: {error}") from error


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
