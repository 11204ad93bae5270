"""Messages between the worker and who started it: what goes in comes out, in whatever pieces, whatever is between."""

import contextlib
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from strategies import grids, seeds

from DiffusionCore.jobs.events import Failed, Finished, Log, Measure, Progress, Started, StepMade
from DiffusionCore.jobs.messages import Lines, MessageError, decode, decode_event, encode, parse, references
from DiffusionCore.jobs.specification import RegistrationJob, ResumePoint
from DiffusionCore.space import Volume
from DiffusionCore.space.plain import Field, Matrix

names = st.text(max_size=20)
numbers = st.floats(allow_nan=True, allow_infinity=True)
metrics = st.dictionaries(names, numbers, max_size=4)
types = st.sampled_from([np.int16, np.uint8, np.float32, np.float64, np.bool_, ">i2", ">f4", np.complex64, np.float16])
matrices = st.builds(Matrix, arrays.arrays(np.float64, (4, 4), elements=st.floats(-1e300, 1e300)))


@st.composite
def volumes(draw):
    grid, generator = draw(grids(smallest=1)), np.random.default_rng(draw(seeds))
    return Volume(generator.integers(0, 2, grid.shape).astype(draw(types)), grid)


@st.composite
def displacements(draw):
    grid, generator = draw(grids(smallest=1)), np.random.default_rng(draw(seeds))
    return Field(np.moveaxis(generator.normal(size=(3, *grid.shape)), 0, -1), grid)


transforms = st.one_of(matrices, displacements())
optional = st.none() | volumes()
measures = st.lists(st.builds(Measure, names, names, st.none() | numbers, numbers), max_size=3).map(tuple)
moved = st.none() | volumes().map(lambda volume: volume.values)
events = st.one_of(
    st.builds(Started, names),
    st.builds(Progress, names),
    st.builds(Log, names),
    st.builds(StepMade, st.integers(0, 99), st.none() | st.integers(1, 99), names, numbers, transforms, metrics),
    st.builds(Finished, st.booleans(), metrics, measures, moved, moved, optional),
    st.builds(Failed, names, names, st.none() | st.integers(0, 99)),
)
leaves = st.none() | st.booleans() | st.integers() | names
plain = st.recursive(leaves, lambda one: st.lists(one) | st.dictionaries(names, one), max_leaves=6)
jobs = st.builds(
    RegistrationJob,
    volumes(),
    volumes(),
    fixed_labels=optional,
    settings=st.dictionaries(names, plain, max_size=4),
    initial=st.none() | matrices,
    resume=st.none() | st.builds(ResumePoint, st.integers(0, 99), names, numbers, transforms),
    samples=st.integers(1, 9),
    want_moved=st.booleans(),
)


def assert_same(first, second):
    assert type(first) is type(second)
    if is_dataclass(first):
        for field in fields(first):
            assert_same(getattr(first, field.name), getattr(second, field.name))
    elif isinstance(first, np.ndarray):
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)
    elif isinstance(first, dict):
        assert list(first) == list(second)
        assert_same(tuple(first.values()), tuple(second.values()))
    elif isinstance(first, list | tuple):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    else:
        assert first == second or (first != first and second != second)


class Shelf:
    """Where large arrays lie between being written and read."""

    def __init__(self):
        self.arrays = {}

    def place(self, array):
        name = f"array-{len(self.arrays)}"
        self.arrays[name] = array.copy()
        return {"file": name}

    def load(self, reference):
        array = self.arrays[reference["file"]]
        assert reference["shape"] == list(array.shape)
        assert np.dtype(reference["dtype"]) == array.dtype
        return array


@given(events)
def test_an_event_comes_out_as_it_went_in(event):
    shelf = Shelf()
    line = encode(event, shelf.place)
    assert "\n" not in line
    message = parse(line)
    assert [reference["file"] for reference in references(message)] == list(shelf.arrays)
    assert_same(decode_event(message, shelf.load), event)


@given(jobs)
def test_a_job_comes_out_as_it_went_in(job):
    shelf = Shelf()
    assert_same(decode(parse(encode(job, shelf.place)), shelf.load), job)


def test_what_is_no_event_is_not_taken_for_one():
    matrix = encode(Matrix(np.eye(4)), Shelf().place)
    assert_same(decode(parse(matrix), Shelf().load), Matrix(np.eye(4)))
    with pytest.raises(MessageError, match="no event: Matrix"):
        decode_event(parse(matrix), Shelf().load)


@given(st.text() | plain.map(repr) | st.binary())
def test_noise_is_no_message(noise):
    with pytest.raises(MessageError):
        parse(noise)


@given(events, st.data())
def test_a_message_that_lacks_something_is_refused_and_never_raises_another_error(event, data):
    shelf = Shelf()
    message = parse(encode(event, shelf.place))
    name = data.draw(st.sampled_from(sorted(message["of"])))
    broken = data.draw(st.none() | plain | st.just({"@": "array"}) | st.just({"@": "Field", "of": {}}))
    with contextlib.suppress(MessageError):
        decode_event({**message, "of": {**message["of"], name: broken}}, shelf.load)
    with pytest.raises(MessageError):
        decode_event({**message, "of": {**message["of"], "a new field": 1}}, shelf.load)


def test_an_array_of_objects_is_refused():
    with pytest.raises(TypeError, match="no plain numbers"):
        encode(Finished(False, moved=np.full((2, 2, 2), None)), Shelf().place)


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"?")), max_size=9), st.data())
def test_lines_are_the_same_in_whatever_pieces_they_come(lines, data):
    stream = b"\n".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=9)))
    parser, found = Lines(), []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += parser.feed(stream[start:stop])
    found += parser.end()
    assert found == (lines if lines and lines[-1] else lines[:-1])


def test_a_line_without_an_end_does_not_fill_the_memory():
    parser = Lines()
    cut = [line for _ in range(100) for line in parser.feed(b"x" * 2**16)]
    assert sum(map(len, cut)) + len(parser.end()[0]) == 100 * 2**16
    assert max(map(len, cut)) <= 2**20 + 2**16
