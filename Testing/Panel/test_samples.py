"""The sample pair in Sample Data: made by another Python, taken from the cache the second time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import slicer


def samples_module():
    from DiffusionCore.mrml.panels import samples  # there is no Slicer before the host has started

    return samples


@pytest.fixture
def sample_files(library, scene, tmp_path, monkeypatch):
    cache = scene.GetCacheManager()
    former = cache.GetRemoteCacheDirectory()
    cache.SetRemoteCacheDirectory(str(tmp_path))
    yield library("SampleFiles")
    cache.SetRemoteCacheDirectory(former)


def test_the_pair_is_listed_in_sample_data_and_its_button_loads_it(desk, sample_files):
    from SampleData import SampleDataLogic

    sample_files.registerSampleData()
    sample_files.registerSampleData()
    (source,) = SampleDataLogic.sampleDataSourcesByCategory("SpatialDiffusion")
    assert source.customDownloader is sample_files.loadSample
    assert Path(source.thumbnailFileName).is_file()


def test_the_pair_is_made_once_and_can_be_registered(sample_files, scene, monkeypatch):
    nodes = sample_files.loadSample()
    assert [node.GetName() for node in nodes] == ["Sample brain, T1", "Sample brain, turned, T2"]
    assert min(node.GetImageData().GetScalarRange()[1] for node in nodes) > 100
    monkeypatch.setattr(samples_module(), "_make", lambda *_: pytest.fail("made again"))
    assert len(sample_files.loadSample()) == 2


def test_what_prevents_it_is_said(sample_files, monkeypatch, tmp_path):
    said = []
    monkeypatch.setattr(slicer.util, "errorDisplay", lambda text, *_, **__: said.append(text))
    monkeypatch.setattr(samples_module(), "_CODE", "import sys; sys.exit('The sample needs the package nilearn.')")
    assert sample_files.loadSample() == []
    assert said == ["The sample could not be made: The sample needs the package nilearn."]


def test_it_is_no_problem_if_sample_data_is_not_there(sample_files, monkeypatch):
    monkeypatch.setitem(sys.modules, "SampleData", None)
    sample_files.registerSampleData()


def test_the_link_of_the_empty_panel_leads_to_sample_data(desk, monkeypatch):
    selected = []
    monkeypatch.setattr(slicer.util, "selectModule", selected.append)
    desk.click_link()
    assert selected == ["SampleData"]


def test_the_labeled_case_has_named_segments_and_can_be_deformed(sample_files, panel_of, scene):
    panel = panel_of("DeformationSynthesis").self().panel
    from DeformationSynthesisLib.SampleFiles import loadSample

    volume, segmentation = loadSample()
    segments = segmentation.GetSegmentation()
    names = [segments.GetNthSegment(number).GetName() for number in range(segments.GetNumberOfSegments())]
    assert names == ["left gray matter", "right gray matter", "left white matter", "right white matter", "fluid"]
    panel.parameters.inputVolume, panel.parameters.inputSegmentation = volume, segmentation
    assert panel.ui.statusLabel.toolTip == "Ready."
