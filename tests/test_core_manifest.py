from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tryon_core.checkpoint import save_checkpoint, save_history
from tryon_core.errors import CheckpointError
from tryon_core.history import FitEvent, History, HistoryConfig
from tryon_core.manifest import HISTORY_FILE, read_history
from tryon_core.model import Model

FLOOR = [
    "batch",
    "catalogue",
    "config",
    "errors",
    "fingerprint",
    "garment",
    "history",
    "manifest",
    "numerals",
    "offers",
    "presets",
    "shopper",
    "text",
    "words",
]


@pytest.fixture
def history() -> History:
    history = History(HistoryConfig(half_life_days=90.0, shopper_cap=2, prior=(0.2, 0.6, 0.2), prior_count=3.0))
    for number in range(60):
        fit = ("small", "fit", "fit", "large")[number % 4]
        history.add(FitEvent(f"g{number % 7}", ("S", "M", "38/40")[number % 3], f"s{number % 9}", fit, float(number)))
    return history


def test_a_history_reads_back_as_it_was_written_without_its_shoppers(tmp_path: Path, history: History) -> None:
    save_history(str(tmp_path), history, 70.0)
    found = read_history(str(tmp_path))
    assert found is not None
    back, day = found
    assert (day, back.config) == (70.0, history.config)
    assert [key for key, _ in back.rows(70.0)] == [key for key, _ in history.rows(70.0)]
    for garment, size, then in (("g1", "M", 70.0), ("g5", "38/40", 200.0), ("new", "M", 70.0)):
        np.testing.assert_allclose(
            back.features(garment, size, None, then), history.features(garment, size, None, then), rtol=1e-5
        )
    assert back.counts(("shopper", "s1"), 70.0).sum() == 0


def test_a_folder_without_a_history_has_none(tmp_path: Path) -> None:
    assert read_history(str(tmp_path)) is None


def test_an_empty_history_reads_back_empty(tmp_path: Path) -> None:
    save_history(str(tmp_path), History(), 3.0)
    found = read_history(str(tmp_path))
    assert found is not None
    assert found[0].rows(3.0) == []


def test_a_damaged_history_is_refused_in_one_line_or_still_reads(tmp_path: Path, history: History) -> None:
    save_history(str(tmp_path), history, 70.0)
    whole = (tmp_path / HISTORY_FILE).read_bytes()
    draw = random.Random(0)
    refusals = []
    for number in range(200):
        content = bytearray(whole[: draw.randrange(len(whole))] if number % 2 else whole)
        for _ in range(3 if number % 2 == 0 else 0):
            content[draw.randrange(len(content))] = draw.randrange(256)
        (tmp_path / HISTORY_FILE).write_bytes(content)
        try:
            read_history(str(tmp_path))
        except CheckpointError as err:
            refusals.append(str(err))
    assert len(refusals) >= 150
    assert not any("\n" in refusal for refusal in refusals)


def test_the_floor_reads_a_checkpoint_without_torch(tmp_path: Path, tiny_model: Model, history: History) -> None:
    manifest = save_checkpoint(str(tmp_path), tiny_model, calibration={}, metrics={}, card="")
    save_history(str(tmp_path), history, 70.0)
    program = f"""
import sys
import {", ".join("tryon_core." + name for name in FLOOR)}
from tryon_core.manifest import read_history, read_manifest
assert read_manifest({str(tmp_path)!r}).fingerprint == {manifest.fingerprint!r}
assert read_history({str(tmp_path)!r})[1] == 70.0
loaded = [name for name in sys.modules if name.split(".")[0] in ("torch", "torchvision", "ray", "PIL")]
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
