"""Groups: which there are, what each scores, and which are named because the model is worse for them."""

from __future__ import annotations

import numpy as np
import pytest

from train.groups import Behind, behind, group_scores, groupings
from train.rows import Rows
from train.scores import class_scores
from tryon_core.batch import FIT_CLASSES, HISTORY_FIELDS, Column


def _made(num: int = 6000, seed: int = 0) -> tuple[Rows, dict[str, np.ndarray]]:
    """Rows of which the model knows half of the "old" and all that there is to know of the rest."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, num)
    old = np.arange(num) % 4 == 0
    logits = np.where(old, 0.5, 1.5)[:, None] * np.eye(3)[label] + rng.normal(0, 0.8, (num, 3))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    history = np.zeros((num, len(HISTORY_FIELDS)), np.float32)
    history[:, HISTORY_FIELDS.index("garment_log_count")] = np.log1p(np.tile([0.0, 0.9, 3.0, 50.0], num // 4))
    kept = rng.random(num)
    rows = Rows(
        {"history": Column(history, np.arange(num))},
        {"fit": np.where(np.arange(num) % 10 == 0, -1, label), "match": (kept > 0.5).astype(np.float32)},
        {"group_age": np.where(old, "old", "young"), "group_town": np.where(np.arange(num) < 5, "", "big")},
    )
    return rows, {"fit": probabilities, "match": kept}


def test_cold_and_warm_garments_are_told_by_their_events_and_other_groups_by_the_source() -> None:
    rows, _ = _made()
    found = groupings(rows)
    assert list(found) == ["age", "town", "garment_events", "shopper_events"]
    assert found["garment_events"][:4].tolist() == ["under 1", "under 1", "1 to 4", "16 and more"]
    assert set(found["shopper_events"]) == {"under 1"}


def test_rows_without_history_are_in_no_group_by_history() -> None:
    rows, _ = _made()
    assert list(groupings(rows.without(("history",)))) == ["age", "town"]


def test_a_groups_scores_are_those_of_its_own_rows() -> None:
    rows, predicted = _made()
    found = group_scores(predicted, rows)["age"]["old"]
    own = (rows.extra["group_age"] == "old") & (rows.targets["fit"] >= 0)
    alone = class_scores(predicted["fit"][own], rows.targets["fit"][own], FIT_CLASSES)
    assert found["num"] == own.sum()
    assert found["fit_auc_mean"] == pytest.approx(alone["auc_mean"])
    assert found["fit_nll"] == pytest.approx(alone["nll"])
    assert found["match_auc"] == 1.0


def test_rows_of_an_unknown_group_are_in_none() -> None:
    rows, predicted = _made()
    found = group_scores(predicted, rows)["town"]
    assert list(found) == ["big"]
    assert found["big"]["num"] == (rows.targets["fit"][5:] >= 0).sum()


def test_a_group_that_lacks_a_class_has_no_score_of_fit() -> None:
    rows, predicted = _made(60)
    lone = np.where((rows.extra["group_age"] == "old") & (rows.targets["fit"] == 2), 1, rows.targets["fit"])
    found = group_scores(predicted, Rows(rows.parts, {**rows.targets, "fit": lone}, rows.extra))["age"]["old"]
    assert set(found) == {"num", "match_auc"}


def test_a_large_group_for_whom_the_model_is_worse_is_named_and_a_small_one_is_not() -> None:
    rows, predicted = _made()
    (worst,) = [one for one in behind(group_scores(predicted, rows)) if one.grouping == "age"]
    assert isinstance(worst, Behind)
    assert worst.group == "old"
    assert worst.lag > 0.05
    few = rows.take(np.arange(2000))
    own = {task: values[:2000] for task, values in predicted.items()}
    assert not [one for one in behind(group_scores(own, few)) if one.grouping == "age"]
