"""Intervals against brute force, a closed form, and resamples of known weights."""

from __future__ import annotations

import numpy as np
import pytest

from train.resample import (
    Resamples,
    aucs,
    binary_intervals,
    calibration_errors,
    class_intervals,
    error_interval,
    error_intervals,
    gain_interval,
    gain_intervals,
    interval,
)
from train.scores import auc, binary_scores, calibration_error, class_scores, macro_f1, prior_nll
from tryon_core.errors import ConfigError


def _rows_of(resamples: Resamples) -> list[np.ndarray]:
    """Each resample as row numbers, repeated as often as they count."""
    return [np.repeat(np.arange(len(weights)), weights.astype(int)) for weights in resamples]


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray, Resamples]:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 400)
    logits = rng.normal(0, 1, (400, 3)).round(1) + np.eye(3)[label]  # rounded, so that scores tie
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities, label, Resamples(rng.integers(0, 80, 400), 20, seed=1)


def test_rows_of_one_cluster_come_and_go_together() -> None:
    cluster = np.array(["a", "b", "a", "c", "b", "a"])
    for weights in Resamples(cluster, 50):
        assert weights[0] == weights[2] == weights[5]
        assert weights[1] == weights[4]
        assert weights[0] + weights[1] + weights[3] == 3


def test_fewer_than_one_resample_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 resample"):
        Resamples(np.arange(3), -1)


