"""The house: imports never climb, Slicer has one door, and the front door opens without anything heavy."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import DiffusionCore

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "DiffusionCore").rglob("*.py"))
FLOORS = [
    ["checks", "config", "loading", "threads", "kernels"],
    ["space", "interpolation", "networks"],
    ["transforms"],
    ["diffusion", "storage", "losses", "metrics"],
    ["build", "models", "model_files", "affine", "deformable", "deformation", "images"],
    [
        "registration",
        "training",
        "jobs",
        "mrml",
        "synthesis",
        "generation",
        "sample",
        "report",
        "film_strip",
        "uncertainty",
        "cautions",
    ],
]
ROOF = len(FLOORS)  # __main__, commands, and whatever is not named above
HEAVY = ["torch", "monai", "numba", "triton", "SimpleITK", "nibabel", "scipy", "vtk", "slicer"]


def room(module):
    """Return the part of the package below DiffusionCore that ``module`` belongs to."""
    return [*module.split("."), ""][1]


def floor(name):
    return next((number for number, rooms in enumerate(FLOORS) if name in rooms), ROOF)


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path):
    """Return the modules that ``path`` imports, at file scope or within a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "DiffusionCore" else {module}
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_never_climb(path):
    own = room(name_of(path))
    if not own:
        return
    for module in imports(path):
        if module.split(".")[0] == "DiffusionCore" and (other := room(module)) not in ("", own, "__version__"):
            assert floor(other) <= floor(own), f"{name_of(path)} on floor {floor(own)} imports {module}"


@pytest.mark.parametrize("path", [p for p in FILES if floor(room(name_of(p))) == 1], ids=name_of)
def test_neighbors_on_the_first_floor_do_not_know_each_other(path):
    own = room(name_of(path))
    assert not {room(m) for m in imports(path) if m.startswith("DiffusionCore.")} & (set(FLOORS[1]) - {own})


@pytest.mark.parametrize("path", [p for p in FILES if room(name_of(p)) != "mrml"], ids=name_of)
def test_slicer_has_one_door(path):
    assert not {m.split(".")[0] for m in imports(path)} & {"slicer", "qt", "ctk", "vtk", "vtkmodules"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_one_file_speaks_of_align_corners(path):
    assert ("align_corners" in path.read_text()) == (name_of(path) == "DiffusionCore.interpolation.pull")


def loaded_after(statement):
    listing = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", listing], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_front_door_opens_without_anything_heavy():
    loaded = loaded_after("import DiffusionCore, DiffusionCore.checks, DiffusionCore.config, DiffusionCore.space")
    assert "DiffusionCore" in loaded
    assert not loaded & set(HEAVY)


def test_runners_and_what_they_report_need_numpy_alone():
    loaded = loaded_after("import DiffusionCore.jobs.process, DiffusionCore.jobs.in_process, DiffusionCore.jobs.worker")
    assert "numpy" in loaded
    assert not loaded & set(HEAVY)


def test_every_public_name_resolves_to_what_it_names():
    for name in set(dir(DiffusionCore)) - {"__version__"}:
        assert getattr(DiffusionCore, name).__name__ == name
    assert DiffusionCore.register is importlib.import_module("DiffusionCore.registration").register
    with pytest.raises(AttributeError, match=r"'registr'.*register"):
        DiffusionCore.registr  # noqa: B018


def test_asking_for_a_name_brings_no_more_than_its_module():
    loaded = loaded_after("from DiffusionCore import DiffusionCoreError, Grid, Volume, list_models")
    assert not loaded & set(HEAVY)
    loaded = loaded_after("from DiffusionCore import Affine, resample")
    assert "torch" in loaded
    assert not loaded & {"SimpleITK", "nibabel"}


def test_the_transforms_need_torch_alone():
    loaded = loaded_after("import DiffusionCore.transforms, DiffusionCore.metrics")
    assert "torch" in loaded
    assert not loaded & {"monai", "numba", "triton", "SimpleITK", "nibabel", "vtk", "slicer"}
