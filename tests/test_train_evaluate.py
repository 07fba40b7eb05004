"""Scores against closed forms and brute force, and how a model's are put together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.synthetic import make_rows
from train.config import TrainConfig
from train.evaluate import embed, evaluate, first_orders, fuse, part_sets, raw_outputs, score
from train.export import rounded
from train.loop import build_model
from train.rows import Rows
from train.scores import absolute_errors, auc, binary_scores, brier, calibration_error, class_scores, nll, prior_nll
from tryon_core.batch import FIT_CLASSES, HISTORY_FIELDS
from tryon_core.model import Model
from tryon_core.presets import preset
from tryon_core.tasks import TASKS


def _auc_by_pairs(score: np.ndarray, positive: np.ndarray) -> float:
    gaps = score[positive][:, None] - score[~positive][None, :]
    return float(((gaps > 0) + 0.5 * (gaps == 0)).mean())


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=60))
def test_auc_counts_the_pairs_with_ties_as_half(pairs: list[tuple[int, bool]]) -> None:
    score, positive = np.array([float(s) for s, _ in pairs]), np.array([p for _, p in pairs])
    if positive.all() or not positive.any():
        assert np.isnan(auc(score, positive))
    else:
        assert auc(score, positive) == pytest.approx(_auc_by_pairs(score, positive))


def test_nll_and_brier_have_their_textbook_values() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    label = np.array([0, 2])
    assert nll(probabilities, label) == pytest.approx(-(np.log(0.5) + np.log(0.1)) / 2)
    assert brier(probabilities, label) == pytest.approx(((0.25 + 0.125) + (0.01 + 0.64 + 0.81)) / 2)
    assert np.isfinite(nll(np.array([[1.0, 0.0]]), np.array([1])))


def test_the_priors_nll_is_the_labels_entropy() -> None:
    assert prior_nll(np.array([0, 0, 1, 2])) == pytest.approx(1.5 * np.log(2))


def test_a_calibrated_claim_has_no_calibration_error_and_a_false_one_has_its_gap() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0, 1, 200_000)
    assert calibration_error(confidence, rng.random(200_000) < confidence) < 0.01
    assert calibration_error(np.full(90_000, 0.9), rng.random(90_000) < 0.6) == pytest.approx(0.3, abs=0.01)
    assert calibration_error(np.full(15, 0.75), np.ones(15, dtype=bool)) == pytest.approx(0.25)


def test_bins_are_of_equal_mass() -> None:
    confidence = np.concatenate([np.full(140, 0.5), np.full(10, 1.0)])
    correct = np.concatenate([np.arange(140) % 2 == 0, np.zeros(10, dtype=bool)])
    assert calibration_error(confidence, correct) == pytest.approx(10 / 150, abs=1e-9)


def test_class_and_binary_scores_agree_where_there_are_two_classes() -> None:
    rng = np.random.default_rng(1)
    probability = rng.uniform(0.01, 0.99, 500)
    positive = rng.random(500) < probability
    two = class_scores(np.stack([1 - probability, probability], axis=1), positive.astype(np.int64), ("no", "yes"))
    one = binary_scores(probability, positive)
    assert two["auc"]["yes"] == pytest.approx(one["auc"])
    assert two["nll"] == pytest.approx(one["nll"])
    assert two["brier"] == pytest.approx(2 * one["brier"])
    assert two["accuracy"] == pytest.approx(one["accuracy"])


def test_absolute_errors_skip_unknown_targets() -> None:
    target = np.array([[1.0, np.nan], [3.0, np.nan]])
    assert absolute_errors(np.zeros((2, 2)), target, ("height_cm", "weight_kg")) == {"height_cm": 2.0}


@pytest.fixture(scope="module")
def rows() -> Rows:
    return make_rows(preset("tiny"), 96)


@pytest.fixture(scope="module")
def model(rows: Rows) -> Model:
    return build_model(TrainConfig(model=preset("tiny")), rows).eval()


def test_encoding_each_value_once_gives_what_the_whole_model_gives(model: Model, rows: Rows) -> None:
    outputs = raw_outputs(model, rows)
    with torch.inference_mode():
        reference = model(rows.parts)
    for task, raw in reference.items():
        np.testing.assert_allclose(outputs[task], raw.numpy(), atol=1e-4)


def test_rows_without_a_part_score_as_rows_that_never_had_it(model: Model, rows: Rows) -> None:
    without = rows.without(("person_mask",))
    never = Rows({name: column for name, column in rows.parts.items() if name != "person_mask"}, rows.targets)
    blanked, absent = fuse(model, embed(model, rows), without), raw_outputs(model, never)
    for task in blanked:
        np.testing.assert_allclose(blanked[task], absent[task], atol=1e-5)


def test_rows_that_lack_every_part_are_scored_too(model: Model, rows: Rows) -> None:
    outputs = fuse(model, embed(model, rows), rows.without(rows.parts))
    assert outputs["fit"].shape == (96, 3)
    assert np.ptp(outputs["fit"], axis=0).max() < 1e-5


def test_scores_are_of_known_targets_beside_the_prior(model: Model, rows: Rows) -> None:
    scores = evaluate(model, rows)
    known = rows.targets["fit"] >= 0
    assert scores["fit"]["num"] == known.sum() < 96
    assert scores["fit"]["prior"]["nll"] == pytest.approx(prior_nll(rows.targets["fit"][known]))
    assert set(scores["fit"]["auc"]) == set(FIT_CLASSES)
    assert list(scores["body"]["mae"]) == ["height_cm"]
    assert set(scores["by_parts"]) == {"returning", "both", "words", "photo", "nothing"}
    assert scores["by_parts"]["returning"]["fit"]["nll"] == scores["fit"]["nll"]
    by_parts = {name: told["fit"]["nll"] for name, told in scores["by_parts"].items()}
    assert len({by_parts[name] for name in ("returning", "both", "nothing")}) == 3


def test_a_first_order_knows_the_garments_history_and_not_the_shoppers(rows: Rows) -> None:
    own = np.array([name.startswith("shopper") for name in HISTORY_FIELDS])
    before, after = rows.parts["history"].values, first_orders(rows).parts["history"].values
    np.testing.assert_array_equal(after[:, ~own], before[:, ~own])
    np.testing.assert_allclose(after[:, own], np.tile([0.134, 0.738, 0.128, 0.0], (len(after), 1)), atol=1e-6)


def test_an_oracles_scores_stand_beside_the_models_and_tell_the_gain(model: Model, rows: Rows) -> None:
    sure = np.eye(3)[rows.targets["fit"].clip(0)] * 0.97 + 0.01
    told = replace(rows, extra={"oracle_fit": sure})
    scores = score(raw_outputs(model, told), told)["fit"]
    assert scores["oracle"]["auc_mean"] == 1.0
    gain = (scores["prior"]["nll"] - scores["nll"]) / (scores["prior"]["nll"] - scores["oracle"]["nll"])
    assert scores["nll_gain_share"] == pytest.approx(gain)


def test_a_temperature_changes_the_nll_and_no_rank(model: Model, rows: Rows) -> None:
    outputs = raw_outputs(model, rows)
    plain, cool = score(outputs, rows), score(outputs, rows, {"fit": 3.0, "match": 3.0})
    assert plain["match"]["auc"] == pytest.approx(cool["match"]["auc"], abs=2e-3)  # logits may tie in single precision
    assert plain["match"]["nll"] != cool["match"]["nll"]
    hot = TASKS["fit"].predict(torch.from_numpy(outputs["fit"][rows.targets["fit"] >= 0]), 3.0).double().numpy()
    assert cool["fit"]["nll"] == pytest.approx(nll(hot, rows.targets["fit"][rows.targets["fit"] >= 0]))


def test_what_a_service_may_know_follows_from_the_presets_parts() -> None:
    assert part_sets(preset("article"))["nothing"] == ("photo", "shopper_words")
    assert part_sets(preset("base"))["words"] == ("person_mask",)


def test_rounded_scores_are_json_without_nan() -> None:
    assert rounded({"a": {"b": 0.123456789, "c": float("nan")}, "n": 3}) == {"a": {"b": 0.12346, "c": None}, "n": 3}
    assert rounded({"ends": (0.123456789, float("nan")), "bins": [{"num": 2}]}) == {
        "ends": [0.12346, None],
        "bins": [{"num": 2}],
    }


def test_intervals_are_told_where_they_are_asked_for_and_change_no_score(model: Model, rows: Rows) -> None:
    plain, sure = evaluate(model, rows), evaluate(model, rows, num_resamples=30)
    for task in ("fit", "match", "body", "category", "taste_cut"):
        assert "interval" not in plain[task]
        assert {**sure[task], "interval": None} == {**plain[task], "interval": None}
    assert set(sure["fit"]["interval"]) == {"auc_mean", "auc", "nll", "brier", "ece", "accuracy", "macro_f1"}
    for known, own in sure["by_parts"].items():
        assert set(own["fit"]["interval"]) == set(own["fit"]) - {"interval"}, known
    low, high = sure["body"]["interval"]["mae_cm"]
    assert low < sure["body"]["mae_cm"] < high


def test_orders_of_one_shopper_are_resampled_together(model: Model, rows: Rows) -> None:
    alone = evaluate(model, rows, num_resamples=200)["fit"]["interval"]["nll"]
    few = replace(rows, extra={"shopper": rows.parts["person_mask"].index})
    together = evaluate(model, few, num_resamples=200)["fit"]["interval"]["nll"]
    assert together != alone


def test_coverage_is_told_of_a_checkpoints_intervals(model: Model, rows: Rows) -> None:
    wide = {known: {"height_cm": 1000.0} for known in ("both", "words", "photo", "nothing")}
    assert "coverage" not in evaluate(model, rows)
    found = evaluate(model, rows, half_widths=wide)["coverage"]
    assert found["overall"] == 1.0
    assert found["nothing"] == {"mean": 1.0, "height_cm": 1.0}
