"""What the extension catalogue and the packager of Slicer need to find."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("SpatialDiffusion", "DeformationSynthesis")
sys.path.insert(0, str(ROOT / "Testing"))
from list_sources import FOLDERS, SUFFIXES, files_listed, files_on_disk  # noqa: E402

CMAKE_TEXT = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")


def metadata(name: str) -> str:
    found = re.findall(rf'^set\({name} "([^"\n]*)"\)$', CMAKE_TEXT, re.MULTILINE)
    assert len(found) == 1, f"{name} must be set once, on one line"
    return found[0]


def png_size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n", f"{path} is not a png"
    return struct.unpack(">II", head[16:24])


@pytest.mark.parametrize("kind", SUFFIXES)
@pytest.mark.parametrize("folder", FOLDERS)
def test_cmake_lists_exactly_the_files_on_disk(folder, kind):
    message = "the list is old; refresh it with: python3 Testing/list_sources.py"
    assert files_listed(folder, kind) == files_on_disk(folder, kind), message


def test_every_file_of_the_package_has_a_suffix_that_is_packaged():
    known = {suffix for suffixes in SUFFIXES.values() for suffix in suffixes}
    files = [p for f in FOLDERS for p in (ROOT / f).rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert [str(p.relative_to(ROOT)) for p in files if p.suffix not in known] == []


@pytest.mark.parametrize("name", ["HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"])
def test_metadata_stands_on_one_line_without_variables(name):
    value = metadata(f"EXTENSION_{name}")
    assert "${" not in value
    assert value or name == "SCREENSHOTURLS"


def test_urls_of_the_metadata_end_in_a_picture_suffix():
    urls = [metadata("EXTENSION_ICONURL"), *metadata("EXTENSION_SCREENSHOTURLS").split()]
    assert [url for url in urls if not re.fullmatch(r"https://\S+\.(png|jpe?g|gif)", url)] == []


def test_the_catalogue_entry_agrees_with_cmake():
    entry_path = ROOT / "Documentation" / "ExtensionsIndex" / "SpatialDiffusion.json"
    entry = json.loads(entry_path.read_text(encoding="utf-8"))
    first_project = re.search(r"project\((\w+)", CMAKE_TEXT)
    assert first_project is not None
    assert first_project.group(1) == entry_path.stem
    assert entry["build_dependencies"] == metadata("EXTENSION_DEPENDS").split()
    allowed = {"$schema", "category", "scm_url", "scm_revision", "build_dependencies", "build_subdirectory", "tier"}
    assert set(entry) <= allowed
    assert entry["scm_url"].removesuffix(".git") == metadata("EXTENSION_HOMEPAGE")


def test_the_icon_of_the_extension_is_a_png_of_128_pixels():
    assert metadata("EXTENSION_ICONURL").endswith("/SpatialDiffusion.png")
    assert png_size(ROOT / "SpatialDiffusion.png") == (128, 128)


@pytest.mark.parametrize("module", MODULES)
def test_each_module_has_a_square_icon_of_its_name(module):
    width, height = png_size(ROOT / module / "Resources" / "Icons" / f"{module}.png")
    assert width == height >= 64


def test_file_names_are_unique_across_the_modules_because_they_share_one_folder():
    names = Counter(name for module in MODULES for kind in SUFFIXES for name in files_listed(module, kind))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_python_file_lies_at_the_top_where_slicer_would_take_it_for_a_module():
    assert [p.name for p in ROOT.glob("*.py")] == []
    assert not (ROOT / "Testing" / "__init__.py").exists()


def test_slicer_is_not_asked_to_install_what_it_brings_or_torch():
    text = (ROOT / "DiffusionCore" / "requirements.txt").read_text(encoding="utf-8")
    names = {re.split(r"[<>=\s]", line)[0].lower() for line in text.splitlines() if line and not line.startswith("#")}
    assert names
    assert not names & {"torch", "torchvision", "numpy", "scipy", "simpleitk", "vtk", "requests"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Configure and install the extension against the stand-in; return the folder the modules land in."""
    folder = tmp_path_factory.mktemp("extension")
    beside = Path(sys.executable).parent / "cmake"
    cmake = str(beside) if beside.exists() else shutil.which("cmake")
    assert cmake, "cmake is missing: pip install cmake"
    settings = {"Slicer_DIR": ROOT / "Testing" / "StandIn", "BUILD_TESTING": "ON", "CMAKE_MAKE_PROGRAM": "/bin/true"}
    for language in ("C", "CXX"):  # there is nothing to compile, so no compiler is asked for
        settings |= {f"CMAKE_{language}_COMPILER": "/bin/true", f"CMAKE_{language}_COMPILER_FORCED": "ON"}
    configure = [cmake, "-G", "Unix Makefiles", "-S", str(ROOT), "-B", str(folder / "build")]
    configure += [f"-D{name}={value}" for name, value in settings.items()]
    install = [cmake, "--install", str(folder / "build"), "--prefix", str(folder / "installed")]
    for command in (configure, install):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "installed" / "lib" / "Slicer-5.10" / "qt-scripted-modules"


def test_the_installed_tree_is_the_source_tree(installed):
    expected = {f"DiffusionCore/{name}" for kind in SUFFIXES for name in files_listed("DiffusionCore", kind)}
    expected |= {name for module in MODULES for kind in SUFFIXES for name in files_listed(module, kind)}
    assert {p.relative_to(installed).as_posix() for p in installed.rglob("*") if p.is_file()} == expected


def test_the_installed_package_imports_in_a_fresh_interpreter_without_anything_heavy(installed):
    code = (
        "import sys; import DiffusionCore; "
        "heavy = sorted({'torch', 'numpy', 'SimpleITK', 'numba', 'monai', 'slicer', 'vtk'} & set(sys.modules)); "
        "assert not heavy, heavy; print(DiffusionCore.__file__)"
    )
    run = [sys.executable, "-S", "-c", code]  # -S: no site-packages, so only the installed tree can answer
    done = subprocess.run(run, capture_output=True, text=True, cwd=installed, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == installed / "DiffusionCore" / "__init__.py"


def test_every_module_of_the_installed_package_imports(installed):
    """All but mrml, which needs a scene, and the kernels of Triton where there is none."""
    left_out = ("mrml/",) if importlib.util.find_spec("triton") else ("mrml/", "kernels/cuda", "kernels/gpu")
    names = [
        ".".join(["DiffusionCore", *Path(name).with_suffix("").parts]).removesuffix(".__init__")
        for name in files_listed("DiffusionCore", "scripts")
        if not name.startswith(left_out) and Path(name).name != "__main__.py"
    ]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=installed, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_a_module_file_compiles_where_it_is_installed(installed, module):
    ast.parse((installed / f"{module}.py").read_text(encoding="utf-8"))
