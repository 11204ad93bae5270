"""Bring torch and the other packages into Slicer: at the press of a button and after asking, never on import."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

import slicer

from DiffusionCore.checks import DiffusionCoreError

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"
_TORCH = ">=2.3"  # the first torch that works with the numpy 2 of Slicer


def ensure_packages(requester: str) -> None:
    """Make torch and the packages of requirements.txt importable; ``requester`` is the module that asks for them.

    Raises:
        DiffusionCoreError: something is missing still, because it could not be installed or the user declined.
    """
    _ensure_torch()
    _ensure_requirements(requester)


def _ensure_torch() -> None:
    try:
        import torch  # noqa: F401
    except ImportError as missing:
        try:
            from PyTorchUtils import PyTorchUtilsLogic
        except ImportError:
            raise DiffusionCoreError(
                "PyTorch is missing, and so is the extension that installs it. Install the extension PyTorch in the "
                f"Extensions Manager, restart Slicer, and try again. ({missing})"
            ) from missing
        if PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=_TORCH) is None:
            raise DiffusionCoreError(
                "PyTorch is not installed. Check the connection, or install it in the module PyTorch Utils."
            ) from missing


def _ensure_requirements(requester: str) -> None:
    requirements = [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line[:1] not in ("#", "")]
    missing = [line for line in requirements if importlib.util.find_spec(line.partition(">=")[0]) is None]
    if not missing:
        return
    try:
        if importlib.util.find_spec("slicer.packaging") is not None:
            slicer.packaging.pip_ensure(missing, requester=requester)
        else:  # Slicer 5.10
            question = f"{requester} needs {', '.join(missing)}. Install them now?"
            if slicer.util.confirmOkCancelDisplay(question):
                slicer.util.pip_install(missing)
    except Exception as error:  # pip and its dialogs fail in many ways, all of them outside of our hands
        raise DiffusionCoreError(f"{', '.join(missing)} could not be installed: {error}") from error
    importlib.invalidate_caches()
    absent = [line for line in missing if importlib.util.find_spec(line.partition(">=")[0]) is None]
    if absent:
        raise DiffusionCoreError(f"{requester} cannot run without {', '.join(absent)}.")
