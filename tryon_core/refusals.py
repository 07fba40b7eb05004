"""Why a photo is not used: stable codes for programs, and the sentence that each of them is for people; no torch."""

from __future__ import annotations

REFUSALS = {
    "no_person": "no person was found in the picture",
    "several": "more than one person is large in the picture",
    "not_full_body": "the whole body, head to feet, is not in the picture",
    "too_small": "the person is too small in the picture",
    "not_upright": "the person is not standing upright with straight legs",
    "not_facing": "the person is turned too far to the side",
    "not_sharp": "the picture is not sharp enough",
    "unclear": "the person's outline is not clear against the background",
}
"""Code to sentence."""

_CODES = {sentence: code for code, sentence in REFUSALS.items()}


def refusal_code(sentence: str | None) -> str | None:
    """Return the code of a sentence in `REFUSALS`; None where it is none of them."""
    return _CODES.get(sentence or "")
