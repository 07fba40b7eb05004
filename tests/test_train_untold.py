"""What those gain who know all but the untold: less than the oracle, more than a prior, and it is calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from train.data import labels
from train.data.sim import SimConfig, build_shop
from train.data.untold import UNTOLD_STEPS, averaged, blind_oracle
from train.scores import nll, prior_nll
from tryon_core.errors import InputError


def test_the_average_is_that_of_many_draws() -> None:
    latent = np.array([-3.0, -1.0, 0.0, 0.5, 2.0])
    offsets = np.random.default_rng(0).normal(0, UNTOLD_STEPS, 200_000)
    for stretch in (0.0, 0.7):
        drawn = np.stack([labels.fit_probabilities(x - offsets, stretch).mean(axis=0) for x in latent])
        np.testing.assert_allclose(averaged(latent, stretch), drawn, atol=0.003)
        np.testing.assert_allclose(averaged(latent, stretch).sum(axis=1), 1)


def test_without_spread_there_is_nothing_to_average() -> None:
    latent = np.linspace(-3, 3, 9)
    np.testing.assert_allclose(averaged(latent, 0.5, spread=0.0), labels.fit_probabilities(latent, 0.5))


def test_whoever_lacks_the_untold_lies_between_the_prior_and_the_oracle() -> None:
    shop = build_shop(SimConfig(seed=2, shoppers=800, garments=1500, brands=300, orders=12_000))
    orders, told = shop.orders, np.array([labels.CUT_EASE[own.cut] for own in shop.garments])
    fit = blind_oracle(shop.truth, told, orders.shopper, orders.garment, orders.size)
    known = orders.fit >= 0
    label = orders.fit[known]
    scores = prior_nll(label), nll(fit[known], label), nll(orders.oracle_fit[known], label)
    assert scores[0] - 0.1 > scores[1] > scores[2] + 0.03
    np.testing.assert_allclose(fit[known].mean(axis=0), np.bincount(label) / len(label), atol=0.03)


def test_a_size_beyond_the_last_is_refused() -> None:
    shop = build_shop(SimConfig(seed=2, shoppers=20, garments=5, brands=2, orders=30))
    one = np.array([0])
    with pytest.raises(InputError, match="beyond its last"):
        blind_oracle(shop.truth, np.zeros(5), one, one, np.array([99]))
