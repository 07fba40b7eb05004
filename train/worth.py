"""What a photo and words add to each other, by the same resamples of the same rows, so that the difference is told and not
two scores whose intervals overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .resample import Ints, Resamples, interval
from .scores import Floats, losses

_WITHOUT = {"photo": "words", "words": "photo"}
"""What is left where each is missing, of what is known of a shopper."""


def worth(claims: Mapping[str, Floats], label: Ints, oracle: Floats | None, resamples: Resamples | None) -> dict[str, Any]:
    """Return by how much the NLL of `fit` is less with the photo than with words alone, and with words than with it alone.

    ``nll_less`` is in nats; ``gain_share`` is the same as a share of what the oracle gains over the labels' own shares.

    Args:
        claims: by what is known (``both``, ``words``, ``photo``), float[N, 3], calibrated probabilities.
        label: int64[N].
        oracle: float[N, 3], of whoever knows how labels were drawn; None where nobody does.
        resamples: of the N rows, for 95 % intervals.
    """
    columns = {known: losses(own, label) for known, own in claims.items()}
    if oracle is not None:
        share = np.bincount(label, minlength=oracle.shape[1]) / len(label)
        columns |= {"oracle": losses(oracle, label), "prior": -np.log(np.maximum(share, 1e-12))[label]}
    values = np.stack([*columns.values()], axis=1)
    mean = dict(zip(columns, values.mean(axis=0), strict=True))
    drawn = {} if resamples is None else dict(zip(columns, resamples.means(values).T, strict=True))
    return {part: _told(mean, drawn, left) for part, left in _WITHOUT.items()}


def _told(mean: Mapping[str, Any], drawn: Mapping[str, Floats], left: str) -> dict[str, Any]:
    told: dict[str, Any] = {name: float(value) for name, value in _less(mean, left).items()}
    return told | ({"interval": {name: interval(samples) for name, samples in _less(drawn, left).items()}} if drawn else {})


def _less(nll: Mapping[str, Any], left: str) -> dict[str, Any]:
    less = nll[left] - nll["both"]
    return {"nll_less": less} | ({"gain_share": less / (nll["prior"] - nll["oracle"])} if "oracle" in nll else {})
