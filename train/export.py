"""From a fitted model to a checkpoint folder: calibrate, score, write beside the goal, and move into place last."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fsspec

from tryon_core.checkpoint import as_stored, save_checkpoint, save_history
from tryon_core.errors import ConfigError
from tryon_core.model import Model

from .calibrate import calibrate
from .card import model_card
from .evaluate import evaluate
from .mix import calibrated_on, calibration_rows
from .resample import RESAMPLES
from .rows import Rows, halves
from .sources import Data


def check_free(out: str) -> None:
    """Refuse a folder that holds anything or cannot be written, before a run and not behind it.

    Raises:
        ConfigError: there is a file, or a folder that is not empty, or nothing can be made there.
    """
    try:
        files, folder = fsspec.core.url_to_fs(out)
        taken = files.exists(folder) and (files.isfile(folder) or files.ls(folder))
        if not taken:
            trial = _beside(folder)
            files.makedirs(trial)
            files.rmdir(trial)
    except (OSError, ImportError, ValueError) as err:
        raise ConfigError(f"expected a folder that can be written, got {out}: {err}") from err
    if taken:
        raise ConfigError(f"expected a new or empty folder, got {out}, which holds something")


def export(
    out: str, model: Model, data: Data, *, command: str, date: str, num_resamples: int = RESAMPLES
) -> Mapping[str, Any]:
    """Write a checkpoint folder, whole or not at all on a file system, and return the scores that it states.

    An object store moves file by file: there, a reader that comes too early finds a folder that does not read.

    Args:
        out: a path or fsspec URL where nothing is yet.
        date: the day of making, as it is to be shown.
        num_resamples: of shoppers, for the scores' intervals.
    """
    _, scored = halves(data.splits["val"])
    as_stored(model)
    calibration = calibrate(model, calibration_rows(data))
    about = _scores(model, data, scored, calibration, num_resamples) | {"made": date, "command": command}
    about["calibrated_on"] = calibrated_on(data) if any(calibration.values()) else "nothing"
    card = model_card(
        model.config,
        command=command,
        date=date,
        num_weights=sum(p.numel() for p in model.parameters()),
        data=data.about,
        metrics=about["val"],
        calibrated_on=about["calibrated_on"],
    )
    with _moved_when_whole(out) as place:
        save_history(place, data.history, data.day)
        save_checkpoint(place, model, calibration=calibration, metrics=about, card=card)
    scores: Mapping[str, Any] = about["val"]
    return scores


def _scores(model: Model, data: Data, scored: Rows, calibration: Mapping[str, Any], num_resamples: int) -> dict[str, Any]:
    """Return the scores that a checkpoint states, of its own source and of each other, and how to have the data again."""
    temperature = calibration["temperature"]
    val = evaluate(
        model,
        scored,
        temperature,
        half_widths=calibration.get("body_half_width", {}),
        offered=data.offered.get("val"),
        num_resamples=num_resamples,
    )
    about = {"val": rounded(val), "data": dict(data.about)}
    others = {spec: rounded(evaluate(model, halves(rows)[1], temperature)) for spec, rows in data.others.items()}
    return about | ({"others": others} if others else {})


@contextmanager
def _moved_when_whole(out: str) -> Iterator[str]:
    """Give a place beside a folder to write into, which becomes that folder behind the block, or goes if that fails."""
    files, folder = fsspec.core.url_to_fs(out)
    partial = _beside(folder)
    try:
        yield files.unstrip_protocol(partial)
        if files.exists(folder):
            files.rmdir(folder)
        files.mv(partial, folder, recursive=True)
    finally:
        if files.exists(partial):
            files.rm(partial, recursive=True)


def _beside(folder: str) -> str:
    return f"{folder.rstrip('/')}.partial-{time.time_ns()}"


def rounded(value: Any) -> Any:
    """Return JSON data with floats to five digits; what is no number becomes null."""
    if isinstance(value, Mapping):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry) for entry in value]
    if isinstance(value, float):
        return round(value, 5) if value == value else None
    return value
