from __future__ import annotations

import numpy as np
import pytest
import torch

from tryon_core.batch import CHART, FIT_CLASSES, LOOK_TASKS, LOOKS, MEASUREMENTS, VERDICT_FIELDS
from tryon_core.tasks import TASKS, Body, Classes, ease, verdict

RNG = np.random.default_rng(0)
NAN = float("nan")


def test_the_match_loss_is_the_binary_cross_entropy_of_the_known_targets() -> None:
    logits = RNG.normal(size=5)
    target = np.array([1, NAN, 0, 0.25, NAN])
    p, y = 1 / (1 + np.exp(-logits[[0, 2, 3]])), target[[0, 2, 3]]
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    loss = TASKS["match"].loss(torch.tensor(logits)[:, None], torch.tensor(target))
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("task", ["fit", "category"])
def test_the_loss_of_classes_is_the_cross_entropy_of_the_known_targets(task: str) -> None:
    logits = RNG.normal(size=(5, TASKS[task].num_outputs))
    target = np.array([0, -1, 2, 1, -1])
    known = [0, 2, 3]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log(shares[known, target[known]]).mean()
    loss = TASKS[task].loss(torch.tensor(logits), torch.tensor(target))
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_the_body_loss_is_the_mean_square_of_known_errors_in_units_of_the_spread() -> None:
    task = Body()
    centimetres = RNG.normal(90, 10, size=(4, len(MEASUREMENTS)))
    target = RNG.normal(90, 10, size=(4, len(MEASUREMENTS)))
    target[1] = NAN
    target[2, 3:] = NAN
    outputs = (centimetres - np.array(task.centre)) / np.array(task.spread)
    errors = ((centimetres - target) / np.array(task.spread)) ** 2
    loss = task.loss(torch.tensor(outputs), torch.tensor(target))
    assert loss.item() == pytest.approx(np.nanmean(errors), rel=1e-6)
    np.testing.assert_allclose(task.predict(torch.tensor(outputs), 1.0).numpy(), centimetres)


@pytest.mark.parametrize("task", TASKS)
def test_no_known_target_gives_a_loss_of_zero_with_a_zero_gradient(task: str) -> None:
    outputs = torch.randn(3, TASKS[task].num_outputs, requires_grad=True)
    target = torch.full((3,), NAN) if task == "match" else torch.full(outputs.shape, NAN)
    loss = TASKS[task].loss(outputs, torch.full((3,), -1) if isinstance(TASKS[task], Classes) else target)
    loss.backward()
    assert loss.item() == 0
    assert outputs.grad is not None
    assert not outputs.grad.any()


@pytest.mark.parametrize("task", ["match", "fit", "category"])
def test_a_missing_target_pulls_nothing(task: str) -> None:
    outputs = torch.randn(3, TASKS[task].num_outputs, requires_grad=True)
    target = torch.tensor([1.0, NAN, 0.0]) if task == "match" else torch.tensor([1, -1, 0])
    TASKS[task].loss(outputs, target).backward()
    assert outputs.grad is not None
    assert outputs.grad.any(dim=1).tolist() == [True, False, True]


def test_a_temperature_divides_the_logits() -> None:
    logits = RNG.normal(size=(4, 3))
    hot = np.exp(logits / 2.5)
    np.testing.assert_allclose(TASKS["fit"].predict(torch.tensor(logits), 2.5), hot / hot.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(TASKS["match"].predict(torch.tensor(logits), 2.5), 1 / (1 + np.exp(-logits[:, 0] / 2.5)))


def test_fit_has_the_three_classes_of_the_contract() -> None:
    assert TASKS["fit"].num_outputs == len(FIT_CLASSES) == 3


def test_the_loss_of_a_taste_is_the_binary_cross_entropy_of_the_classes_met() -> None:
    logits, target = RNG.normal(size=(3, TASKS["taste_cut"].num_outputs)), np.full((3, 3), NAN)
    target[0, 1], target[2, 0] = 1, 0
    p, q = (1 / (1 + np.exp(-logits[place])) for place in ((0, 1), (2, 0)))
    loss = TASKS["taste_cut"].loss(torch.tensor(logits), torch.tensor(target))
    assert loss.item() == pytest.approx(-(np.log(p) + np.log(1 - q)) / 2, rel=1e-6)


def test_the_verdict_is_what_fit_says_and_the_odds_that_such_looks_are_kept() -> None:
    outputs = {task: RNG.normal(size=(4, TASKS[task].num_outputs)) for task in ("fit", *LOOK_TASKS)}
    shares = {task: np.exp(outputs[task]) / np.exp(outputs[task]).sum(axis=1, keepdims=True) for task in ("fit", *LOOKS)}
    kept = [(shares[look] / (1 + np.exp(-outputs[f"taste_{look}"]))).sum(axis=1) for look in LOOKS]
    expected = np.column_stack([np.log(shares["fit"]), *(np.log(p / (1 - p)) for p in kept)])
    said = verdict({task: torch.tensor(raw) for task, raw in outputs.items()})
    assert said.shape == (4, len(VERDICT_FIELDS))
    np.testing.assert_allclose(said.numpy(), expected)


def test_ease_is_the_chart_less_the_body_and_silent_where_the_chart_is() -> None:
    body = np.arange(16.0).reshape(2, len(CHART))
    chart = RNG.normal(100, 5, size=(2, len(CHART), 2))
    chart[0, 3] = NAN
    difference = ease(torch.tensor(body), torch.tensor(chart).flatten(1)).numpy().reshape(2, len(CHART), 2)
    np.testing.assert_allclose(difference, chart - body[:, :, None])
    assert np.isnan(difference[0, 3]).all()
