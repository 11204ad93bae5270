"""Garbage is not looked for while packages are loaded, and is again afterwards."""

import gc
import importlib

import pytest

from DiffusionCore.loading import loading, starting


@pytest.fixture(autouse=True)
def collecting():
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize("context", [loading, starting])
def test_nothing_is_collected_inside_and_again_afterwards_even_if_loading_fails(context):
    with pytest.raises(ModuleNotFoundError, match="no_package_False"), context():
        importlib.import_module(f"no_package_{gc.isenabled()}")
    assert gc.isenabled()


def test_who_had_switched_it_off_finds_it_so():
    gc.disable()
    with loading():
        pass
    assert not gc.isenabled()


def test_what_a_start_has_brought_is_not_looked_through_again():
    before = gc.get_freeze_count()
    with starting():
        brought = [[] for _ in range(100)]
    assert gc.get_freeze_count() >= before + len(brought)
