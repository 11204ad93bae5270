"""The JSON form of settings: nothing is lost, nothing is guessed, every refusal names its key."""

import json
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from DiffusionCore.checks import ConfigError, GeometryError
from DiffusionCore.config import from_dict, from_json, to_dict, to_json
from DiffusionCore.networks.image_denoiser import ImageDenoiserConfig
from DiffusionCore.space import Grid


class Color(Enum):
    RED = "r"
    BLUE = "b"


class Count(IntEnum):
    SIX = 6
    TWELVE = 12


@dataclass(frozen=True)
class Inner:
    channels: tuple[int, ...] = (8, 16)
    spacing: tuple[float, float, float] = (1.0, 2.0, 3.0)

    def __post_init__(self):
        if min(self.channels, default=1) < 1:
            raise ValueError(f"channels must be positive, got {self.channels}")


@dataclass(frozen=True)
class Outer:
    steps: int
    rate: float = 0.5
    name: str = "plain"
    active: bool = True
    color: Color = Color.RED
    count: Count = Count.TWELVE
    folder: Path | None = None
    limit: float | None = None
    mode: Literal["fast", "exact"] = "fast"
    inner: Inner = Inner()
    more: tuple[Inner, ...] = ()
    maybe: Inner | None = None
    weights: dict[str, float] = field(default_factory=dict)
    computed: int = field(default=3, init=False)


inners = st.builds(
    Inner,
    channels=st.lists(st.integers(1, 99), max_size=4).map(tuple),
    spacing=st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 3),
)
outers = st.builds(
    Outer,
    steps=st.integers(),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    name=st.text(),
    active=st.booleans(),
    color=st.sampled_from(Color),
    count=st.sampled_from(Count),
    folder=st.sampled_from([None, Path("a/b"), Path("/c")]),
    limit=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    mode=st.sampled_from(["fast", "exact"]),
    inner=inners,
    more=st.lists(inners, max_size=2).map(tuple),
    maybe=st.none() | inners,
    weights=st.dictionaries(st.text(), st.floats(0, 1), max_size=2),
)


@given(outers)
def test_settings_return_from_their_text(config):
    assert from_json(Outer, to_json(config)) == config
    assert from_dict(Outer, to_dict(config)) == config


def test_a_grid_is_settings_too():
    grid = Grid((4, 3, 2), (1.0, 2.0, 3.0), (5.0, 6.0, 7.0))
    assert from_json(Grid, to_json(grid)) == grid


def test_the_text_is_readable():
    values = json.loads(to_json(Outer(3, folder=Path("a") / "b")))
    assert values["color"] == "RED"
    assert values["count"] == "TWELVE"
    assert values["folder"] == "a/b"
    assert values["inner"]["channels"] == [8, 16]
    assert "computed" not in values


def test_what_is_missing_takes_its_default():
    assert from_json(Outer, '{"steps": 3, "inner": {"channels": [4]}}') == Outer(3, inner=Inner(channels=(4,)))


def test_a_whole_number_may_stand_for_a_real_one():
    rate = from_json(Outer, '{"steps": 3, "rate": 2}').rate
    assert rate == 2.0
    assert isinstance(rate, float)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"steps": 3, "stepz": 4}', "Unknown setting 'stepz'. Outer knows: steps, rate, name"),
        ('{"steps": 3, "inner": {"chanels": []}}', "Unknown setting 'inner.chanels'. Inner knows: channels, spacing"),
        ('{"steps": 3, "maybe": {"chanels": []}}', "Unknown setting 'maybe.chanels'"),
        ('{"steps": 3, "computed": 4}', "Unknown setting 'computed'"),
        ("{}", "Outer needs the settings steps"),
        ('{"steps": 3.0}', "'steps' must be int, got 3.0"),
        ('{"steps": "3"}', "'steps' must be int"),
        ('{"steps": true}', "'steps' must be int, got true"),
        ('{"steps": null}', "'steps' must be int, got null"),
        ('{"steps": 3, "active": 1}', "'active' must be bool"),
        ('{"steps": 3, "name": 1}', "'name' must be str"),
        ('{"steps": 3, "rate": true}', "'rate' must be float"),
        ('{"steps": 3, "rate": NaN}', "not valid JSON: NaN"),
        ('{"steps": 3, "rate": 1e999}', "'rate' must be float"),
        ('{"steps": 3, "color": "r"}', "'color' must be one of RED, BLUE"),
        ('{"steps": 3, "count": 6}', "'count' must be one of SIX, TWELVE"),
        ('{"steps": 3, "mode": "slow"}', "'mode' must be one of fast, exact"),
        ('{"steps": 3, "inner": {"spacing": [1, 2]}}', "'inner.spacing' must be a list of 3"),
        ('{"steps": 3, "inner": {"channels": [1, 2.5]}}', r"'inner.channels\[1\]' must be int"),
        ('{"steps": 3, "inner": {"channels": [0]}}', "inner.Inner are refused: channels must be positive"),
        ('{"steps": 3, "more": [{}, {"spacing": 1}]}', r"'more\[1\].spacing' must be a list of 3"),
        ('{"steps": 3, "inner": [1]}', "'inner' must be the settings of Inner as an object"),
        ('{"steps": 3, "steps": 4}', "the key 'steps' stands twice"),
        ('{"steps": 3', "not valid JSON"),
        ("[]", "'top level' must be the settings of Outer"),
    ],
)
def test_what_is_wrong_is_named(text, expected):
    with pytest.raises(ConfigError, match=expected):
        from_json(Outer, text)


def test_errors_of_the_world_pass_as_they_are():
    with pytest.raises(GeometryError, match="positive spacings"):
        from_json(Grid, '{"size": [4, 3, 2], "spacing": [1, 0, 1]}')


def test_numbers_without_a_json_form_are_not_written():
    with pytest.raises(ValueError, match="JSON"):
        to_json(Outer(3, rate=float("nan")))
    with pytest.raises(TypeError, match="plain numbers"):
        to_json(Outer(3, name=object()))
    with pytest.raises(TypeError, match="instance of a dataclass"):
        to_json({"steps": 3})


def test_a_key_of_an_older_file_that_means_nothing_any_more_is_passed_over():
    config = ImageDenoiserConfig(2, (8, 16))
    assert from_dict(ImageDenoiserConfig, {**to_dict(config), "recompute": True}) == config
    with pytest.raises(ConfigError, match="recomputed"):
        from_dict(ImageDenoiserConfig, {**to_dict(config), "recomputed": True})
