"""What photo and words add to each other: paired, so that a small difference is seen where two intervals overlap."""

from __future__ import annotations

import numpy as np
import pytest

from train.resample import Resamples, interval
from train.scores import losses, nll, prior_nll
from train.worth import worth


def _made(num: int = 3000) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    oracle = rng.dirichlet((1, 3, 1), num)
    label = (rng.random((num, 1)) > oracle.cumsum(axis=1)).sum(axis=1).clip(0, 2).astype(np.int64)
    prior = np.bincount(label) / num
    claims = {
        known: share * oracle + (1 - share) * prior for known, share in (("both", 0.8), ("words", 0.65), ("photo", 0.2))
    }
    return claims, label, oracle


def test_it_is_the_difference_of_the_losses_and_its_share_of_what_can_be_gained() -> None:
    claims, label, oracle = _made()
    found = worth(claims, label, oracle, None)
    less = nll(claims["words"], label) - nll(claims["both"], label)
    assert found["photo"]["nll_less"] == pytest.approx(less)
    assert found["photo"]["gain_share"] == pytest.approx(less / (prior_nll(label) - nll(oracle, label)))
    assert found["words"]["nll_less"] > found["photo"]["nll_less"] > 0


def test_a_difference_that_two_intervals_hide_is_seen() -> None:
    claims, label, oracle = _made()
    resamples = Resamples(np.arange(len(label)), 200)
    found = worth(claims, label, oracle, resamples)
    low, high = found["photo"]["interval"]["nll_less"]
    assert 0 < low < found["photo"]["nll_less"] < high
    both, words = (interval(resamples.means(losses(claims[known], label)[:, None])[:, 0]) for known in ("both", "words"))
    assert both[1] > words[0]


def test_without_an_oracle_there_is_no_share() -> None:
    claims, label, _ = _made(100)
    assert set(worth(claims, label, None, None)["photo"]) == {"nll_less"}
