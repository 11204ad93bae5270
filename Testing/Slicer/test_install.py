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
from DiffusionCore.mrml.fixes import FixAction


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
    asked, installed, told = [], [], []
    absent.add("tqdm")

    def pip_ensure(requirements, *, requester, prompt_install):
        installed.append((requirements, requester, prompt_install))
        absent.discard(requirements[0].partition(">")[0])

    offer_packaging(monkeypatch, pip_ensure)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: asked.append(text) or True)
    install.ensure_packages("SpatialDiffusion", tell=lambda *what: told.append(what))
    assert asked == ["SpatialDiffusion needs nibabel, tqdm. Install them now?"]
    assert installed == [([line], "SpatialDiffusion", False) for line in ("nibabel>=5.2", "tqdm>=4.66")]
    assert told == [("nibabel", 1, 2), ("tqdm", 2, 2)]


def test_an_installation_that_fails_is_a_message(monkeypatch, absent):
    def pip_ensure(*_, **__):
        raise RuntimeError("no connection")

    offer_packaging(monkeypatch, pip_ensure)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: True)
    with pytest.raises(install.InstallError, match=r"nibabel.*no connection") as caught:
        install.ensure_packages("SpatialDiffusion")
    assert caught.value.fix is None


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
    with pytest.raises(install.InstallError, match="extension PyTorch") as caught:
        install.ensure_packages("SpatialDiffusion")
    assert caught.value.fix.action is FixAction.OPEN_EXTENSIONS


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
        with pytest.raises(install.InstallError, match="not installed") as caught:
            install.ensure_packages("SpatialDiffusion")
        assert (caught.value.fix.action, caught.value.fix.target) == (FixAction.OPEN_MODULE, "PyTorchUtils")


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
