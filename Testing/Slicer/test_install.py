"""Installing packages in Slicer: asked for once, and a refusal is a message."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import slicer

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.mrml import install


@pytest.fixture
def absent(monkeypatch):
    """Hide packages; give the set of their names, from which an installation takes them out."""
    names = {"nibabel"}
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in names else find_spec(name))
    return names


def offer_packaging(monkeypatch, pip_ensure):
    packaging = ModuleType("slicer.packaging")
    packaging.pip_ensure = pip_ensure
    packaging.__spec__ = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    monkeypatch.setattr(slicer, "packaging", packaging, raising=False)


def test_nothing_is_asked_when_everything_is_there(monkeypatch):
    offer_packaging(monkeypatch, lambda *_, **__: pytest.fail("asked for nothing"))
    install.ensure_packages("SpatialDiffusion")


def test_only_what_is_missing_is_installed(monkeypatch, absent):
    asked = []

    def pip_ensure(requirements, *, requester):
        asked.append((requirements, requester))
        absent.clear()

    offer_packaging(monkeypatch, pip_ensure)
    install.ensure_packages("SpatialDiffusion")
    assert asked == [(["nibabel>=5.2"], "SpatialDiffusion")]


def test_a_declined_installation_is_a_message(monkeypatch, absent):
    def pip_ensure(*_, **__):
        raise RuntimeError("the user declined")

    offer_packaging(monkeypatch, pip_ensure)
    with pytest.raises(DiffusionCoreError, match=r"nibabel.*declined"):
        install.ensure_packages("SpatialDiffusion")


def test_an_older_slicer_asks_before_it_installs(monkeypatch, absent):
    asked = []
    absent.add("slicer.packaging")
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: asked.append(text) or False)
    with pytest.raises(DiffusionCoreError, match="cannot run without nibabel"):
        install.ensure_packages("SpatialDiffusion")
    assert "nibabel" in asked[0]


def test_torch_without_the_extension_that_installs_it_names_the_extension(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(DiffusionCoreError, match="extension PyTorch"):
        install.ensure_packages("SpatialDiffusion")


@pytest.mark.parametrize(("torch_module", "outcome"), [(object(), "installed"), (None, "not installed")])
def test_torch_comes_from_the_pytorch_extension(monkeypatch, torch_module, outcome):
    class PyTorchUtilsLogic:
        def installTorch(self, *, askConfirmation, torchVersionRequirement):  # noqa: N802, N803
            assert askConfirmation
            assert torchVersionRequirement == ">=2.3"
            return torch_module

    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic))
    if outcome == "installed":
        install.ensure_packages("SpatialDiffusion")
    else:
        with pytest.raises(DiffusionCoreError, match="not installed"):
            install.ensure_packages("SpatialDiffusion")


def test_the_versions_are_told_without_loading_anything():
    listing = (
        "import sys; from DiffusionCore.mrml.install import installed_versions, missing_packages; "
        "assert missing_packages() == []; assert installed_versions()['torch'][0].isdigit(); "
        "sys.exit(bool({'torch', 'nibabel', 'safetensors'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", listing], check=True, cwd=Path(__file__).parents[2])


def test_what_is_missing_is_said_in_words(absent):
    assert install.missing_packages() == ["nibabel"]
    absent.add("torch")
    assert install.missing_packages() == ["PyTorch", "nibabel"]
