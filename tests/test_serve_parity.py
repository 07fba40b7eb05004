"""What the graph answers is what the model says in process: every encoder with every fusion, each part missing in turn."""

from __future__ import annotations

import itertools
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from ray import serve

from serve.errors import UnavailableError
from serve.graph import build
from tests.serving import PARTS, Case, assert_equal, reference, untrained_checkpoint, variant
from tryon_core.config import FUSIONS, IMAGE_ENCODERS, TEXT_ENCODERS

PRODUCT = list(itertools.product(IMAGE_ENCODERS, TEXT_ENCODERS, FUSIONS))


def local_graph(url: str) -> Any:
    """Start the graph in this process, without a cluster, and wait until every stage has loaded its model."""
    handle = serve.run(build({"checkpoint": url}), _local_testing_mode=True)
    for _ in range(200):
        try:
            handle.recommend.remote(Case().ask()).result(timeout_s=30)
        except UnavailableError:
            time.sleep(0.02)
        else:
            return handle
    raise TimeoutError("expected every stage to load its model")


@pytest.mark.parametrize(("image", "text", "fusion"), PRODUCT)
def test_the_graph_equals_the_model_with_each_part_missing_in_turn(
    image: str, text: str, fusion: str, tmp_path: Path
) -> None:
    config = variant(image, text, fusion)
    whole = untrained_checkpoint(tmp_path / "whole", config)
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
