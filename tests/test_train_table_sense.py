"""What a shop's lines mean together: reasons, silence, when a verdict was known, and who is scored."""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.tables import LINE, loader, many
from train.data.reasons import read_reasons
from train.rows import Rows, halves
from train.sources import Data
from tryon_core.batch import HISTORY_FIELDS
from tryon_core.errors import ConfigError


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Data]:
    """Return what loads lines through the source; options go behind the question mark."""
    return loader(tmp_path)


def test_reasons_are_the_same_however_they_are_spelt(tmp_path: Path) -> None:
    told = {unicodedata.normalize("NFD", "fällt zu groß aus"): "large", "ＴＯＯ ＴＩＧＨＴ": "small", "太小了": "small"}
    (tmp_path / "reasons.json").write_text(json.dumps(told), encoding="utf-8")
    reasons = read_reasons(str(tmp_path / "reasons.json"))
    assert [reasons.meaning(value) for value in ("Fällt zu GROSS aus", "too  tight", "太小了 ")] == [
        "large",
        "small",
        "small",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("reasons.json", '{"zu klein": "small", "zu klein": "large"}'),
        ("reasons.json", '{"Zu klein": "small", "zu  klein": "large"}'),
        ("reasons.csv", "reason,meaning\nzu klein,small\nzu klein,small\nZU KLEIN,large\n"),
    ],
)
def test_a_reason_with_two_meanings_is_refused(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"expected one meaning of reason '(?i:zu +klein)' in .*, got small and large"):
        read_reasons(str(tmp_path / name))


@pytest.mark.parametrize("content", ['["zu klein"]', '{"zu klein": ["small"]}', '{"zu klein": null}'])
def test_a_file_of_another_kind_than_reasons_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "reasons.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="expected"):
        read_reasons(str(tmp_path / "reasons.json"))


def test_half_of_the_shoppers_not_fitted_on_calibrate_and_the_others_are_scored(load: Callable[..., Data]) -> None:
    lines = [{**line, "customer_key": f"c{at // 2}"} for at, line in enumerate(many(240))]
    val = load(lines, "val=0.5").splits["val"]
    calibrating, scored = halves(val)
    assert not set(calibrating.extra["shopper"]) & set(scored.extra["shopper"])
    assert 0.35 < len(calibrating) / len(val) < 0.65
    again = load(lines[:200], "val=0.5").splits["val"]
    np.testing.assert_array_equal(again.extra["calibrate"], val.extra["calibrate"][: len(again)])


def test_one_line_that_says_that_it_fits_changes_no_other_line(
    load: Callable[..., Data], caplog: pytest.LogCaptureFixture
) -> None:
    lines = [*many(100), *many(40, outcome="returned", reason="too small")]
    spoken = {**lines[5], "fit": "fit"}
    with caplog.at_level(logging.INFO):
        one, none = (load(given, "split=date") for given in ([*lines[:5], spoken, *lines[6:]], lines))
    for split, rows in none.splits.items():
        np.testing.assert_array_equal(one.splits[split].targets["fit"], rows.targets["fit"])
        history, same = (own.parts["history"].values for own in (one.splits[split], rows))
        np.testing.assert_array_equal(history, same)
    assert "weight_fit" not in one.splits["train"].extra
    assert one.about["silent"] == none.about["silent"] == "fit"
    np.testing.assert_array_equal(*(data.history.counts(("garment", "g"), data.day) for data in (one, none)))
    assert "1 lines say that it fits, 99 were kept without a word: they count as fits" in caplog.messages


@pytest.mark.parametrize(
    "days", [("2026-01-05T10:00:00", "2026-01-05T10:00:01"), ("2026-01-05T23:59:00", "2026-01-06T00:01:00")]
)
def test_times_of_day_let_no_line_see_another_of_its_day_or_order(days: tuple[str, str], load: Callable[..., Data]) -> None:
    told = [("S", "returned", "too small"), ("M", "kept", "")]
    both = [
        {**LINE, "order_id": "o", "ordered_at": day, "size": size, "outcome": outcome, "reason": reason, "occurred_at": day}
        for day, (size, outcome, reason) in zip(days, told, strict=True)
    ]
    later = {**LINE, "ordered_at": "2026-01-07"}
    others = [{**line, "garment_id": "h", "ordered_at": f"2026-02-{1 + at:02d}"} for at, line in enumerate(many(20))]
    rows = load([*both, later, *others], "split=date&val=0.02").splits["train"]
    np.testing.assert_allclose(np.expm1(_seen(rows, "shopper_log_count")[:3]), [0, 0, 2], rtol=0.05)


def _seen(rows: Rows, name: str) -> np.ndarray:
    history = rows.parts["history"]
    return history.values[history.index, HISTORY_FIELDS.index(name)]


@pytest.mark.parametrize(("query", "first"), [("", 15), ("&delay=3", 4), ("&delay=0", 1)])
def test_a_verdict_of_which_no_day_is_told_is_seen_after_the_stated_delay(
    query: str, first: int, load: Callable[..., Data]
) -> None:
    rows = load(many(40), f"split=date&val=0.02{query}").splits["train"]
    assert int(np.flatnonzero(_seen(rows, "garment_log_count"))[0]) == first
