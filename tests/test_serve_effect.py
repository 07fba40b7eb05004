"""The estimators find the effect that logs were made with, where orders with advice are not like those without."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from serve.__main__ import main
from serve.effect import effect, effects_of, held_out, strata
from tryon_core.errors import ConfigError

SAVED = 0.08


def logs(seed: int, num: int = 3000) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Orders of customers who follow advice the oftener the likelier it fits: (customer, returned, followed, chance)."""
    rng = np.random.default_rng(seed)
    who = rng.integers(0, num // 4, num)
    clumsy = rng.normal(0, 0.05, num)[who]
    chance = rng.uniform(0.4, 0.95, num)
    followed = rng.random(num) < chance
    risk = np.clip(0.75 * (1 - chance) + clumsy + 0.1 - SAVED * followed, 0, 1)
    return [f"c{n}" for n in who], rng.random(num) < risk, followed, chance


def test_matched_orders_tell_the_effect_where_all_orders_together_mislead() -> None:
    found, plain = [], []
    for seed in range(20):
        customer, returned, followed, chance = logs(seed)
        found.append(effect(customer, returned, followed, strata(["style"] * len(chance), chance), num_resamples=60))
        plain.append(effect(customer, returned, followed, num_resamples=1).difference)
    assert np.mean([one.difference for one in found]) == pytest.approx(-SAVED, abs=0.015)
    assert np.mean(plain) < -SAVED - 0.05
    assert np.mean([one.interval[0] <= -SAVED <= one.interval[1] for one in found]) >= 0.75


def test_customers_held_out_tell_the_effect_of_showing_advice() -> None:
    rng = np.random.default_rng(0)
    customer = [f"{n:032x}" for n in range(4000)]
    shown = np.array([not held_out(name, 0.25) for name in customer])
    returned = rng.random(4000) < np.where(shown, 0.22, 0.22 + SAVED)
    found = effect(customer, returned, shown, num_resamples=200)
    assert found.interval[0] <= -SAVED <= found.interval[1] < 0
    assert found.num + found.num_without == 4000


def test_an_interval_over_customers_is_wider_than_one_over_orders_where_their_orders_are_alike() -> None:
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(200), 20)
    returned, advised = (rng.random(200) < 0.3)[who], (rng.random(200) < 0.5)[who]
    apart = [str(n) for n in range(len(who))]
    over_customers, over_orders = (
        effect(names, returned, advised, num_resamples=100).interval for names in ([str(n) for n in who], apart)
    )
    assert np.diff(over_customers) > 3 * np.diff(over_orders)


def test_who_is_held_out_is_the_share_asked_for_the_same_for_ever_and_part_of_any_larger_share() -> None:
    names = [f"{n:032x}" for n in range(20_000)]
    small, large = ([held_out(name, share) for name in names] for share in (0.05, 0.2))
    assert np.mean(small) == pytest.approx(0.05, abs=0.006)
    assert np.mean(large) == pytest.approx(0.2, abs=0.01)
    assert all(own <= other for own, other in zip(small, large, strict=True))
    assert held_out("c", 1.0)
    assert not held_out("c", 0.0)
    assert not held_out("", 1.0)


def test_groups_that_are_empty_or_cannot_be_matched_are_refused() -> None:
    yes, no = np.ones(4, bool), np.zeros(4, bool)
    for advised in (yes, no):
        with pytest.raises(ConfigError, match="expected orders with advice and without, got"):
            effect(["a"] * 4, yes, advised)
    with pytest.raises(ConfigError, match="that can be matched, got none"):
        effect(["a"] * 4, yes, np.array([True, True, False, False]), np.array([0, 0, 1, 1]))


def table(file: Path, num: int = 400) -> str:
    customer, returned, followed, chance = logs(0, num)
    columns = {
        "customer_key": customer,
        "garment_id": ["g"] * num,
        "style_id": [None] * num,
        "size": ["M" if own else "L" for own in followed],
        "outcome": ["returned" if own else "kept" for own in returned],
        "fit": ["small" if own else None for own in returned],
        "advised_size": ["M"] * num,
        "advised_fit": chance.tolist(),
    }
    parquet.write_table(pa.table(columns), file)
    return str(file)


def test_the_command_reads_an_export_and_prints_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = table(tmp_path / "orders.parquet")
    assert main(["effect", "--orders", file, "--holdout-share", "0.3", "--resamples", "20"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(json.dumps(effects_of(file, 0.3, num_resamples=20)))
    assert told["matched"]["unmatched_difference"] < told["matched"]["difference"]
    assert told["holdout"]["num"] > told["holdout"]["num_without"] > 0


@pytest.mark.parametrize("arguments", [["--holdout-share", "1"], ["--resamples", "0"], ["--orders", "nowhere.parquet"]])
def test_bad_use_is_one_line_and_status_two(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["effect", "--orders", table(tmp_path / "orders.parquet"), *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
