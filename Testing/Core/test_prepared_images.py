"""What was prepared for a training is kept by content and settings; what is wrong with it costs only time."""

import numpy as np
import pytest
from image_world import ball, write_balls

from DiffusionCore.checks import DiffusionCoreError
from DiffusionCore.space import Volume
from DiffusionCore.storage.volumes import write_volume
from DiffusionCore.training.cases import Case
from DiffusionCore.training.image_folder import ImageFolder
from DiffusionCore.training.prepared import prepared


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SPATIALDIFFUSION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def make():
    """Return a function that counts how often it was asked, as its attribute ``made``."""

    def make():
        make.made += 1
        return {"values": np.arange(6.0).reshape(2, 3)}

    make.made = 0
    return make


def ask(path, make, **settings):
    np.testing.assert_array_equal(prepared([path], settings, make)["values"], np.arange(6.0).reshape(2, 3))
    return make.made


def test_it_is_made_once_for_the_same_content_and_settings(tmp_path, cache, make):
    path, copy = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"content")
    copy.write_bytes(b"content")
    assert ask(path, make, spacing=2.0) == ask(path, make, spacing=2.0) == ask(copy, make, spacing=2.0) == 1
    assert ask(path, make, spacing=3.0) == 2
    path.write_bytes(b"changed")
    assert ask(path, make, spacing=2.0) == 3
    assert len(list(cache.iterdir())) == 3


def test_a_damaged_entry_is_made_again(tmp_path, cache, make):
    path = tmp_path / "a"
    path.write_bytes(b"content")
    ask(path, make)
    [entry] = cache.iterdir()
    whole = entry.read_bytes()
    for damaged in (b"", whole[:40], b"\x80\x04pickle"):
        entry.write_bytes(damaged)
        before = make.made
        assert ask(path, make) == before + 1
    assert ask(path, make) == make.made


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch, make):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SPATIALDIFFUSION_CACHE", str(tmp_path / "file"))
    (tmp_path / "a").write_bytes(b"content")
    assert [ask(tmp_path / "a", make), ask(tmp_path / "a", make)] == [1, 2]


def test_a_folder_of_images_is_the_same_from_the_cache_and_no_image_is_read_again(tmp_path, cache, monkeypatch):
    folder = write_balls(tmp_path / "images")
    (folder / "broken.nii.gz").write_bytes(b"no image")
    first = ImageFolder.read(folder, spacing=8.0)
    read = Case.read

    def refuse(case):
        if case.name != "broken":
            raise AssertionError(case)
        return read(case)

    monkeypatch.setattr(Case, "read", refuse)
    again = ImageFolder.read(folder, spacing=8.0)
    assert again.frame == first.frame
    assert again.names == first.names == ("ball_0", "ball_1", "ball_2")
    assert (again.images == first.images).all()
    assert (again.labels == first.labels).all()


def test_a_changed_label_map_changes_what_is_prepared(tmp_path, cache):
    folder = write_balls(tmp_path / "images")
    before = ImageFolder.read(folder, spacing=8.0)
    labels = ball(0)[1]
    labels.values[labels.values == 3] = 5
    write_volume(folder / "ball_0_seg.nii.gz", labels)
    after = ImageFolder.read(folder, spacing=8.0)
    assert (before.frame.labels, after.frame.labels) == ((0, 3, 40), (0, 3, 5, 40))


def test_what_cannot_be_prepared_says_why(tmp_path, cache):
    case = Case(tmp_path / "missing.nii.gz")
    with pytest.raises(DiffusionCoreError, match=r"missing.nii.gz"):
        prepared(case.files, {}, case.read)


def test_hot_voxels_hardly_change_how_the_images_are_normalized(tmp_path, cache):
    image, _ = ball(0)
    frames = {}
    for hot in (0, 10_000):
        values = image.values.copy()
        values[13, 14, 8:20] += hot  # twelve voxels within the ball
        (tmp_path / str(hot)).mkdir()
        write_volume(tmp_path / str(hot) / "ball.nii.gz", Volume(values, image.grid))
        frames[hot] = ImageFolder.read(tmp_path / str(hot), spacing=4.0).frame
    plain, spoiled = (frames[hot].intensities for hot in (0, 10_000))
    assert frames[0].size == frames[10_000].size
    assert spoiled.mean == pytest.approx(plain.mean, rel=0.02)
    assert spoiled.deviation == pytest.approx(plain.deviation, rel=0.05)
