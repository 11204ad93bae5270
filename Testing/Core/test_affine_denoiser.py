"""The affine denoiser: sizes, conditions, start, parameters, and that it can learn."""

import pytest
import torch
from torch.testing import assert_close

from DiffusionCore.networks.affine_denoiser import AffineDenoiser, AffineDenoiserConfig
from DiffusionCore.networks.blocks import MomentHead, sinusoidal

SMALL = AffineDenoiserConfig(channels=(8, 16, 24), groups=4, embedding=16, classes=3)


def network(config: AffineDenoiserConfig = SMALL, *, awake: bool = False) -> AffineDenoiser:
    """Return a network; ``awake`` with the layers that start at zero replaced by random ones."""
    torch.manual_seed(0)
    made = AffineDenoiser(config)
    if awake:
        for parameter in made.parameters():
            if parameter.abs().max() == 0:
                torch.nn.init.normal_(parameter, std=0.05)
    return made


def images(batch: int, shape: tuple[int, int, int] = (13, 18, 15)) -> torch.Tensor:
    return torch.rand(batch, 2, *shape, generator=torch.Generator().manual_seed(1))


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("shape", [(13, 18, 15), (16, 12, 9), (2, 3, 5), (33, 7, 2)])
def test_it_takes_any_size_and_batch_and_returns_affine_matrices(batch, shape):
    estimates = network(awake=True)(images(batch, shape), torch.arange(1, batch + 1))
    assert estimates.shape == (batch, 4, 4)
    assert estimates.dtype == torch.float32
    assert torch.isfinite(estimates).all()
    assert_close(estimates[:, 3], torch.tensor([0.0, 0, 0, 1]).expand(batch, 4))


def test_it_starts_at_the_identity():
    estimates = network()(images(3), torch.tensor([1, 30, 65]), torch.tensor([0, 1, 3]))
    assert_close(estimates, torch.eye(4).expand(3, 4, 4), rtol=0, atol=0)


def test_a_sample_does_not_depend_on_the_others_of_its_batch():
    awake, times, classes = network(awake=True), torch.tensor([2, 40, 65]), torch.tensor([0, 1, 3])
    together = awake(images(3), times, classes)
    for n in range(3):
        assert_close(
            awake(images(3)[n : n + 1], times[n : n + 1], classes[n : n + 1])[0], together[n], atol=1e-5, rtol=1e-5
        )


@pytest.mark.parametrize(
    "config", [SMALL, AffineDenoiserConfig((8, 16, 24), groups=4, embedding=16, classes=3, kernel=(2, 3, 2))]
)
def test_a_gradient_reaches_every_parameter(config):
    awake = network(config, awake=True)
    shape = (13, 18, 15) if config.kernel is None else (15, 20, 16)
    awake(images(4, shape), torch.tensor([1, 9, 30, 65]), torch.tensor([0, 1, 2, 3])).square().sum().backward()
    without = [
        name for name, parameter in awake.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert not without


def test_half_precision_agrees_with_single():
    awake = network(awake=True)
    single = awake(images(2), torch.tensor([3, 60]), torch.tensor([0, 2]))
    with torch.autocast("cpu", torch.bfloat16):
        half = awake(images(2), torch.tensor([3, 60]), torch.tensor([0, 2]))
    assert half.dtype == torch.float32
    assert_close(half, single, rtol=0.05, atol=0.5)


def test_time_and_class_and_the_order_of_the_images_matter():
    awake, pair = network(awake=True), images(1)
    base = awake(pair, torch.tensor([3]))
    assert (awake(pair, torch.tensor([50])) - base).abs().max() > 1e-4
    assert (awake(pair, torch.tensor([3]), torch.tensor([2])) - base).abs().max() > 1e-4
    assert (awake(pair.flip(1), torch.tensor([3])) - base).abs().max() > 1e-4
    assert_close(awake(pair, torch.tensor([3]), torch.tensor([0])), base)


def test_translations_are_in_mm_of_the_reach():
    near, far = (network(AffineDenoiserConfig((8, 16), 4, 16, reach=reach), awake=True) for reach in (10.0, 30.0))
    first, second = near(images(2), torch.tensor([1, 2])), far(images(2), torch.tensor([1, 2]))
    assert_close(3 * first[:, :3, 3], second[:, :3, 3])
    assert_close(first[:, :3, :3], second[:, :3, :3])


def test_the_moments_tell_where_a_feature_is_along_each_axis():
    head = MomentHead(1, 4)
    head.linear.weight.data = torch.eye(4)
    features = torch.zeros(1, 1, 5, 7, 9)
    features[0, 0, 4, 3, 0] = 5 * 7 * 9
    mean, i, j, k = head(features)[0].tolist()
    assert (mean, i, j, k) == pytest.approx((1.0, -8 / 9, 0.0, 4 / 5), abs=1e-6)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (AffineDenoiserConfig(kernel=(4, 6, 4)), 62_925_004),  # published: 62.93 M
        (AffineDenoiserConfig(kernel=(4, 4, 4)), 62_531_788),  # published: 62.53 M
        (AffineDenoiserConfig(kernel=(4, 4, 4), classes=4), 62_531_788 + 5 * 2176),
        (AffineDenoiserConfig(), 62_353_740),
        (AffineDenoiserConfig(classes=4), 62_353_740 + 5 * 256),
    ],
)
def test_the_number_of_parameters(config, parameters):
    with torch.device("meta"):
        assert count(AffineDenoiser(config)) == parameters


def test_the_published_form_takes_the_published_size():
    with torch.device("meta"):
        published = AffineDenoiser(AffineDenoiserConfig(kernel=(4, 6, 4)))
        assert published(torch.empty(1, 2, 245, 384, 245), torch.empty(1)).shape == (1, 4, 4)


@pytest.mark.parametrize("shape", [(9, 9, 9), (40, 40, 40)])
def test_the_published_form_names_a_size_that_does_not_fit(shape):
    fixed_size = network(AffineDenoiserConfig((8, 16), 4, 16, kernel=(4, 4, 4)))
    with pytest.raises(ValueError, match="features of"):
        fixed_size(images(1, shape), torch.tensor([1]))


@pytest.mark.parametrize("arguments", [{"channels": (64,)}, {"channels": (64, 100)}, {"embedding": 15}])
def test_widths_that_do_not_work_are_refused(arguments):
    with pytest.raises(ValueError, match="must be"):
        AffineDenoiserConfig(**arguments)


def test_wrong_channels_and_times_are_refused():
    with pytest.raises(ValueError, match="images"):
        network()(images(1)[:, :1], torch.tensor([1]))
    with pytest.raises(ValueError, match="times"):
        network()(images(2), torch.tensor([1]))


def test_close_times_have_close_embeddings():
    embeddings = sinusoidal(torch.tensor([30, 31, 60]), 32)
    assert embeddings.shape == (3, 32)
    assert (embeddings[0] - embeddings[1]).norm() < (embeddings[0] - embeddings[2]).norm()


def test_it_learns_one_batch_by_heart():
    small = network()
    pairs, times = images(2), torch.tensor([20, 50])
    target = torch.eye(4).repeat(2, 1, 1)
    target[0, :3] += torch.tensor([[0.1, -0.2, 0, 20], [0.2, 0, 0.1, -10], [0, 0, -0.1, 5]])
    optimizer = torch.optim.Adam(small.parameters(), 3e-3)
    scale = torch.tensor([1.0, 1, 1, 1 / 50])
    first, loss = None, torch.inf
    for _ in range(150):
        loss = ((small(pairs, times) - target)[:, :3] * scale).square().sum()
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-2 * first
