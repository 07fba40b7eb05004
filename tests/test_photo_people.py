"""The photo path on photos that no code drew; they are not in the repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tryon_core.person import Person, find_person, frame_mask
from tryon_core.photo import decode
from tryon_core.refusals import refusal_code

PHOTOS = Path(__file__).parent.parent.parent / "shared" / "data" / "people"
EXPECTED = {
    "241": {None, "several"},
    "257": {"no_person", "too_small"},
    "294": {"not_full_body"},
    "328": {"several", "not_full_body", "not_upright"},
    "395": {"not_full_body", "no_person"},
    "459": {"not_full_body"},
    "474": {"not_upright"},
    "564": {"not_upright"},
    "569": {"too_small"},
    "589": {None, "too_small", "not_upright"},
}
"""Codes of refusal that are right for what is in a photo, None for its use. Three sit in 328 and none is whole."""
pytestmark = pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos of people are not beside the checkout")


def person_in(number: str) -> Person:
    return find_person(decode((PHOTOS / f"{number}.jpg").read_bytes()))


@pytest.mark.parametrize("number", EXPECTED)
def test_a_photo_is_used_or_refused_for_what_is_in_it(number: str) -> None:
    assert refusal_code(person_in(number).reason) in EXPECTED[number]


def test_the_mask_of_a_man_before_two_who_sit_is_his_alone() -> None:
    mask = person_in("241").mask
    assert mask is not None
    columns = np.flatnonzero(mask.any(axis=0))
    assert columns[0] > 120
    assert columns[-1] < 340  # the others sit at x of 0 to 130, below his hand, and of 330 to 400
    framed = frame_mask(mask, 96, 64) > 0
    assert 0.2 < framed.mean() < 0.5
