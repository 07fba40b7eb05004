from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tryon_core.batch import HISTORY_FIELDS
from tryon_core.errors import ConfigError, InputError
from tryon_core.history import FitEvent, History, HistoryConfig

HALF_LIFE = 100.0
CONFIG = HistoryConfig(half_life_days=HALF_LIFE, shopper_cap=2, prior=(0.2, 0.5, 0.3), prior_count=4.0)
GARMENT, SIZE = ("garment", "g"), ("garment_size", "g", "M")


def event(fit: str = "fit", day: float = 0.0, shopper: str = "s", size: str = "M", garment: str = "g") -> FitEvent:
    return FitEvent(garment, size, shopper, fit, day)


def history_of(*events: FitEvent) -> History:
    history = History(CONFIG)
    for one in events:
        history.add(one)
    return history


def test_an_events_weight_halves_every_half_life() -> None:
    history = history_of(event("small", 10.0))
    for day in (10.0, 60.0, 110.0, 310.0):
        np.testing.assert_allclose(history.counts(GARMENT, day), [0.5 ** ((day - 10) / HALF_LIFE), 0, 0])


def test_counts_are_the_sum_of_every_events_own_decay() -> None:
    days = {"small": (3.0, 77.0), "fit": (0.0, 50.0, 51.0), "large": (90.0,)}
    history = history_of(*(event(fit, day, f"{fit}{day}") for fit in days for day in days[fit]))
    expected = [sum(0.5 ** ((200 - day) / HALF_LIFE) for day in days[fit]) for fit in ("small", "fit", "large")]
    np.testing.assert_allclose(history.counts(GARMENT, 200.0), expected)
    np.testing.assert_allclose(history.counts(SIZE, 200.0), expected)


def test_an_event_counts_for_its_garment_its_size_and_its_shopper_alone() -> None:
    history = history_of(event("large"))
    for key in (GARMENT, SIZE, ("shopper", "s")):
        np.testing.assert_array_equal(history.counts(key, 0.0), [0, 0, 1])
    for key in (("garment", "h"), ("garment_size", "g", "L"), ("shopper", "t")):
        np.testing.assert_array_equal(history.counts(key, 0.0), [0, 0, 0])


def test_only_a_shoppers_latest_events_on_a_garment_count() -> None:
    history = history_of(event("small", 1.0), event("fit", 2.0), event("large", 3.0), event("small", 1.0, "other"))
    weights = 0.5 ** ((3.0 - np.array([1.0, 2.0, 3.0])) / HALF_LIFE)
    np.testing.assert_allclose(history.counts(GARMENT, 3.0), weights)
    np.testing.assert_allclose(history.counts(("shopper", "s"), 3.0), [0, *weights[1:]], atol=1e-12)


def test_verdicts_on_a_garment_are_told_in_whole_numbers_that_do_not_age() -> None:
    history = history_of(*(event("small", float(n), f"s{n}", size="ML"[n % 2]) for n in range(5)), event("fit", 9.0, "t"))
    told = history.verdicts("g", 9.0 + 10 * HALF_LIFE)
    assert told.tally == (5, 1, 0)
    np.testing.assert_allclose(told.aged, history.counts(GARMENT, 9.0 + 10 * HALF_LIFE))
    np.testing.assert_allclose(told.shares, history.smoothed(told.aged)[:3])
    history.remove(event("small", 2.0, "s2", size="M"))
    assert history.verdicts("g", 9.0).tally == (4, 1, 0)
    assert history.verdicts("h", 9.0).tally == (0, 0, 0)


def test_verdicts_beyond_a_shoppers_cap_are_not_in_the_whole_numbers() -> None:
    history = history_of(*(event("small", float(n)) for n in range(6)))
    assert history.verdicts("g", 9.0).tally == (CONFIG.shopper_cap, 0, 0)


def test_where_a_history_was_begun_from_counts_no_whole_numbers_are_known() -> None:
    begun = History.from_rows([(GARMENT, np.array([9.3, 1.2, 0.4]))], 3.0, CONFIG)
    begun.add(event("small", 4.0))
    begun.add(event("small", 4.0, garment="h"))
    assert begun.verdicts("g", 4.0).tally is None
    assert begun.verdicts("h", 4.0).tally == (1, 0, 0)


def test_the_cap_is_per_garment() -> None:
    history = history_of(*(event("fit", 0.0, garment=garment) for garment in "abcde"))
    assert history.counts(("shopper", "s"), 0.0)[1] == 5


def test_removing_an_event_lets_a_silenced_one_count_again() -> None:
    events = [event("small", 1.0), event("fit", 2.0), event("large", 3.0)]
    history = history_of(*events)
    history.remove(events[2])
    expected = history_of(*events[:2])
    for key in (GARMENT, SIZE, ("shopper", "s")):
        np.testing.assert_allclose(history.counts(key, 9.0), expected.counts(key, 9.0), atol=1e-12)


