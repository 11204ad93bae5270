"""Sample data that modules register, from the application's own module SampleData."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer
from slicer_api_host import application, modules

application.start()
import SampleData  # noqa: E402

LOGIC = SampleData.SampleDataLogic
MODULE = """
import slicer
from slicer.ScriptedLoadableModule import *

class {name}(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = "Brings a sample"
        slicer.app.connect("startupCompleted()", register)

def register():
    import SampleData
    if hasattr(SampleData.SampleDataLogic, "registerCustomSampleDataCategory"):
        SampleData.SampleDataLogic.registerCustomSampleDataCategory("Brought", "Brought along")
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="Brought", sampleName="Ball", uris="https://example.org/ball.nrrd", fileNames="ball.nrrd",
        nodeNames="ball", thumbnailFileName="", loadFileType="VolumeFile", checksums="SHA256:00")
"""


@pytest.fixture(autouse=True)
def sources(scene, monkeypatch):
    """Start with no source, whatever other tests registered."""
    for name in ("sampleDataSources", "sampleDataSourceCategories"):
        monkeypatch.setattr(slicer.modules, name, {}, raising=False)


@pytest.fixture
def file(scene, tmp_path):
    """Give the file of a small volume, under a name that is in no cache."""
    node = slicer.util.addVolumeFromArray(np.arange(60, dtype=np.float32).reshape(3, 4, 5), name="written")
    path = tmp_path / f"{tmp_path.parent.name}-{tmp_path.name}.nrrd"
    assert slicer.util.saveNode(node, str(path))
    scene.Clear(False)
    return path


def checksum(path):
    return f"SHA256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def test_a_module_registers_its_sample_when_the_application_has_started(tmp_path):
    path = tmp_path / "Bringer.py"
    path.write_text(MODULE.format(name="Bringer"), encoding="utf-8")
    modules.load_module(path)
    slicer.app.startupCompleted.emit()
    slicer.app.startupCompleted.emit()
    (source,) = LOGIC.sampleDataSourcesByCategory("Brought")
    assert source.loadFileTypes == ["VolumeFile"]
    assert LOGIC.categoryTitle("Brought") == "Brought along"
    assert LOGIC().sourceForSampleName("Ball") is source
    assert LOGIC.isSampleDataSourceRegistered("Brought", source)
    slicer.app.disconnect("startupCompleted()", sys.modules["Bringer"].register)
    modules.unload_module("Bringer")


def test_a_sample_is_asked_for_by_its_name(scene, file):
    LOGIC.registerCustomSampleDataSource(
        "Tests", "Ramp", file.as_uri(), file.name, "ramp", checksums=checksum(file), loadFileType="VolumeFile"
    )
    node = SampleData.downloadSample("Ramp")
    assert (node.GetName(), node.GetScene()) == ("ramp", scene)
    assert slicer.util.arrayFromVolume(node).shape == (3, 4, 5)
    assert node.GetStorageNode() is None
    assert (Path(scene.GetCacheManager().GetRemoteCacheDirectory()) / file.name).is_file()
    assert SampleData.downloadSamples("Nothing") == []


def test_a_pair_is_one_sample(file):
    uris, names = [file.as_uri()] * 2, [f"1{file.name}", f"2{file.name}"]
    LOGIC.registerCustomSampleDataSource("Tests", "Pair", uris, names, ["fixed", "moving"])
    assert [node.GetName() for node in SampleData.downloadSamples("Pair")] == ["fixed", "moving"]


def test_a_file_that_is_not_to_be_loaded_is_a_path(file):
    LOGIC.registerCustomSampleDataSource("Tests", "File", file.as_uri(), file.name, loadFiles=False)
    (path,) = SampleData.downloadSamples("File")
    assert Path(path).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("wrong", ["checksum", "address", "type"])
def test_a_sample_that_cannot_be_had_is_left_out_and_logged(file, caplog, wrong):
    uri = (file if wrong != "address" else file.with_name("absent")).as_uri()
    kind = "VolumeFile" if wrong != "type" else "ModelFile"
    digest = "SHA256:" + 64 * "0" if wrong == "checksum" else None
    LOGIC.registerCustomSampleDataSource("Tests", "Wrong", uri, file.name, "x", loadFileTypes=kind, checksums=digest)
    assert SampleData.downloadSamples("Wrong") == []
    assert "ERROR" in {record.levelname for record in caplog.records}
    with pytest.raises(IndexError):
        SampleData.downloadSample("Wrong")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({}, TypeError),
        ({"uris": ["a", "b"], "fileNames": ["a"], "nodeNames": ["a", "b"]}, ValueError),
        ({"uris": "a", "loadFileType": "VolumeFile", "loadFileTypes": "VolumeFile"}, ValueError),
    ],
)
def test_a_source_that_slicer_refuses_is_refused(wrong, error):
    with pytest.raises(error):
        LOGIC.registerCustomSampleDataSource(sampleName="Wrong", **wrong)
    assert LOGIC.sampleDataSourcesByCategory("Custom") == []


def test_the_panel_has_a_button_for_every_sample(file, qt):
    made = []
    LOGIC.registerCustomSampleDataSource("Tests", "Made", "made:", "made", "made", customDownloader=made.append)
    LOGIC.registerCustomSampleDataSource("Tests", "Read", file.as_uri(), file.name, "read")
    panel = slicer.modules.sampledata.createNewWidgetRepresentation()
    named = {button.name: button for button in panel.findChildren(qt.QAbstractButton)}
    named["MadePushButton"].click()
    named["ReadPushButton"].click()
    assert [source.sampleName for source in made] == ["Made"]
    assert slicer.util.getNode("read") is not None
