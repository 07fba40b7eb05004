from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.drawn import figure
from train.data.figures import render_mask
from train.mask_study import REGIONS, faults, main, study

PHOTOS = 16


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return render_mask(*figure(), 768, 512)


@pytest.fixture(scope="module")
def studied() -> dict[str, Any]:
    return study(PHOTOS, seed=4)


def widened(mask: np.ndarray, pixels: int) -> np.ndarray:
    """A mask whose outer edges lie farther out by as many pixels to the left and the right."""
    wider = mask.copy()
    for step in range(1, pixels + 1):
        wider |= np.roll(mask, step, axis=1) | np.roll(mask, -step, axis=1)
    return wider


def test_a_mask_has_no_faults_against_itself(truth: np.ndarray) -> None:
    told = faults([(truth, truth)])
    assert told["iou"]["p50"] == 1
    assert all(abs(told["outer"][name]["bias"]) < 1e-6 for name in REGIONS)
    assert told["top"]["p50"] == told["bottom"]["p50"] == told["lost_feet"] == told["holes"] == 0


def test_the_offset_of_a_widened_mask_is_by_how_much_it_is_wider(truth: np.ndarray) -> None:
    tall = np.ptp(np.flatnonzero(truth.any(axis=1))) + 1
    told = faults([(truth, widened(truth, 3))])
    expected = 3 * 192 * 0.92 / tall
    for name in ("waist", "shins"):  # where the outline is steep
        assert told["outer"][name]["bias"] == pytest.approx(expected, rel=0.15)


def test_lost_feet_and_holes_are_counted(truth: np.ndarray) -> None:
    rows, faulty = np.flatnonzero(truth.any(axis=1)), truth.copy()
    faulty[rows[-1] - len(rows) // 25 :] = 0
    middle = rows[0] + int(0.4 * len(rows))
    across = int(np.median(np.flatnonzero(truth[middle])))
    faulty[middle - 12 : middle + 12, across - 12 : across + 12] = 0
    told = faults([(truth, faulty), (truth, truth)])
    assert (told["lost_feet"], told["holes"], told["lost_hands"]) == (0.5, 0.5, 0)


def test_most_rendered_photos_are_used_and_their_masks_are_almost_the_truth(studied: dict[str, Any]) -> None:
    assert sum(studied["refused"].values()) <= 0.2
    assert studied["found"]["iou"]["p50"] > 0.93
    assert abs(studied["found"]["outer"]["waist"]["bias"]) < 0.3


def test_drawn_faults_are_of_the_size_of_the_found_ones(studied: dict[str, Any]) -> None:
    found, drawn = studied["found"], studied["drawn"]
    assert drawn["iou"]["p50"] == pytest.approx(found["iou"]["p50"], abs=0.02)
    assert drawn["iou"]["p5"] == pytest.approx(found["iou"]["p5"], abs=0.06)
    for name in ("chest", "waist", "hips", "thighs", "shins"):
        assert drawn["outer"][name]["bias"] == pytest.approx(found["outer"][name]["bias"], abs=0.2)
        assert 0.4 < drawn["outer"][name]["sd_within"] / found["outer"][name]["sd_within"] < 2.5
    assert drawn["gaps"]["chest"]["bias"] == pytest.approx(found["gaps"]["chest"]["bias"], abs=0.8)
    for part in ("beside the trunk", "between the legs"):
        assert drawn["closed"][part]["share"] == pytest.approx(found["closed"][part]["share"], abs=0.04)
        for width in ("1-2", "2-3", "3-4"):
            near = found["closed"][part]["of_width"][width]
            assert drawn["closed"][part]["of_width"][width] == pytest.approx(near, abs=0.25)
    assert abs(drawn["trunk"]["waist"]["p50"] - found["trunk"]["waist"]["p50"]) < 0.2
    assert drawn["correlation"][3] == pytest.approx(found["correlation"][3], abs=0.25)


def test_the_command_writes_one_object(tmp_path: Path) -> None:
    main(["--photos", "2", "--out", str(tmp_path / "study.json")])
    assert json.loads((tmp_path / "study.json").read_text())["photos"] == 2
