"""The truth is in closed form: it sums to one, orders sizes, agrees with its own draws, and sees no picture or word."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from train.data import labels
from train.data.labels import (
    DEPARTMENTS,
    RELEVANCE,
    SYSTEMS,
    draw_brand,
    draw_ladder,
    draw_outcomes,
    fit_probabilities,
    kept_probability,
    tightness,
)
from tryon_core.errors import ConfigError


def test_probabilities_sum_to_one_and_small_grows_with_the_body() -> None:
    latent = np.linspace(-6, 6, 400)
    fit = fit_probabilities(latent)
    np.testing.assert_allclose(fit.sum(axis=1), 1)
    assert (fit > 0).all()
    assert (np.diff(fit[:, 0]) > 0).all()
    assert (np.diff(fit[:, 2]) < 0).all()
    assert fit[200, 1] > 0.85


def test_a_body_of_exactly_the_charts_girths_has_no_tightness_and_the_tightest_girth_counts_most() -> None:
    centre, step = np.array([92.0, 80.0, 99.0]), np.array([6.0, 6.6, 6.0])
    relevance = np.array(RELEVANCE["dress"])
    assert tightness(centre, centre, step, relevance) == pytest.approx(0)
    assert tightness(centre + 2 * step, centre, step, relevance) == pytest.approx(2)
    mixed = tightness(centre + step * [0, 2, -2], centre, step, relevance)
    assert mixed > 0.25


@pytest.mark.parametrize("department", DEPARTMENTS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_ranges_of_neighbouring_sizes_meet(department: str, system: str) -> None:
    ladder = draw_ladder(department, system, np.random.default_rng(0))
    charts = [ladder.chart(at) for at in range(len(ladder.labels))]
    assert len(set(ladder.labels)) == len(ladder.labels) >= 7
    for small, large in itertools.pairwise(charts):
        assert all(small[key][1] == large[key][0] and small[key][0] < small[key][1] for key in small)


def test_brands_disagree_about_an_m() -> None:
    rng = np.random.default_rng(1)
    middles = [draw_ladder("women", "letter", rng).centres[3] for _ in range(200)]
    assert 1.5 < np.std(middles, axis=0).min() < np.std(middles, axis=0).max() < 4
    biases = [draw_brand(rng).bias for _ in range(300)]
    assert np.std(biases) == pytest.approx(labels.BIAS_STEPS, rel=0.2)


def test_outcomes_come_out_as_often_as_their_probabilities_say() -> None:
    rng = np.random.default_rng(2)
    fit = np.repeat(fit_probabilities(np.array([0.9])), 100_000, axis=0)
    agreement = np.full(100_000, 0.4)
    outcome, kept = draw_outcomes(fit, agreement, rng)
    np.testing.assert_allclose(np.bincount(outcome, minlength=3) / 1e5, fit[0], atol=0.006)
    assert kept.mean() == pytest.approx(kept_probability(fit[:1], agreement[:1])[0], abs=0.006)


def test_kept_grows_with_fit_and_with_taste() -> None:
    fit = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    liked, disliked = (kept_probability(fit, np.full(3, taste)) for taste in (1.0, -1.0))
    assert liked.argmax() == 1
    assert (liked > disliked + 0.2).all()


def test_cloth_that_gives_is_less_often_too_small_and_as_often_too_large() -> None:
    latent = np.linspace(-3, 3, 61)
    stiff, half, full = (fit_probabilities(latent, stretch) for stretch in (0.0, 0.5, 1.0))
    assert (full[:, 0] < half[:, 0]).all()
    assert (half[:, 0] < stiff[:, 0]).all()
    np.testing.assert_array_equal(stiff[:, 2], full[:, 2])
    np.testing.assert_allclose(fit_probabilities(latent + labels.STRETCH_STEPS, 1.0)[:, 0], stiff[:, 0])


def test_usual_sizes_name_two_systems_and_grow_with_the_body() -> None:
    rng = np.random.default_rng(3)
    middle = labels._MIDDLE["women"]
    pairs = [labels.usual_sizes("women", middle, rng) for _ in range(300)]
    assert all(first != second for first, second in pairs)
    letters = [label for pair in pairs for label in pair if label in "SML"]
    assert letters.count("M") > 0.7 * len(letters)
    assert any(first.startswith("EU") for first, _ in pairs)
    assert any(first.startswith("US") for first, _ in pairs)
    large = [labels.usual_sizes("women", middle + 14, rng)[0] for _ in range(100)]
    assert not {"XS", "S", "M", "EU 36", "EU 38"} & set(large)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="dress"):
        labels.relevant_girths("dres")
    with pytest.raises(ConfigError, match="women"):
        draw_ladder("woman", "eu")
    with pytest.raises(ConfigError, match="letter"):
        draw_ladder("women", "leter")


def test_labels_import_neither_the_renderers_nor_the_phrases() -> None:
    code = "import sys, train.data.labels; print(' '.join(sorted(name for name in sys.modules if 'train' in name)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "train.data.labels" in loaded
    assert not {f"train.data.{name}" for name in ("figures", "views", "products", "phrases", "blurbs", "sim")} & set(loaded)
