"""Pairs of deformed cases of a user, streamed to the training of the networks for registration."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from synthesis_world import write_cases

from DiffusionCore.__main__ import main
from DiffusionCore.build import build_network
from DiffusionCore.checks import StorageError
from DiffusionCore.storage.checkpoint import load_checkpoint
from DiffusionCore.training.case_pool import CasePool
from DiffusionCore.training.corruption import Corruptions
from DiffusionCore.training.field_pairs import FieldPairsConfig, draw_field_pairs
from DiffusionCore.training.loop import train
from DiffusionCore.training.recipes import configure
from DiffusionCore.training.voxelmorph import warped

CLEAN = FieldPairsConfig(
    size=(12, 14, 12),
    spacing=7.0,
    deviation=(5.0, 5.0),
    nodes=(4, 6),
    unknown=0.0,
    same_contrast=1.0,
    remapped=0.0,
    corruptions=Corruptions(*[0.0] * 10),
)


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return write_cases(tmp_path_factory.mktemp("cases") / "cases")


@pytest.fixture(scope="module")
def pool(cases):
    return CasePool.read(str(cases), 3, CLEAN.size, CLEAN.spacing, seed=2)


def generator(seed=2):
    return torch.Generator().manual_seed(seed)


def test_the_cases_take_turns_and_no_variant_is_like_another(pool, cases):
    assert pool.images.shape == (3, 1, 20, 22, 20)
    assert pool.images.amax((2, 3, 4)).eq(1).all()
    assert all((pool.images[a] - pool.images[b]).abs().mean() > 1e-3 for a, b in ((0, 1), (0, 2), (1, 2)))
    again = CasePool.read(str(cases), 3, CLEAN.size, CLEAN.spacing, seed=2)
    assert torch.equal(again.images, pool.images)
    i, j, k = (pool.images.float().mean((0, 1)).sum(axes) for axes in ((0, 1), (0, 2), (1, 2)))
    for profile in (i, j, k):  # the object lies about the middle
        middle = (profile * torch.arange(len(profile))).sum() / profile.sum()
        assert abs(middle - (len(profile) - 1) / 2) < 1.5


def test_the_moving_image_behind_the_hidden_field_is_the_fixed_one(pool):
    pairs = draw_field_pairs(pool, CLEAN, 6, generator=generator())
    before, after = (
        (image - pairs.fixed).abs().mean((1, 2, 3, 4))
        for image in (pairs.moving, warped(pairs.moving, pairs.velocities))
    )
    assert (after < 0.7 * before).all()  # on so coarse a grid, interpolating blurs a little
    again = draw_field_pairs(pool, CLEAN, 6, generator=generator())
    assert all(torch.equal(a, b) for a, b in zip(pairs, again, strict=True))


def test_one_contrast_or_two(pool):
    still = replace(CLEAN, deviation=(0.0, 0.0))
    one, two = (
        draw_field_pairs(pool, replace(still, same_contrast=share), 6, generator=generator()) for share in (1.0, 0.0)
    )
    assert (one.fixed - one.moving).abs().amax() < 1e-5
    assert ((two.fixed - two.moving).abs().mean((1, 2, 3, 4)) > 5e-3).all()


@pytest.mark.parametrize("name", ["voxelmorph", "diffusereg", "small-published-diffusereg"])
def test_the_recipes_of_registration_take_a_folder_of_cases_and_say_so(name, cases):
    recipe, _, card = configure(
        name, [f"data={cases}", "heads=1", "pairs.size=[12,14,12]", "pairs.spacing=7", "batch=1"]
    )
    assert "own folder" in card["data"]
    assert card["license"] != "Apache-2.0"
    assert isinstance(recipe.pool, CasePool)
    assert configure(name, [])[2]["license"] == "Apache-2.0"


def test_weights_do_not_say_where_the_cases_lie(cases, tmp_path):
    given = [f"data={cases}", "heads=1", "pairs.size=[12,14,12]", "pairs.spacing=7", "batch=1", "steps=1"]
    recipe, settings, card = configure("smoke-voxelmorph", given)
    weights = train(recipe, tmp_path, settings, card=card)
    assert str(cases).encode() not in weights.read_bytes()


def test_a_folder_without_cases_is_named(tmp_path):
    with pytest.raises(StorageError, match="no labeled case"):
        CasePool.read(str(tmp_path), 3, CLEAN.size, CLEAN.spacing, seed=2)


def test_the_shell_trains_on_cases(cases, tmp_path):
    arguments = ["train", "voxelmorph", "--data", cases, "--output", tmp_path / "run", "steps=2", "batch=1", "heads=2"]
    arguments += [
        "pairs.size=[12,14,12]",
        "pairs.spacing=7",
        "network.widths=[4,8]",
        "precision=float32",
        "log_every=1",
    ]
    assert main(list(map(str, arguments))) == 0
    assert build_network(load_checkpoint(tmp_path / "run" / "weights.safetensors"))
