"""Scores of groups of rows, and the groups for which a model is worse than for all: nobody's average hides theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.batch import FIT_CLASSES, HISTORY_FIELDS

from .rows import Array, Rows
from .scores import binary_scores, class_scores

PREFIX = "group_"
"""Before a grouping's name in `Rows.extra`: str[N], the group that each row is of, empty where it is not known."""
LARGE = 1000
"""Rows from which on a group's score is taken for more than luck."""
NAMED_FROM = 0.03
"""By how much AUC a large group lies below all rows where the model card names it."""
_EVENTS = {"under 1": 0.0, "1 to 4": 1.0, "4 to 16": 4.0, "16 and more": 16.0}
"""Least number of fit events, aged, of each group by history."""


@dataclass(frozen=True)
class Behind:
    """A large group for which the model ranks worse than for all rows."""

    grouping: str
    group: str
    num: int
    auc: float
    """Of `fit`, mean over classes."""
    lag: float
    """By how much that is below all rows'."""


def groupings(rows: Rows) -> dict[str, npt.NDArray[np.str_]]:
    """Return str[N] per grouping: those that the source told, and cold and warm garments and shoppers by their history."""
    found = {name.removeprefix(PREFIX): own for name, own in rows.extra.items() if name.startswith(PREFIX)}
    history = rows.parts.get("history")
    if history is None or not history.present.all():
        return found
    for owner in ("garment", "shopper"):
        logs = history.values[history.index, HISTORY_FIELDS.index(f"{owner}_log_count")]
        place = np.searchsorted(list(_EVENTS.values()), np.expm1(logs) + 1e-3, side="right") - 1
        found[f"{owner}_events"] = np.array([*_EVENTS])[place.clip(0)]
    return found


def group_scores(predicted: Mapping[str, Array], rows: Rows) -> dict[str, dict[str, Any]]:
    """Return grouping and group to what is scored of its rows; a group without some class of fit has no score of fit.

    A grouping of which no row has a group is left out.

    Args:
        predicted: task name to calibrated probabilities, of which ``fit``, float[N, 3], and ``match``, float[N], are scored.
    """
    whole = _fit_scores(predicted, rows, np.ones(len(rows), bool))
    result: dict[str, dict[str, Any]] = {}
    for grouping, names in groupings(rows).items():
        own = {str(name): _scores(predicted, rows, names == name, whole) for name in _in_order(names) if name}
        result[grouping] = {name: scores for name, scores in own.items() if scores}
    return {grouping: groups for grouping, groups in result.items() if groups}


def behind(by_group: Mapping[str, Mapping[str, Mapping[str, Any]]], at_least: float = NAMED_FROM) -> list[Behind]:
    """Return the groups of `LARGE` or more whose AUC is more than so much below all rows', the worst first."""
    found = [
        Behind(grouping, group, scores["num"], scores["fit_auc_mean"], scores["fit_auc_lag"])
        for grouping, groups in by_group.items()
        for group, scores in groups.items()
        if scores["num"] >= LARGE and scores.get("fit_auc_lag", 0.0) > at_least
    ]
    return sorted(found, key=lambda one: -one.lag)


def _in_order(names: npt.NDArray[np.str_]) -> list[str]:
    """Return the groups there are: those by history by their counts, others by name."""
    there = set(names.tolist())
    return [name for name in _EVENTS if name in there] if there <= {*_EVENTS} else sorted(there)


def _scores(
    predicted: Mapping[str, Array], rows: Rows, chosen: npt.NDArray[np.bool_], whole: Mapping[str, Any]
) -> dict[str, Any]:
    scores = _fit_scores(predicted, rows, chosen)
    if "fit_auc_mean" in scores:
        scores["fit_auc_lag"] = whole["fit_auc_mean"] - scores["fit_auc_mean"]
    if "match" in predicted:
        told = chosen & ~np.isnan(rows.targets["match"])
        if told.any():
            scores["match_auc"] = binary_scores(predicted["match"][told], rows.targets["match"][told] > 0.5)["auc"]
    return scores


def _fit_scores(predicted: Mapping[str, Array], rows: Rows, chosen: npt.NDArray[np.bool_]) -> dict[str, Any]:
    told = chosen & (rows.targets["fit"] >= 0) if "fit" in predicted else chosen
    found: dict[str, Any] = {"num": int(told.sum())}
    if "fit" in predicted and len(np.unique(rows.targets["fit"][told])) == len(FIT_CLASSES):
        label = rows.targets["fit"][told]
        own = class_scores(predicted["fit"][told], label, FIT_CLASSES)
        found |= {f"fit_{key}": own[key] for key in ("auc_mean", "nll", "ece")}
        if "oracle_fit" in rows.extra:
            found["oracle_fit_auc_mean"] = class_scores(rows.extra["oracle_fit"][told], label, FIT_CLASSES)["auc_mean"]
    return found
