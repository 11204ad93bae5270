"""The files of the Slicer modules, read without Slicer: what they import, say and name in their forms."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = ("SpatialDiffusion", "DeformationSynthesis")
SHARED = ROOT / "DiffusionCore" / "mrml" / "panels"  # what their panels are made of
SPEAKING = sorted(SHARED.rglob("*.py"))  # to the user, so only in the application
FILES = [*(path for module in MODULES for path in sorted((ROOT / module).rglob("*.py"))), *SPEAKING]
OF_SLICER = {"slicer", "qt", "ctk", "vtk"}
HEAVY = {"torch", "monai", "numba", "SimpleITK", "nibabel", "scipy", "nilearn", "matplotlib"}
NODES = {
    "vtkMRMLScalarVolumeNode",
    "vtkMRMLLabelMapVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLTransformNode",
    "vtkMRMLLinearTransformNode",
    "vtkMRMLMarkupsFiducialNode",
    "vtkMRMLMarkupsLineNode",
}
LONGEST_SHELL = 120
# calls whose text is read by the user, and the argument that holds it
SHOWN = {"setText", "setToolTip", "say", "delayDisplay", "warningDisplay", "errorDisplay", "showStatusMessage"}
SHOWN_FIELDS = {"title", "helpText", "acknowledgementText"}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def file_scope_imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in tree.body:
        for part in ast.walk(node) if not isinstance(node, ast.FunctionDef | ast.ClassDef) else ():
            if isinstance(part, ast.Import):
                found |= {alias.name for alias in part.names}
            elif isinstance(part, ast.ImportFrom) and part.level == 0:
                found.add(part.module)
    return found


def literal_texts(node: ast.expr) -> list[str]:
    """Return the texts in an expression that do not pass through a translation."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "translate"):
        return []
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and re.search(r"[^\W\d_]", node.value) else []
    parts = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return [text for part in parts for text in literal_texts(part)]


def form_of(module: str) -> ElementTree.Element:
    return ElementTree.parse(ROOT / module / "Resources" / "UI" / f"{module}.ui").getroot()


def parts_of(module: str) -> list[Path]:
    """Return the files that the panel of ``module`` is made of: its own, and the shared ones that these import."""
    files = [*sorted((ROOT / module / f"{module}Lib").glob("*.py")), ROOT / "DiffusionCore" / "mrml" / "panel.py"]
    for path in files:  # which grows
        imported = (ROOT / f"{name.replace('.', '/')}.py" for name in file_scope_imports(tree_of(path)))
        files += [part for part in imported if SHARED in part.parents and part not in files]
    return files


def forms_of(module: str) -> list[ElementTree.Element]:
    """Return the forms of the panel of ``module``; a shared one lies beside the files that fill it."""
    folders = {ROOT / module / "Resources" / "UI", *(path.parent for path in parts_of(module))}
    return [ElementTree.parse(path).getroot() for folder in sorted(folders) for path in sorted(folder.glob("*.ui"))]


def properties(widget: ElementTree.Element) -> dict[str, str]:
    return {p.get("name", ""): "".join(p.itertext()).strip() for p in widget.findall("property")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_that_slicer_does_not_bring_is_imported_at_file_scope(path):
    own = {f"{module}Lib" for module in MODULES} | {"DiffusionCore"}
    imports = {name.split(".")[0] for name in file_scope_imports(tree_of(path))}
    assert imports <= own | OF_SLICER | set(sys.stdlib_module_names)


def test_what_modules_import_from_the_package_at_file_scope_is_light():
    imports = {name for path in FILES for name in file_scope_imports(tree_of(path)) if name.startswith("DiffusionCore")}
    imports -= {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in SPEAKING}
    assert len(imports) >= 3
    code = f"import sys, {', '.join(sorted(imports))}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & HEAVY


@pytest.mark.parametrize("module", MODULES)
def test_a_module_file_is_a_short_shell_with_the_classes_that_slicer_looks_for(module):
    path = ROOT / module / f"{module}.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_SHELL
    classes = {node.name for node in tree_of(path).body if isinstance(node, ast.ClassDef)}
    assert classes == {module, f"{module}Widget", f"{module}Logic", f"{module}Test"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_text_for_the_user_passes_through_translation(path):
    bare = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SHOWN:
            bare += [text for argument in node.args for text in literal_texts(argument)]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            bare += literal_texts(node.value) if node.targets[0].attr in SHOWN_FIELDS else []
    assert bare == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_translated_texts_are_literals_that_a_tool_can_extract(path):
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            assert isinstance(node.args[0], ast.Constant), f"line {node.lineno}"


@pytest.mark.parametrize("module", MODULES)
def test_every_widget_that_the_panel_uses_is_in_its_forms(module):
    used = {
        name for path in parts_of(module) for name in re.findall(r"\b_?ui\.(\w+)", path.read_text(encoding="utf-8"))
    }
    names = [w.get("name") for form in forms_of(module) for w in form.iter("widget") if w.get("name")]
    assert len(used) >= 2
    assert used <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("module", MODULES)
def test_every_parameter_is_bound_to_one_widget_or_used_by_the_code_and_none_is_invented(module):
    parameters = ROOT / module / f"{module}Lib" / "Parameters.py"
    (wrapped,) = [node for node in tree_of(parameters).body if isinstance(node, ast.ClassDef)]
    fields = {node.target.id for node in wrapped.body if isinstance(node, ast.AnnAssign)}
    widgets = [widget for form in forms_of(module) for widget in form.iter("widget")]
    bound = [name for widget in widgets if (name := properties(widget).get("SlicerParameterName"))]
    assert len(bound) == len(set(bound))
    assert set(bound) <= fields
    code = "".join(path.read_text(encoding="utf-8") for path in parts_of(module) if path != parameters)
    assert {name for name in fields - set(bound) if not re.search(rf"\.{name}\b|\"{name}\"", code)} == set()


@pytest.mark.parametrize("module", MODULES)
def test_every_selector_knows_its_scene_and_its_nodes(module):
    form = form_of(module)
    connected = {c.findtext("receiver") for c in form.iter("connection") if c.findtext("sender") == module}
    selectors = [widget for widget in form.iter("widget") if widget.get("class") == "qMRMLNodeComboBox"]
    assert {widget.get("name") for widget in selectors} <= connected
    for widget in selectors:
        values = properties(widget)
        types = {
            text for element in widget.find("property[@name='nodeTypes']").iter() if (text := element.text.strip())
        }
        assert types <= NODES
        assert types
        assert values["noneDisplay"]
        name = widget.get("name", "")
        is_made_here = name.startswith(("output", "direction")) or "Landmarks" in name
        assert (values["addEnabled"], values["removeEnabled"]) == (("true",) * 2 if is_made_here else ("false",) * 2)
