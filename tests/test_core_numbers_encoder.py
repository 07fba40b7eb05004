from __future__ import annotations

import numpy as np
import torch

from tryon_core.batch import Part
from tryon_core.config import NumbersTower
from tryon_core.numbers_encoder import NumbersEncoder

PART = Part("sound", "numbers", "shopper", 3)


def built() -> NumbersEncoder:
    torch.manual_seed(0)
    return NumbersEncoder(NumbersTower(embedding_dim=4, hidden=5), PART)


def test_statistics_are_those_of_what_is_known() -> None:
    encoder, rng = built(), np.random.default_rng(0)
    numbers = rng.normal([10, -3, 7], [2, 5, 0], (400, 3)).astype(np.float32)
    numbers[rng.random((400, 3)) < 0.3] = np.nan
    encoder.standardise_by(torch.from_numpy(numbers))
    np.testing.assert_allclose(encoder.mean.numpy(), np.nanmean(numbers, axis=0), rtol=1e-4)
    np.testing.assert_allclose(encoder.std.numpy(), [*np.nanstd(numbers, axis=0)[:2], 1.0], rtol=1e-4)


def test_what_is_not_finite_does_not_count_and_large_numbers_do() -> None:
    encoder, infinite = built(), float("inf")
    encoder.standardise_by(torch.tensor([[1.0, infinite, 1e30], [3.0, 2.0, -1e30], [-infinite, 4.0, 0.0]]))
    torch.testing.assert_close(encoder.mean, torch.tensor([2.0, 3.0, 0.0]))
    torch.testing.assert_close(encoder.std, torch.tensor([1.0, 1.0, (2 / 3) ** 0.5 * 1e30]))


def test_the_embedding_is_two_layers_over_standard_scores_and_flags() -> None:
    encoder = built()
    encoder.mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    encoder.std.copy_(torch.tensor([2.0, 4.0, 0.5]))
    seen = torch.tensor([[1.0, -0.5, 0.0, 1.0, 1.0, 0.0]])
    numbers = torch.tensor([[3.0, 0.0, float("nan")]])
    torch.testing.assert_close(encoder(numbers), encoder.layers(seen))


def test_an_unknown_number_is_not_a_number_at_the_mean() -> None:
    encoder = built()
    unknown, at_mean = encoder(torch.tensor([[float("nan"), 1.0, 1.0], [0.0, 1.0, 1.0]]))
    assert (unknown - at_mean).abs().max() > 1e-3


def test_numbers_far_out_give_finite_embeddings_and_gradients() -> None:
    encoder = built()
    embedding = encoder(torch.tensor([[float("inf"), -1e30, float("nan")]]))
    embedding.sum().backward()
    assert embedding.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())
