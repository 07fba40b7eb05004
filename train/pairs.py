"""Preferences between rows: of several sizes of one garment in one order, the one that was kept over those that went back.

What is compared is the shopper's own choice of the moment, so that taste and whatever else is the same in both drops out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from tryon_core.batch import FIT_CLASSES

from .rows import Rows

_FIT = FIT_CLASSES.index("fit")


def pair_losses(outputs: Mapping[str, Tensor], rows: Rows) -> Tensor:
    """Return float32[P], for every pair how far the model is from preferring what was kept (Bradley and Terry, 1952).

    It is −log σ(s(kept) − s(returned)), s the log-odds of the match and those of fit, averaged over what the model tells.

    Args:
        outputs: raw outputs of the rows' tasks.
        rows: with extra ``pair``, int64[B], the same number in rows to compare, −1 in none; and task ``match``'s targets.
    """
    kept, returned = pairs(rows.extra["pair"], rows.targets["match"])
    scores = [score for score in (_match(outputs), _fit(outputs)) if score is not None]
    if not scores:
        return next(iter(outputs.values())).new_zeros(0)
    one, other = (torch.as_tensor(index, device=scores[0].device) for index in (kept, returned))
    return torch.stack([F.softplus(score[other] - score[one]) for score in scores]).mean(dim=0)


def pairs(group: npt.NDArray[np.int64], match: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.int64], ...]:
    """Return int64[P] rows that were kept, and int64[P] rows of the same group that went back, all such pairs."""
    kept, returned = (np.flatnonzero((group >= 0) & (match == outcome)) for outcome in (1, 0))
    same = group[kept][:, None] == group[returned][None, :]
    one, other = np.nonzero(same)
    return kept[one], returned[other]


def _match(outputs: Mapping[str, Tensor]) -> Tensor | None:
    return outputs["match"][:, 0] if "match" in outputs else None


def _fit(outputs: Mapping[str, Tensor]) -> Tensor | None:
    """Return float32[B], the log-odds that it fits."""
    if "fit" not in outputs:
        return None
    raw = outputs["fit"]
    others = [at for at in range(len(FIT_CLASSES)) if at != _FIT]
    return raw[:, _FIT] - raw[:, others].logsumexp(dim=1)