def test_chosen_rows_keep_their_weights_in_every_resample() -> None:
    resamples = Resamples(np.arange(30) // 3, 10)
    chosen = np.arange(30) % 2 == 0
    for whole, part in zip(resamples, resamples.take(chosen), strict=True):
        np.testing.assert_array_equal(whole[chosen], part)


def test_weighted_scores_are_those_of_the_repeated_rows(drawn: tuple[np.ndarray, np.ndarray, Resamples]) -> None:
    probabilities, label, resamples = drawn
    areas = aucs(probabilities[:, 0], label == 0, resamples)
    means = resamples.means(probabilities)
    for at, rows in enumerate(_rows_of(resamples)):
        assert areas[at] == pytest.approx(auc(probabilities[rows, 0], label[rows] == 0))
        np.testing.assert_allclose(means[at], probabilities[rows].mean(axis=0))


def test_weighted_calibration_errors_are_near_those_of_the_repeated_rows(
    drawn: tuple[np.ndarray, np.ndarray, Resamples],
) -> None:
    """Not equal: a row that counts twice is never split between two bins."""
    probabilities, label, resamples = drawn
    correct = probabilities.argmax(axis=1) == label
    errors = calibration_errors(probabilities.max(axis=1), correct, resamples)
    brute = [calibration_error(probabilities[rows].max(axis=1), correct[rows]) for rows in _rows_of(resamples)]
    np.testing.assert_allclose(errors, brute, atol=0.03)
    assert np.corrcoef(errors, brute)[0, 1] > 0.9


def test_intervals_of_classes_hold_their_scores_under_the_same_names(
    drawn: tuple[np.ndarray, np.ndarray, Resamples],
) -> None:
    probabilities, label, _ = drawn
    resamples = Resamples(np.arange(400), 300)
    scores = class_scores(probabilities, label, ("a", "b", "c"))
    found = class_intervals(probabilities, label, ("a", "b", "c"), scores["ece"], resamples)
    assert set(found) == set(scores)
    for name in set(scores) - {"auc", "ece"}:
        assert found[name][0] < scores[name] < found[name][1]
    for name, area in scores["auc"].items():
        assert found["auc"][name][0] < area < found["auc"][name][1]


def test_intervals_of_yes_and_no_hold_their_scores_under_the_same_names() -> None:
    rng = np.random.default_rng(2)
    probability = rng.uniform(0, 1, 600)
    positive = rng.random(600) < probability
    scores = binary_scores(probability, positive)
    found = binary_intervals(probability, positive, scores["ece"], Resamples(np.arange(600), 300))
    assert set(found) == set(scores)
    assert all(found[name][0] < scores[name] < found[name][1] for name in set(scores) - {"ece"})


def test_an_interval_of_a_mean_is_as_wide_as_theory_says_and_wider_where_rows_come_in_clusters() -> None:
    rng = np.random.default_rng(3)
    people = rng.normal(0, 1, 400)
    values = np.repeat(people, 10)[:, None]
    alone = interval(Resamples(np.arange(4000), 1000).means(values)[:, 0])
    together = interval(Resamples(np.repeat(np.arange(400), 10), 1000).means(values)[:, 0])
    assert alone[1] - alone[0] == pytest.approx(2 * 1.96 / 4000**0.5, rel=0.15)
    assert together[1] - together[0] == pytest.approx(2 * 1.96 / 400**0.5, rel=0.15)


def test_a_calibration_errors_interval_is_rid_of_what_resampling_adds() -> None:
    rng = np.random.default_rng(4)
    confidence = rng.uniform(0.5, 1, 1500)
    correct = rng.random(1500) < confidence
    point, samples = (
        calibration_error(confidence, correct),
        calibration_errors(confidence, correct, Resamples(np.arange(1500), 200)),
    )
    assert samples.mean() > point
    low, high = error_interval(point, samples)
    assert low == 0
    assert high < interval(samples)[1]


def test_macro_f1_has_its_textbook_value() -> None:
    counts = np.array([[8, 2], [4, 6]])
    assert macro_f1(counts) == pytest.approx((2 * 8 / (10 + 12) + 2 * 6 / (10 + 8)) / 2)
    assert macro_f1(np.array([[3, 0, 0], [0, 1, 0], [0, 0, 0]])) == pytest.approx(2 / 3)


def test_errors_intervals_skip_unknown_targets() -> None:
    target = np.tile([[1.0, np.nan, 60.0]], (50, 1))
    names = ("height_cm", "waist_cm", "weight_kg")
    found = error_intervals(np.zeros((50, 3)), target, names, Resamples(np.arange(50), 20))
    assert found == {"mae_cm": (1.0, 1.0), "mae": {"height_cm": (1.0, 1.0), "weight_kg": (60.0, 60.0)}}


def test_whoever_knows_all_gains_all_and_whoever_says_the_shares_gains_nothing() -> None:
    rng = np.random.default_rng(5)
    probability = rng.uniform(0, 1, 5000)
    label = (rng.random(5000) < probability).astype(np.int64)
    resamples = Resamples(np.arange(5000), 50)
    assert gain_interval(probability, probability, label, resamples) == (1.0, 1.0)
    low, high = gain_interval(np.full(5000, label.mean()), probability, label, resamples)
    assert low <= 0 < 0.01 > high
    between = gain_interval(0.5 * probability + 0.5 * label.mean(), probability, label, resamples)
    gain = prior_nll(label) - binary_scores(0.5 * probability + 0.5 * label.mean(), label > 0)["nll"]
    assert between[0] < gain / (prior_nll(label) - binary_scores(probability, label > 0)["nll"]) < between[1]


def test_a_gain_is_told_with_an_interval_over_shoppers_of_which_both_sides_score_the_same(
    drawn: tuple[np.ndarray, np.ndarray, Resamples],
) -> None:
    probabilities, label, resamples = drawn
    rng = np.random.default_rng(3)
    worse = [(probabilities + own) / 2 for own in rng.dirichlet(np.ones(3), (2, 400))]
    gains = gain_intervals([probabilities], worse, label, resamples)

    def scores(rows: np.ndarray) -> np.ndarray:
        sides = [[probabilities[rows]], [own[rows] for own in worse]]
        told = [[class_scores(own, label[rows], "abc") for own in side] for side in sides]
        means = [[np.mean([own[name] for own in side]) for name in ("auc_mean", "nll")] for side in told]
        return np.subtract(*means)

    each = np.array([scores(rows) for rows in _rows_of(resamples)])
    for at, name in enumerate(("auc_mean", "nll")):
        assert gains[name][0] == pytest.approx(scores(np.arange(400))[at])
        assert gains[name][1] == pytest.approx(interval(each[:, at]))
    assert gain_intervals([probabilities], [probabilities], label, resamples)["nll"] == (0.0, (0.0, 0.0))
