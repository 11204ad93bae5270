"""Arrays that pass through files: whole, in order, one slab at a time, and never beyond what the disk has."""

import errno
import os
import threading
import tracemalloc

import numpy as np
import pytest
from full_disk import full_disk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from job_world import LONG, image, job

from DiffusionCore.checks import ConfigError
from DiffusionCore.jobs.job_files import needed_bytes, read_job, write_job
from DiffusionCore.jobs.sharing import (
    JOB,
    Slots,
    array_path,
    empty_like,
    make_folder,
    reading,
    remove_folder,
    reserve,
    writing,
)

kinds = st.sampled_from([np.int16, ">i4", np.float32, np.float64, np.bool_, np.uint8])
layouts = st.sampled_from([lambda a: a, lambda a: a.T, lambda a: a[::-1], lambda a: np.asfortranarray(a)])


@pytest.fixture
def folder(tmp_path):
    made = make_folder(0, tmp_path)
    yield made
    remove_folder(made)
    assert not list(tmp_path.iterdir())


def reference(array):
    return {"dtype": array.dtype.str, "shape": list(array.shape)}


@given(st.data())
def test_an_array_of_any_type_and_layout_arrives_as_it_was(tmp_path_factory, data):
    shape = data.draw(arrays.array_shapes(min_dims=3, max_dims=4, max_side=6))
    array = data.draw(layouts)(data.draw(arrays.arrays(data.draw(kinds), shape)))
    path = tmp_path_factory.mktemp("arrays") / "one"
    assert sum(1 for _ in writing(path, array)) >= 1
    found = empty_like(reference(array))
    for _ in reading(path, found):
        pass
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


def test_large_arrays_go_in_many_small_steps_and_need_no_second_copy(folder):
    array = np.random.default_rng(0).integers(0, 255, (64, 512, 512), dtype=np.uint8)
    found = empty_like(reference(array))
    tracemalloc.start()
    written = sum(1 for _ in writing(folder / "big.array", array))
    read = sum(1 for _ in reading(folder / "big.array", found))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert min(written, read) >= array.nbytes / 2**21
    assert peak < array.nbytes / 4
    np.testing.assert_array_equal(found, array)


def test_a_file_that_is_gone_or_too_short_is_an_error_and_no_crash(folder):
    with pytest.raises(OSError, match="nothing"):
        list(reading(folder / "nothing.array", np.empty(9)))
    (folder / "short.array").write_bytes(b"12")
    with pytest.raises(ValueError, match="length"):
        list(reading(folder / "short.array", np.empty(9)))


def test_a_field_is_not_overwritten_before_it_is_given_back(folder):
    slots, placed = Slots(folder, most=2), []

    def write():
        for number in range(3):
            placed.append(slots.place(np.full((4, 5, 6, 3), number, np.float32)))

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    writer.join(0.3)
    assert writer.is_alive()
    assert len(placed) == 2
    for number, where in enumerate(placed):
        found = np.empty((4, 5, 6, 3), np.float32)
        list(reading(array_path(folder, where["file"]), found))
        assert (found == number).all()
    slots.give_back(placed[1]["slot"])
    writer.join(LONG)
    assert placed[2] == placed[1]
    list(reading(array_path(folder, placed[2]["file"]), found))
    assert (found == 2).all()


def test_slots_grow_with_the_fields_and_are_used_again_for_small_ones(folder):
    slots, names = Slots(folder, most=1), []
    for side in (4, 9, 3):
        field = np.random.default_rng(side).normal(size=(3, side, side + 1, 5)).astype(np.float32)
        where = slots.place(np.moveaxis(field, 0, -1))
        found = np.empty((side, side + 1, 5, 3), np.float32)
        list(reading(array_path(folder, where["file"]), found))
        np.testing.assert_array_equal(found, np.moveaxis(field, 0, -1))
        slots.give_back(where["slot"])
        names.append(where["file"])
    assert names[0] != names[1] == names[2]
    assert len(list(folder.iterdir())) == 1


def test_few_slots_are_made_for_very_large_fields(folder):
    slots = Slots(folder, most=4, large=1000)
    for _ in range(2):
        slots.place(np.zeros((9, 9, 9, 3), np.float32))
    third = threading.Thread(target=slots.place, args=(np.zeros((9, 9, 9, 3), np.float32),), daemon=True)
    third.start()
    third.join(0.2)
    assert third.is_alive()
    slots.give_back(0)
    third.join(LONG)


def test_a_full_disk_is_an_error_for_whoever_writes(folder):
    field = np.zeros((32, 32, 32, 3), np.float32)
    with full_disk(100_000):
        with pytest.raises(OSError, match="File too large"):
            Slots(folder).place(field)
        with pytest.raises(OSError, match="File too large"):
            list(writing(folder / "one.array", field))


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_that_cannot_reserve_is_filled_instead(folder, monkeypatch, number):
    def refuse(*_):
        raise OSError(number, "not here")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    reserve(folder / "one.array", 3_000_001)
    assert (folder / "one.array").stat().st_blocks * 512 >= 3_000_001
    assert (folder / "one.array").stat().st_size == 3_000_001


def test_a_job_is_written_bit_by_bit_and_read_without_being_copied(folder):
    asked = job("shifts", {"count": 2, "spacing": (1, 2)}, fixed_labels=image(seed=3), want_moved=True)
    assert sum(1 for _ in write_job(asked, folder)) == 4
    found = read_job(folder)
    np.testing.assert_array_equal(found.fixed.values, asked.fixed.values)
    np.testing.assert_array_equal(found.fixed_labels.values, asked.fixed_labels.values)
    assert found.moving.grid == asked.moving.grid
    assert found.moving_labels is None
    assert found.settings == {"count": 2, "spacing": [1, 2]}
    assert found.want_moved
    found.fixed.values[:] = 0  # private: the file keeps what it has
    assert read_job(folder).fixed.values.any()


def test_settings_that_are_not_plain_are_refused_with_a_sentence(folder):
    with pytest.raises(ConfigError, match="plain numbers and text"):
        next(write_job(job("shifts", {"what": object()}), folder))
    assert not (folder / JOB).exists()


def test_the_need_for_room_grows_with_the_images():
    small, large = (needed_bytes(job("shifts", fixed=image((n, n, n)))) for n in (10, 20))
    assert 12 * 20**3 < large < 50 * 12 * 20**3
    assert small < large


def test_a_folder_keeps_what_somebody_else_has_put_there(tmp_path):
    made = make_folder(0, tmp_path)
    (made / "thesis.txt").write_text("all of it")
    (made / "input-0.array").write_bytes(b"1")
    remove_folder(made)
    assert [file.name for file in made.iterdir()] == ["thesis.txt"]
    assert made.stat().st_mode & 0o077 == 0
