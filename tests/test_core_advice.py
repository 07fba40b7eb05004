"""What the chances of all sizes amount to."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.advice import main
from tryon_core.advice import BOUNDS, Bounds, advise, none_fits, roomier

TRUE_NOISE = 0.5


def ladder(steps: np.ndarray, width: float = 1.5) -> np.ndarray:
    """P(small), P(fit), P(large) of sizes that lie so many steps from a body, judged with logistic noise."""
    small = 1 / (1 + np.exp(-(-steps - width) / TRUE_NOISE))
    large = 1 / (1 + np.exp(-(steps - width) / TRUE_NOISE))
    return np.stack([small, 1 - small - large, large], axis=-1)


@pytest.mark.parametrize("sizes", [[0.0], [-4.0, -3.0, -2.0], [2.5, 3.5], [-2.2, 2.2], [-5.0, 5.0], [-1.0, 0.0, 1.0]])
def test_the_chance_that_none_fits_is_that_of_one_judgement_about_all_sizes(sizes: list[float]) -> None:
    steps, rng = np.array(sizes), np.random.default_rng(0)
    judged = steps + rng.logistic(scale=TRUE_NOISE, size=(200_000, 1))
    none = (np.abs(judged) > 1.5).all(axis=1).mean()
    assert none_fits(ladder(steps)) == pytest.approx(none, abs=0.01)


@given(st.lists(st.tuples(*[st.floats(0.01, 1)] * 3), min_size=1, max_size=9), st.randoms())
def test_the_order_of_sizes_does_not_matter_and_the_chance_is_one(chances: list[tuple[float, ...]], random: object) -> None:
    fit = np.array(chances)
    fit /= fit.sum(axis=1, keepdims=True)
    whole = none_fits(fit)
    assert 0 <= whole <= 1
    random.shuffle(chances)  # type: ignore[attr-defined]
    other = np.array(chances)
    other /= other.sum(axis=1, keepdims=True)
    leans = fit[:, 2] - fit[:, 0]
    if len(set(leans.tolist())) == len(leans):
        assert none_fits(other) == pytest.approx(whole)


def test_no_size_is_advised_where_all_are_likely_too_small() -> None:
    assert advise(ladder(np.array([-5.0, -4.0, -3.0])), 2) == ("no_size_fits", None)
    assert advise(ladder(np.array([-5.0, -4.0, 0.0])), 2) == ("recommended", None)


def test_a_size_that_is_about_as_likely_to_fit_is_named_beside_the_best() -> None:
    fit = ladder(np.array([-2.0, -0.51, 0.49, 2.0]))
    assert advise(fit, 2) == ("between_sizes", 1)
    assert roomier(fit, 2, 1)
    assert not roomier(fit, 1, 2)
    assert advise(ladder(np.array([-1.5, 0.0, 1.5])), 1) == ("recommended", None)
    assert advise(ladder(np.array([0.0])), 0) == ("recommended", None)


def test_ignorance_alone_is_not_taken_for_a_garment_that_fits_nobody() -> None:
    """Of a shopper of whom nothing is known every size may well not fit, but most often one of them does."""
    unknown = np.mean([ladder(np.arange(-4.0, 5.0) - body) for body in np.linspace(-3, 3, 41)], axis=0)
    assert unknown[:, 1].max() < 0.5
    assert none_fits(unknown) < 0.2


def test_bounds_move_the_advice() -> None:
    fit = ladder(np.array([-2.0, -1.6]))
    assert advise(fit, 1, Bounds(none_fits=0.4))[0] == "no_size_fits"
    assert advise(fit, 1, Bounds(none_fits=0.9))[0] == "recommended"
    assert advise(ladder(np.array([-1.0, 0.0])), 1, Bounds(between=0.5))[0] == "between_sizes"


def test_the_benchmark_reports_what_the_bounds_were_chosen_by(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--shoppers", "6", "--garments", "12"])
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"both", "words", "photo", "nothing", "ease"}
    none, between = report["both"]["none"], report["both"]["between"]
    assert 0 < none["cases"] < 6 * 12
    assert none[f"at_{BOUNDS.none_fits}"]["told"] <= none["at_0.3"]["told"]
    assert between[f"at_{BOUNDS.between}"]["told"] <= between["at_0.1"]["told"]
    assert set(report["ease"]) == {"both", "words", "photo"}
