from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tryon_core.batch import Column
from tryon_core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from tryon_core.garment import Garment, Size
from tryon_core.history import FitEvent, History
from tryon_core.model import Model
from tryon_core.offers import Offers, ScoreJob, Scores, offers_of, score_job
from tryon_core.presets import preset
from tryon_core.scoring import score
from tryon_core.tasks import TASKS

GARMENTS = (
    Garment("a", "blue dress", sizes=(Size("S", chart={"chest_cm": (84, 88)}), Size("M", chart={"chest_cm": (88, 92)}))),
    Garment("b", "black coat", sizes=(Size("EU 38"), Size("EU 40"), Size("EU 42"))),
    Garment("c", "hat"),
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_model: Model) -> Checkpoint:
    folder = str(tmp_path_factory.mktemp("checkpoint"))
    save_checkpoint(folder, tiny_model, calibration={"temperature": {"fit": 1.7, "match": 0.8}}, metrics={}, card="")
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def history() -> History:
    history = History()
    for number in range(12):
        history.add(FitEvent("a", "M", f"s{number}", ("small", "fit", "fit")[number % 3], float(number)))
    return history


def encoded(model: Model, part: str, values: Any) -> np.ndarray:
    with torch.no_grad():
        return model.encode(part, values).numpy().astype(np.float16)


def job(model: Model, offers: Offers, shopper: dict[str, Any], garments: tuple[Garment, ...]) -> ScoreJob:
    words = Column(encoded(model, "garment_words", [g.title for g in garments]), np.arange(len(garments)))
    embedded = {part: encoded(model, part, value)[0] for part, value in shopper.items()}
    return score_job(offers, embedded, {"garment_words": words})


def mask(seed: int) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random((1, 48, 32)) > 0.5, 255, 0).astype(np.uint8)


@pytest.fixture(scope="module")
def jobs(checkpoint: Checkpoint, history: History) -> list[ScoreJob]:
    model = checkpoint.model
    return [
        job(
            model,
            offers_of(GARMENTS, history, "s1", 20.0),
            {"shopper_words": ["165 cm 55 kg"], "person_mask": mask(0)},
            GARMENTS,
        ),
        job(model, offers_of(GARMENTS[:1], history, None, 20.0), {"shopper_words": ["6' 200 lb"]}, GARMENTS[:1]),
        job(model, offers_of(GARMENTS[2:], None, None, 20.0), {}, GARMENTS[2:]),
        job(model, offers_of(GARMENTS[1:], None, None, 20.0), {"person_mask": mask(1)}, GARMENTS[1:]),
        score_job(offers_of((), None, None, 0.0), {}, {}),
    ]


def test_jobs_joined_are_scored_as_apart(checkpoint: Checkpoint, jobs: list[ScoreJob]) -> None:
    joined = score(checkpoint, jobs)
    assert [len(scores.match) for scores in joined] == [6, 2, 1, 4, 0]
    for together, alone in zip(joined, (score(checkpoint, [one])[0] for one in jobs), strict=True):
        for name in ("fit", "match", "body"):
            np.testing.assert_allclose(getattr(together, name), getattr(alone, name), atol=1e-5)


def test_the_order_of_jobs_does_not_matter(checkpoint: Checkpoint, jobs: list[ScoreJob]) -> None:
    for there, back in zip(score(checkpoint, jobs), reversed(score(checkpoint, jobs[::-1])), strict=True):
        np.testing.assert_allclose(there.fit, back.fit, atol=1e-5)


def test_scores_are_the_models_own_answers_to_the_same_rows(
    checkpoint: Checkpoint, jobs: list[ScoreJob], history: History
) -> None:
    offers = offers_of(GARMENTS, history, "s1", 20.0)
    rows = np.arange(6)
    batch = {
        "shopper_words": Column(["165 cm 55 kg"], np.zeros(6, np.int64)),
        "person_mask": Column(mask(0), np.zeros(6, np.int64)),
        "garment_words": Column([garment.title for garment in GARMENTS], offers.garment),
        "size": Column(offers.numbers, np.where(offers.size >= 0, rows, -1)),
        "history": Column(offers.history, rows),
    }
    with torch.no_grad():
        outputs = checkpoint.model(batch)
    (scores,) = score(checkpoint, jobs[:1])
    np.testing.assert_allclose(scores.fit, torch.softmax(outputs["fit"] / 1.7, dim=1).numpy(), atol=1e-5)
    np.testing.assert_allclose(scores.match, torch.sigmoid(outputs["match"][:, 0] / 0.8).numpy(), atol=1e-5)
    np.testing.assert_allclose(scores.body, TASKS["body"].predict(outputs["body"], 1.0).numpy(), rtol=1e-5)


def test_the_body_is_the_same_in_every_row_of_a_shopper(checkpoint: Checkpoint, jobs: list[ScoreJob]) -> None:
    (scores,) = score(checkpoint, jobs[:1])
    np.testing.assert_array_equal(scores.body, np.repeat(scores.body[:1], 6, axis=0))
    assert np.abs(scores.fit - scores.fit[0]).max() > 1e-5


def test_no_jobs_give_no_scores_and_a_job_without_rows_empty_ones(checkpoint: Checkpoint, jobs: list[ScoreJob]) -> None:
    (empty,) = score(checkpoint, jobs[4:])
    assert (empty.fit.shape, empty.match.shape) == ((0, 3), (0,))


def test_a_task_that_the_model_lacks_is_an_empty_array(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Model(preset("article")).eval()
    save_checkpoint(str(tmp_path), model, calibration={}, metrics={}, card="")
    checkpoint = load_checkpoint(str(tmp_path))
    one = job(checkpoint.model, offers_of(GARMENTS, None, None, 0.0), {"shopper_words": ["tall"]}, GARMENTS)
    (scores,) = score(checkpoint, [one])
    assert isinstance(scores, Scores)
    assert (scores.match.shape, scores.fit.size, scores.body.size) == ((6,), 0, 0)
