"""What explanations name is what matters, by the deletions of the benchmark on fewer cases."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from benchmarks.explain_deletion import cases, deletions
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.checkpoint import load_checkpoint


@pytest.mark.slow
def test_taking_away_what_is_named_moves_answers_further_than_as_much_at_random() -> None:
    checkpoint, rng = load_checkpoint(SHIPPED_CHECKPOINT), np.random.default_rng(0)
    further: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for case in cases(checkpoint, 60, rng):
        for (_, what, num), found in deletions(checkpoint, case, rng):
            further[what, num].append(found.named > found.drawn)
    shares = {line: float(np.mean(own)) for line, own in further.items()}
    assert set(shares) == {(what, n) for what in ("parts", "shopper_words", "garment_words") for n in (1, 2, 3)}
    assert min(shares.values()) > 0.7, shares  # 120 cases a line; the benchmark's 1,000 tell more than 0.8
