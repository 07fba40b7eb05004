"""What the graph answers is what the model says in process: every encoder with every fusion, each part missing in turn."""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray import serve

from serve.errors import UnavailableError
from serve.graph import build
from tests.serving import PARTS, Case, Reference, assert_equal, reference, untrained_checkpoint, variant
from tryon_core.checkpoint import load_checkpoint, save_checkpoint
from tryon_core.config import FUSIONS, IMAGE_ENCODERS, TEXT_ENCODERS
from tryon_core.model import Model

PRODUCT = list(itertools.product(IMAGE_ENCODERS, TEXT_ENCODERS, FUSIONS))
# Every pair of a text encoder and a fusion in each run, with image encoders in turn; the others with what is slow.
IN_EACH_RUN = {
    (IMAGE_ENCODERS[(n + n // len(FUSIONS)) % len(IMAGE_ENCODERS)], *pair)
    for n, pair in enumerate(itertools.product(TEXT_ENCODERS, FUSIONS))
}
MARKED = [pytest.param(choice, marks=[] if choice in IN_EACH_RUN else [pytest.mark.slow]) for choice in PRODUCT]


def local_graph(url: str) -> Any:
    """Start the graph in this process, without a cluster, and wait until every stage has loaded its model."""
    handle = serve.run(build({"checkpoint": url}), _local_testing_mode=True)
    for _ in range(200):
        try:
            if not handle.recommend.remote(Case().ask()).result(timeout_s=30).degraded:
                return handle
        except UnavailableError:
            pass
        time.sleep(0.02)
    raise TimeoutError("expected every stage to load its model")


def _moved(one: Reference, two: Reference) -> float:
    """The largest difference between two answers' probabilities."""
    return max(float(np.abs(np.array([one[key][0], *one[key][1]]) - [two[key][0], *two[key][1]]).max()) for key in one | two)


@pytest.fixture(scope="module", params=MARKED, ids="-".join)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint of every image encoder with every text encoder and fusion."""
    return untrained_checkpoint(tmp_path_factory.mktemp("models") / "whole", variant(*request.param))


def test_the_models_that_parity_is_shown_with_tell_every_part_apart(whole: str) -> None:
    changes = {
        "another photo": Case(build=1.5),
        "swapped images": Case(drawn=(1, 0)),
        "other shopper's words": Case(said="190 cm, 110 kg, usually XXL, likes slim black jeans"),
        "other garments' words": Case(colours=("black", "green")),
    }
    told = {name: _moved(reference(whole, Case()), reference(whole, case)) for name, case in changes.items()}
    assert min(told.values()) > 1e-2, told


def test_a_weighted_fusion_answers_otherwise_than_an_average_of_the_same_weights(tmp_path: Path) -> None:
    url = untrained_checkpoint(tmp_path / "weighted", variant("cnn", "gru", "weighted"), history=False)
    average = Model(variant("cnn", "gru", "average"))
    weighted = load_checkpoint(url)
    average.load_state_dict(weighted.model.state_dict())
    save_checkpoint(
        str(tmp_path / "average"), average, calibration=weighted.manifest.calibration, metrics={}, card="untrained"
    )
    case = Case("history")
    assert _moved(reference(url, case), reference(str(tmp_path / "average"), case)) > 1e-2


def test_the_graph_equals_the_model_with_each_part_missing_in_turn(whole: str, tmp_path: Path) -> None:
    forgetful = str(shutil.copytree(whole, tmp_path / "forgetful", ignore=shutil.ignore_patterns("history.parquet")))
    handle = local_graph(whole)
    for without in ("", *PARTS):
        url = forgetful if without == "history" else whole
        if url is forgetful:
            handle.reconfigure.remote({"checkpoint": url}).result(timeout_s=30)
        case = Case(without)
        answer = handle.recommend.remote(case.ask()).result(timeout_s=60)
        assert_equal(answer.model_dump(), reference(url, case))
        assert answer.photo.used == (without != "person_mask")
        assert (answer.history_as_of is None) == (without == "history")
    handle.close.remote().result(timeout_s=30)
