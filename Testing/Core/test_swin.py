"""Windows of tokens, and the attention within them."""

import itertools

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.config import from_json, to_json
from DiffusionCore.networks.swin import Merge, Seen, SwinBlock, SwinConfig, SwinEncoder, WindowAttention
from DiffusionCore.networks.windows import Windows, relative_places

WINDOW = (2, 4, 4)
SIZES = [(4, 8, 12), (3, 7, 5), (2, 4, 4), (1, 9, 2)]


def numbers(size):
    """Return tokens (1, K, J, I, 3) that hold their own places."""
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij")
    return torch.stack(axes, -1)[None]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shifted", [False, True])
def test_windows_join_to_what_was_split(size, shifted):
    windows = Windows(size, WINDOW, shifted)
    tokens = torch.randn(2, *size, 5)
    split = windows.split(tokens)
    assert split.shape[2] == 32
    assert torch.equal(windows.join(split), tokens)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shifted", [False, True])
def test_two_tokens_of_a_window_see_each_other_if_they_are_true_neighbors(size, shifted):
    windows = Windows(size, WINDOW, shifted)
    places = windows.split(numbers(size) + 1)[0]  # padding is 0
    apart = windows.apart()
    real = places.amin(-1) > 0
    near = ((places[:, :, None] - places[:, None]).abs() < torch.tensor(WINDOW)).all(-1)
    both = real[:, :, None] & real[:, None]
    seen = torch.ones_like(near) if apart is None else ~apart
    assert torch.equal(seen & both, near & both)
    assert not (seen & (real[:, :, None] ^ real[:, None])).any()


def test_windows_that_are_not_shifted_have_no_mask():
    assert Windows((4, 8, 12), WINDOW, shifted=False).apart() is None
    assert Windows((2, 4, 4), WINDOW, shifted=True).apart() is None  # a single window
    assert Windows((4, 8, 12), WINDOW, shifted=True).apart() is not None
    assert Windows((4, 8, 12), WINDOW, shifted=True, masked=False).apart() is None


def test_only_axes_of_several_windows_are_shifted():
    assert Windows((2, 8, 3), WINDOW, shifted=True).shift == (0, 2, 0)


def test_equal_offsets_have_equal_numbers_and_others_do_not():
    places = relative_places(WINDOW)
    tokens = numbers(WINDOW)[0].flatten(0, 2)
    offsets = {}
    for a, b in itertools.product(range(32), repeat=2):
        offsets.setdefault(tuple((tokens[a] - tokens[b]).tolist()), set()).add(places[a, b].item())
    assert len(offsets) == 3 * 7 * 7
    assert sorted(itertools.chain.from_iterable(offsets.values())) == list(range(147))


def test_the_attention_is_that_of_the_published_97_tokens_of_which_the_last_32_are_kept():
    torch.manual_seed(0)
    attention = WindowAttention(12, 3, WINDOW)
    windows = Windows((4, 8, 4), WINDOW, shifted=True)
    apart = windows.apart()
    count = len(apart)
    tokens, moving, fixed = torch.randn(3, 2, count, 32, 12)
    time = torch.randn(2, 1, 1, 12)
    seen = Seen(attention.keys_values(time), attention.keys_values(torch.cat([moving, fixed], 2)))
    found = attention(tokens, apart, seen)

    everything = torch.cat([time.expand(-1, count, -1, -1), moving, fixed, tokens], 2)
    queries, keys, values = attention.enter(everything).unflatten(-1, (3, 3, 4)).permute(3, 0, 1, 4, 2, 5)
    scores = queries @ keys.mT / 2
    bias = attention.bias[attention.places].movedim(-1, 0).masked_fill(apart[:, None], -torch.inf)
    scores[..., 1:, 1:] += bias.repeat(1, 1, 3, 3)
    mixed = (scores.softmax(-1) @ values).transpose(2, 3).flatten(3)
    assert_close(found, attention.leave(mixed)[:, :, -32:])


def influence(mask, size=(2, 8, 8)):
    """Return how much the first token of a shifted block depends on each of the tokens: (K, J, I)."""
    torch.manual_seed(0)
    block = SwinBlock(8, 2, WINDOW)
    windows = Windows(size, WINDOW, shifted=True, masked=mask == "shift")
    tokens = torch.randn(1, *size, 8, requires_grad=True)
    apart = windows.apart()
    block(tokens, windows, lambda x: block.attention(x, apart))[0, 0, 0, 0].sum().backward()
    return tokens.grad[0].abs().sum(-1)


def test_a_token_across_the_border_has_no_influence_unless_the_mask_is_left_out():
    assert influence("shift")[:, :2, :2].min() > 0
    assert influence("shift")[:, :, 2:].max() == 0
    assert influence("shift")[:, 2:].max() == 0
    assert influence("none")[:, 6:, 6:].min() > 0


def test_all_eight_neighbors_are_merged():
    torch.manual_seed(0)
    tokens = torch.randn(1, 2, 4, 2, 6, requires_grad=True)
    merged = Merge(6)(tokens)
    assert merged.shape == (1, 1, 2, 1, 12)
    merged[0, 0, 0].sum().backward()
    assert (tokens.grad[0, :, :2].abs().sum(-1) > 0).all()
    assert tokens.grad[0, :, 2:].abs().max() == 0


def test_features_halve_and_widen_and_every_second_block_is_shifted():
    config = SwinConfig(8, (2, 1), (2, 4))
    layouts = config.layouts((8, 16, 24))
    assert [windows.shifted for windows in layouts] == [False, True, False]
    assert [windows.size for windows in layouts] == [(4, 8, 12), (4, 8, 12), (2, 4, 6)]
    encoder = SwinEncoder(1, config)
    features = encoder(torch.randn(2, 1, 8, 16, 24), layouts, lambda number, tokens: tokens)
    assert [tuple(x.shape) for x in features] == [(2, 8, 4, 8, 12), (2, 16, 2, 4, 6), (2, 32, 1, 2, 3)]
    assert features[0].mean(1).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"depths": ()}, "depths"),
        ({"depths": (2, 0), "heads": (2, 2)}, "depths"),
        ({"heads": (3, 6)}, "heads"),
        ({"heads": (3, 6, 12, 7)}, "heads"),
        ({"window": (0, 4, 4)}, "window"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(change, named):
    with pytest.raises(ValueError, match=named):
        SwinConfig(**change)


def test_the_configuration_survives_json():
    config = SwinConfig(48, (2, 4), (3, 6), (4, 4, 4), "none")
    assert from_json(SwinConfig, to_json(config)) == config
