"""The phase over shoppers: whom it learns from, how it is fitted, and that its tower may stay as it is afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.synthetic import make_rows
from train.config import TrainConfig
from train.loop import Place, build_model, fit
from train.progress import Epoch, Event
from train.rows import Rows
from train.shapes import body_config, body_rows
from tryon_core.batch import LOOKS, PARTS
from tryon_core.errors import ConfigError
from tryon_core.model import Model
from tryon_core.presets import preset

TINY = preset("tiny")
MASK = "person_mask"


def phases(**changes: object) -> TrainConfig:
    told = {"model": TINY, "epochs": 1, "batch_size": 64, "body_epochs": 2, "body_batch_size": 16, **changes}
    return TrainConfig(**told)  # type: ignore[arg-type]


def fitted(rows: Rows, config: TrainConfig, val: Rows | None = None) -> tuple[Model, list[Epoch]]:
    events: list[Event] = []
    model = build_model(config, rows)
    fit(model, rows, config, events.append, val=val, place=Place())
    return model, [event for event in events if isinstance(event, Epoch)]


def tower(model: Model, name: str) -> dict[str, torch.Tensor]:
    return {key: tensor.clone() for key, tensor in model.towers[name].state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_body_rows_hold_each_shopper_once_with_what_was_measured_and_nothing_else() -> None:
    rows = make_rows(TINY, 256)
    people = body_rows(rows)
    shopper = rows.parts[MASK].index
    assert len(people) == len(np.unique(shopper))
    assert set(people.parts) == {part for part in rows.parts if PARTS[part].owner == "shopper"}
    assert _seen(people) == _seen(rows)
    for task in set(rows.targets) - {"body"}:
        target = people.targets[task]
        assert np.isnan(target).all() if target.dtype.kind == "f" else (target == -1).all()


def _seen(rows: Rows) -> set[tuple[int, float]]:
    """The grey of each silhouette with the height of whoever it is of."""
    column = rows.parts[MASK]
    return {
        (int(column.values[i, 0, 0]), float(body[0])) for i, body in zip(column.index, rows.targets["body"], strict=True)
    }


def test_one_silhouette_with_other_words_is_another_row() -> None:
    rows = make_rows(TINY, 256)
    said = rows.parts["shopper_words"]
    silent = replace(said, index=np.where(np.arange(256) < 128, said.index, -1))
    both = len(body_rows(Rows({**rows.parts, "shopper_words": silent}, rows.targets)))
    pairs = {(int(mask), int(words)) for mask, words in zip(rows.parts[MASK].index, silent.index, strict=True)}
    assert both == len(pairs) > len(body_rows(rows))


def test_shoppers_of_whom_nothing_was_measured_are_left_out() -> None:
    rows = make_rows(TINY, 256)
    unmeasured = rows.parts[MASK].index < 10
    body = np.where(unmeasured[:, None], np.nan, rows.targets["body"]).astype(np.float32)
    people = body_rows(Rows(rows.parts, {**rows.targets, "body": body}))
    assert len(people) == len(np.unique(rows.parts[MASK].index[~unmeasured]))
    assert not np.isnan(people.targets["body"]).all(axis=1).any()


@pytest.mark.parametrize("gone", ["images", "measurements"])
def test_a_phase_over_bodies_that_no_row_shows_is_refused_in_a_sentence(gone: str) -> None:
    rows = make_rows(TINY, 32)
    if gone == "images":
        rows = rows.without((MASK,))
    else:
        rows = Rows(rows.parts, {**rows.targets, "body": np.full_like(rows.targets["body"], np.nan)})
    with pytest.raises(ConfigError, match="expected rows of measured shoppers with an image to learn bodies from"):
        fit(build_model(phases(), rows), rows, phases(), lambda event: None, place=Place())


def test_that_phase_has_its_own_epochs_batch_and_rate_and_freezes_nothing() -> None:
    config = phases(body_rate=0.02, frozen=(MASK,), looks_epochs=3)
    own = body_config(config)
    assert (own.epochs, own.batch_size, own.learning_rate) == (2, 16, 0.02)
    assert (own.frozen, own.looks_epochs, own.body_epochs, own.run_length) == ((), 0, 0, 1)
    assert (own.missing, own.augmentation) == (config.missing, config.augmentation)


def test_epochs_are_numbered_through_looks_bodies_and_orders() -> None:
    rows = make_rows(TINY, 128)
    _, epochs = fitted(rows, phases(looks_epochs=2, looks_batch_size=8), val=rows)
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3, 4, 5]
    assert [set(epoch.metrics) for epoch in epochs[:4]] == [set(LOOKS), set(LOOKS), {"body"}, {"body"}]
    assert set(epochs[4].metrics) == set(TINY.tasks)


def test_bodies_are_learnt_from_silhouettes_and_stay_learnt_while_orders_are() -> None:
    rows = make_rows(TINY, 128).without(("shopper_words",))
    config = phases(body_epochs=20, body_batch_size=8, body_rate=1e-2, frozen=(MASK,), missing={}, augmentation={})
    short, epochs = fitted(rows, config, val=rows)
    long, _ = fitted(rows, replace(config, epochs=2))
    height = [epoch.metrics["body"]["mae"]["height_cm"] for epoch in epochs]
    assert height[19] < 0.5 * height[0]
    assert same(tower(short, MASK), tower(long, MASK))
    assert not same(tower(short, MASK), tower(build_model(config, rows), MASK))
    assert not same(tower(short, "size"), tower(long, "size"))


def test_a_model_that_tells_no_bodies_is_refused() -> None:
    own = {task: weight for task, weight in TINY.tasks.items() if task != "body"}
    with pytest.raises(ConfigError, match="expected a model with task body to learn bodies first"):
        TrainConfig(model=replace(TINY, tasks=own), body_epochs=1)


def test_whose_measurements_are_told_in_part_stays() -> None:
    rows = make_rows(TINY, 64)
    body = rows.targets["body"].copy()
    body[:, 1:] = np.nan
    assert len(body_rows(Rows(rows.parts, {**rows.targets, "body": body}))) == len(body_rows(rows))


def test_shoppers_come_in_the_order_of_their_first_rows() -> None:
    rows = make_rows(TINY, 64)
    backwards = rows.take(np.arange(63, -1, -1))
    column = body_rows(backwards).parts[MASK]
    seen = [int(column.values[i, 0, 0]) for i in column.index]
    own = backwards.parts[MASK]
    assert list(dict.fromkeys(seen)) == list(dict.fromkeys(int(own.values[i, 0, 0]) for i in own.index))
