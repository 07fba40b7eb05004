"""Part `record`: what earlier lines say, row by row, and that a checkpoint keeps garments and no shoppers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tryon_core.batch import RECORD_FIELDS, TOLD_FIELDS
from tryon_core.checkpoint import save_history
from tryon_core.garment import Garment, Size
from tryon_core.history import FitEvent, History, HistoryConfig
from tryon_core.manifest import read_history
from tryon_core.offers import offers_of
from tryon_core.record import MAX_LINES, NUM_BODY, Effects, without_lines
from tryon_core.shopper import Owned

DRESS = Garment("dress", sizes=(Size("8"), Size("12")))


def effects() -> Effects:
    """Effects under which larger sizes are oftener large, and the dress runs small."""
    width = len(TOLD_FIELDS)
    expected = np.zeros(NUM_BODY)
    expected[0], expected[2] = 26.0, 2.0  # a heavier body, a larger size
    odds = np.array([[-1.5, -1.5], [-0.5, 0.5], [0.0, 0.0], [0.0, 0.0]])
    return Effects(np.full(width, 60.0), np.full(width, 10.0), expected, odds, 0.7, garments={("dress",): (1.0, -0.5)})


def of(history: History, **told: object) -> dict[str, np.ndarray]:
    """Part `record` of both sizes of the dress, by field."""
    record = offers_of([DRESS], history, None, 1.0, **told).record  # type: ignore[arg-type]
    assert record is not None
    return dict(zip(RECORD_FIELDS, record.T, strict=True))


def test_a_size_is_larger_on_a_lighter_body() -> None:
    light, heavy = (of(History(effects=effects()), words=words) for words in ("45 kg", "90 kg"))
    assert (light["spare_size"] > heavy["spare_size"]).all()
    assert (light["log_odds_large"] > heavy["log_odds_large"]).all()
    assert light["spare_size"][1] > light["spare_size"][0]


def test_a_garment_that_runs_small_is_known_by_its_effect() -> None:
    told = of(History(effects=effects()))
    assert (told["garment_effect_small"] == 1.0).all()
    assert (told["garment_size_effect_small"] == 0.0).all()


def test_own_lines_say_how_the_shopper_differs_from_what_the_body_lets_expect() -> None:
    history = History(effects=effects())
    without = of(history, words="60 kg")
    tight = of(history, words="60 kg", owned=[Owned("8", "other", fit="small")] * 3)
    assert (without["own_effect_small"] == 0).all()
    assert (without["own_log_count"] == 0).all()
    assert np.isnan(without["above"]).all()
    assert (tight["own_effect_small"] > 0.3).all()
    assert (tight["surprise_small"] > 0).all()
    np.testing.assert_allclose(tight["own_log_count"], np.log(4), rtol=1e-6)
    assert tight["small_above"][0] == 0
    assert tight["small_near"][0] > tight["small_near"][1] > 0
    assert np.isnan(tight["fit_above"]).all()


def test_a_record_without_its_lines_is_that_of_a_shopper_who_has_none() -> None:
    history, owned = History(effects=effects()), [Owned("8", "dress", fit="small"), Owned("12", fit="large")]
    some, none = (offers_of([DRESS], history, None, 1.0, words="60 kg", owned=lines).record for lines in (owned, []))
    assert some is not None
    assert none is not None
    assert not np.allclose(np.nan_to_num(some), np.nan_to_num(none))
    np.testing.assert_allclose(without_lines(some), none, atol=1e-5)


def test_a_line_of_a_garment_that_runs_small_says_less_of_the_shopper() -> None:
    history = History(effects=effects())
    own, expected = (of(history, words="60 kg", owned=[Owned("8", garment, fit="small")]) for garment in ("other", "dress"))
    assert (own["own_effect_small"] > expected["own_effect_small"]).all()


def test_only_the_latest_lines_count() -> None:
    history = History(effects=effects())
    latest = [Owned("8", fit="fit")] * MAX_LINES
    more = of(history, owned=[Owned("30", fit="large"), *latest])
    for name, values in of(history, owned=latest).items():
        np.testing.assert_array_equal(values, more[name])


def test_sizes_of_another_system_have_no_spare_size() -> None:
    record = offers_of([Garment("dress", sizes=(Size("M"),))], History(effects=effects()), None, 1.0).record
    assert record is not None
    assert np.isnan(record[0, RECORD_FIELDS.index("spare_size")])
    assert not np.isnan(record[0, RECORD_FIELDS.index("log_odds_small")])


def test_a_history_without_effects_has_no_record() -> None:
    assert offers_of([DRESS], History(), None, 1.0).record is None


def test_own_counts_stand_in_for_those_of_a_key() -> None:
    history = History()
    history.add(FitEvent("dress", "8", "anna", "large", 0.0))
    own = offers_of([DRESS], history, "anna", 1.0, owned=[Owned("8", fit="small")] * 2).history
    assert own is not None
    np.testing.assert_allclose(own[0, -1], np.log(3), rtol=1e-6)
    assert own[0, -4] > own[0, -2]


def test_garments_that_come_with_a_request_count_as_the_same_events_kept_under_a_key_do() -> None:
    history = History(HistoryConfig(half_life_days=30.0, shopper_cap=2))
    lines = [("dress", "small", 200.0), ("coat", "large", 45.0), ("dress", "large", 90.0), ("dress", "fit", 10.0)]
    lines += [("dress", "small", 3.0), ("skirt", "fit", 0.0)]
    for garment, fit, days_ago in lines:
        history.add(FitEvent(garment, "8", "anna", fit, 400.0 - days_ago))
    new = [Garment("new", sizes=(Size("8"),))]
    kept = offers_of(new, history, "anna", 400.0).history
    owned = [Owned("8", garment, fit=fit, days_ago=days_ago) for garment, fit, days_ago in lines]
    told = offers_of(new, history, None, 400.0, owned=owned).history
    assert kept is not None
    assert told is not None
    np.testing.assert_allclose(told, kept, rtol=1e-6)
    assert kept[0, -1] == pytest.approx(np.log1p(0.5**1.5 + 0.5 ** (1 / 3) + 0.5**0.1 + 1))


def test_of_verdicts_on_one_garment_whose_age_is_not_told_the_last_ones_count() -> None:
    history = History(HistoryConfig(shopper_cap=2))
    counts = history.counts_of(["dress"] * 4, ["small", "small", "fit", "large"], [0.0] * 4)
    np.testing.assert_array_equal(counts, [0, 1, 1])


def test_garments_without_an_id_are_not_one_garment() -> None:
    told = offers_of([DRESS], History(HistoryConfig(shopper_cap=1)), None, 1.0, owned=[Owned("8")] * 5).history
    assert told is not None
    np.testing.assert_allclose(told[:, -1], np.log(6), rtol=1e-6)


def test_effects_come_back_from_a_checkpoint_folder(tmp_path: Path) -> None:
    history = History(effects=effects())
    history.add(FitEvent("dress", "8", "anna", "small", 0.0))
    save_history(str(tmp_path), history, 1.0)
    found = read_history(str(tmp_path))
    assert found is not None
    assert b"anna" not in (tmp_path / "history.parquet").read_bytes()
    told = {"words": "62 kg, 34d", "owned": [Owned("8", "dress", fit="small")]}
    for name, values in of(history, **told).items():
        np.testing.assert_allclose(of(found[0], **told)[name], values, rtol=1e-6)


def test_effects_of_a_wrong_shape_are_refused() -> None:
    data = effects().to_json()
    with pytest.raises(ValueError, match="expected effects of shapes"):
        Effects.from_json({**data, "expected": [0.0]}, {})