def test_removing_all_events_leaves_nothing() -> None:
    events = [
        event(fit, day, shopper) for fit, day, shopper in (("fit", 1.0, "a"), ("small", 500.0, "b"), ("large", 3.0, "a"))
    ]
    history = history_of(*events)
    for one in events:
        history.remove(one)
    for key in (GARMENT, SIZE, ("shopper", "a"), ("shopper", "b")):
        np.testing.assert_allclose(history.counts(key, 600.0), 0, atol=1e-12)


def test_an_event_that_was_never_added_cannot_be_removed() -> None:
    history = history_of(event("fit", 1.0))
    with pytest.raises(InputError, match="expected an event that was added"):
        history.remove(event("fit", 2.0))
    with pytest.raises(InputError, match="did you mean 'large'"):
        event("larg")


EVENTS = st.builds(
    FitEvent,
    garment=st.sampled_from("gh"),
    size=st.sampled_from("SM"),
    shopper=st.sampled_from("st"),
    fit=st.sampled_from(("small", "fit", "large")),
    day=st.integers(0, 4).map(lambda day: 30.0 * day),
)


@settings(database=None, max_examples=150)
@given(st.lists(EVENTS, max_size=14), st.integers(0, 2**31))
def test_the_order_of_events_and_what_was_taken_back_in_between_do_not_matter(events: list[FitEvent], seed: int) -> None:
    draw = random.Random(seed)
    shuffled = draw.sample(events, len(events))
    passing = [event("large", 30.0 * draw.randrange(5), draw.choice("st")) for _ in range(3)]
    there, back = history_of(*events), history_of(*shuffled[:7], *passing, *shuffled[7:])
    for one in passing:
        back.remove(one)
    for key in (GARMENT, SIZE, ("garment", "h"), ("shopper", "s"), ("shopper", "t")):
        np.testing.assert_allclose(back.counts(key, 200.0), there.counts(key, 200.0), atol=1e-9)


def test_features_are_smoothed_shares_and_the_log_of_the_count() -> None:
    history = history_of(event("small", 0.0, "a"), event("fit", 100.0, "b"), event("small", 100.0, "b", "L"))
    counts = {"garment": [1.5, 1, 0], "garment_size": [0.5, 1, 0], "shopper": [1, 1, 0]}
    expected = []
    for source in ("garment", "garment_size", "shopper"):
        known = np.array(counts[source])
        expected += [*((known + 4 * np.array(CONFIG.prior)) / (known.sum() + 4)), np.log(1 + known.sum())]
    features = history.features("g", "M", "b", 100.0)
    assert features.dtype == np.float32
    assert len(features) == len(HISTORY_FIELDS) == 12
    np.testing.assert_allclose(features, expected, rtol=1e-6)


@pytest.mark.parametrize("shopper", ["nobody", None])
def test_what_is_unknown_gives_the_prior_and_no_count(shopper: str | None) -> None:
    features = history_of(event()).features("unknown", "M", shopper, 0.0)
    np.testing.assert_allclose(features, [0.2, 0.5, 0.3, 0.0] * 3)


def test_many_events_outweigh_the_prior() -> None:
    history = history_of(*(event("small", 0.0, f"s{number}") for number in range(400)))
    assert history.features("g", "M", None, 0.0)[0] == pytest.approx((400 + 0.8) / 404)


def test_rows_read_back_to_a_history_of_the_same_features_without_shoppers() -> None:
    history = history_of(
        *(event(fit, day, shopper) for day, (fit, shopper) in enumerate([("fit", "a"), ("small", "b")] * 4))
    )
    rows = history.rows(50.0)
    assert [key for key, _ in rows] == [GARMENT, SIZE]
    back = History.from_rows(rows, 50.0, CONFIG)
    for day in (50.0, 300.0):
        np.testing.assert_allclose(back.features("g", "M", None, day), history.features("g", "M", None, day), rtol=1e-6)
    late = event("large", 60.0, "c")
    history.add(late)
    back.add(late)
    np.testing.assert_allclose(back.counts(GARMENT, 70.0), history.counts(GARMENT, 70.0))
    back.remove(late)
    np.testing.assert_allclose(back.counts(GARMENT, 70.0), History.from_rows(rows, 50.0, CONFIG).counts(GARMENT, 70.0))


@pytest.mark.parametrize(
    "wrong", [{"half_life_days": 0.0}, {"shopper_cap": 0}, {"prior_count": 0.0}, {"prior": (0.5, 0.5, 0.5)}]
)
def test_a_config_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        HistoryConfig(**wrong)  # type: ignore[arg-type]
