"""What the core says reaches the user through the translation: the table holds all of it, and nothing else."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import slicer
from clicking import choose, click
from nodes_of_panel import add_ball, add_image

from DiffusionCore.jobs.events import OVERLAP
from DiffusionCore.mrml.curves import words

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    "DiffusionCore/mrml/*.py",
    "DiffusionCore/jobs/*.py",
    "DiffusionCore/cautions.py",
    "DiffusionCore/synthesis/collection.py",
    "DiffusionCore/synthesis/export.py",
    "DiffusionCore/synthesis/inputs.py",
    "DiffusionCore/synthesis/stored_case.py",
    "DiffusionCore/deformable/pipeline.py",
    "SpatialDiffusion/SpatialDiffusionLib/Logic.py",
    "DeformationSynthesis/DeformationSynthesisLib/Logic.py",
)
TABLE = ROOT / "DiffusionCore" / "mrml" / "texts.py"
METRICS = ("similarity", "overlap", "local_correlation", "self_similarity")  # of a step, each a curve
OF_PROGRAMMERS = {"ValueError", "TypeError", "MessageError"}  # their texts are for whoever writes a program
# what the panel says in its own words, what goes into the log, or into the description of a node
OWN = (
    "Done in ",
    "Stopped at step",
    "Stopped before",
    "The moved volume was not written",
    "The scene was closed",
    "The process ended",
    "Where repeated",
)


def literals(path):
    """Yield the texts in a file, with "{}" for each of their values."""
    tree, skipped = ast.parse(path.read_text(encoding="utf-8")), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            skipped.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            skipped.update(node.values)
        elif isinstance(node, ast.Raise) and getattr(getattr(node.exc, "func", None), "id", "") in OF_PROGRAMMERS:
            skipped.update(ast.walk(node.exc))
    for node in set(ast.walk(tree)) - skipped:
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def spoken():
    """Return all of them that hold words. What comes before a text that begins with a value may be another text."""
    found = [text for place in PLACES for path in ROOT.glob(place) if path != TABLE for text in literals(path)]
    return {text.removeprefix("{} ").strip() for text in found if re.search(r"[A-Za-z]{4}", text)}


def is_sentence(text):
    return " " in text and text.endswith(".") and not text.startswith(OWN) and not text.startswith("of {}")


def matches(text, known):
    return re.fullmatch("(?:.* )?" + re.escape(text).replace(r"\{\}", ".*"), known)


@pytest.fixture
def texts(app):
    return importlib.import_module("DiffusionCore.mrml.texts")


@pytest.fixture
def foreign(texts, monkeypatch):
    """Let the application speak a language in which every text of the core stands between angle quotes."""
    own = slicer.app.translate

    def translate(_app, context, text):
        return f"«{text}»" if context == "mrml.texts" else own(context, text)

    monkeypatch.setattr(type(slicer.app), "translate", translate)
    texts._translations.cache_clear()
    texts.core_text.cache_clear()
    yield
    texts._translations.cache_clear()
    texts.core_text.cache_clear()


def test_every_sentence_of_the_core_is_in_the_table(texts):
    sentences = {text for text in spoken() if is_sentence(text)}
    assert len(sentences) > 50
    assert [text for text in sentences if not any(matches(text, known) for known in texts.TEXTS)] == []


def test_every_curve_has_a_name_in_the_table(texts):
    assert {words(metric) for metric in METRICS} <= set(texts.TEXTS)


def test_the_table_holds_nothing_that_nobody_says(texts):
    found = spoken() | {f"{OVERLAP} of {{}}", *map(words, METRICS)}  # which are put together of other words
    assert [known for known in texts.TEXTS if not any(matches(text, known) for text in found)] == []


def test_values_stay_and_sentences_are_looked_up_one_by_one(texts, foreign):
    assert texts.core_text("Stopped: the moving volume was removed.") == "«Stopped: the «moving volume» was removed.»"
    told = texts.core_text(
        "The disk is full. Free some space in the folder for temporary files and try again. Step 3 is kept."
    )
    assert told.count("«") == 2
    assert told.endswith(" «Step 3 is kept.»")
    unknown = "Another program says what it likes."
    assert texts.core_text(unknown) == unknown
    assert texts.core_text("Overlap of left lung") == "«Overlap of left lung»"


def test_longer_texts_win_over_those_that_they_begin_like(texts, foreign):
    told = texts.core_text("The computation ended unexpectedly after step 6 (memory ran out?). Steps 1-6 are kept.")
    assert told == "«The computation ended unexpectedly after step 6 (memory ran out?).» «Steps 1-6 are kept.»"
    told = texts.core_text("Moving volume is empty: every voxel is invalid (NaN).")
    assert told == "««Moving volume» is empty: every voxel is invalid (NaN).»"


def test_in_english_every_text_is_itself(texts):
    assert [text for text in texts.TEXTS if "{" not in text and texts.core_text(text) != text] == []


def test_the_panel_says_it_in_the_language_of_the_user(foreign, desk, scene):
    import qt

    add_ball(scene, "fixed")
    add_image("moving", np.zeros((8, 9, 10), np.float32))
    choose(desk.ui.fixedVolumeSelector, "fixed")
    assert desk.status == "«Select a moving volume.»"
    choose(desk.ui.movingVolumeSelector, "moving")
    assert desk.ui.noteLabel.text == "««Moving volume» is empty: every voxel is 0.»"
    add_ball(scene, "other")
    choose(desk.ui.movingVolumeSelector, "other")
    desk.use("crashing", how="gpu memory", count=2)
    click(desk.ui.registerButton)
    assert desk.status in ("«Reading the volumes...»", "«Starting...»")  # on a slow machine the click takes longer
    desk.wait_for_end()
    assert desk.status.startswith("«The GPU ran out of memory.")
    assert "«Steps 1-2 are kept.»" in desk.status
    assert desk.ui.noteButton.text == "Use CPU"
    desk.register()
    model = desk.ui.measuresTable.model()
    assert model.headerData(0, qt.Qt.Horizontal) == "«Measure»"
    assert model.data(model.index(0, 0)) == "«Similarity»"


def test_the_panel_of_deformations_says_it_in_the_language_of_the_user(foreign, panel_of, scene):
    panel = panel_of("DeformationSynthesis").self().panel
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    assert panel.ui.statusLabel.text == "«Select a volume.»"
    choose(panel.ui.volumeSelector, "nothing")
    assert panel.ui.noteLabel.text == "««Volume» holds no image. Load it again, or choose another one.»"
