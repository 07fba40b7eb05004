"""What is to be learnt from a table's lines: weighted verdicts, preferences, bodies, looks, and classes of one's own."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tryon_core.batch import FIT_CLASSES, LOOKS, MEASUREMENTS
from tryon_core.config import ModelConfig
from tryon_core.errors import ConfigError, expected_one_of

from .data.assortment import Described
from .data.columns import Columns
from .data.order_lines import OrderLine
from .data.tables import Table
from .rows import Array, tastes

log = logging.getLogger(__name__)

_FIT = FIT_CLASSES.index("fit")
_WEAK = 0.25
_CALIBRATED = ("fit", "match", "body")
_CALIBRATE = 0.5
"""Share of the shoppers, of those who are not fitted on, to calibrate on and not to score."""
OPINIONS = 0.5
"""Share of the keeps said to fit, among those and the silent, from which on silence is no verdict."""


@dataclass(frozen=True)
class Verdicts:
    """How every line's garment fitted, as far as anybody knows."""

    fit: npt.NDArray[np.int64]
    """int64[N], index into `FIT_CLASSES`; kept without a word counts as fit; −1 unknown."""
    silent: npt.NDArray[np.bool_]
    """bool[N], kept without a word."""
    weight: float
    """How much a silent line counts."""
    told: bool
    """Whether it is mostly said what fits, see `OPINIONS`: silent ones are then learnt from and no more."""

    def counted(self) -> npt.NDArray[np.int64]:
        """Return int64[N], what fit history counts of every line."""
        return np.where(self.silent & self.told, -1, self.fit)

    def without_silent(self, targets: Mapping[str, Array], rows: npt.NDArray[np.int64]) -> dict[str, Array]:
        """Return targets of the chosen rows without what nobody said."""
        if "fit" not in targets:
            return dict(targets)
        return {**targets, "fit": np.where(self.silent[rows], -1, targets["fit"])}


def verdicts(lines: Sequence[OrderLine], weak: float | None) -> Verdicts:
    """Return the lines' verdicts.

    What silent keeps count as depends on the table as a whole: where returns tell what does not fit and hardly a keep tells
    what does, history of told verdicts alone would find every garment wrong.

    Args:
        weak: weight of a line kept without a word; see `TableOptions.weak`.
    """
    fit = np.array([line.fit for line in lines], dtype=np.int64)
    silent = np.array([line.silent for line in lines], dtype=bool)
    said, unsaid = int((fit == _FIT).sum()), int(silent.sum())
    told = said > 0 and said >= OPINIONS * (said + unsaid)
    if unsaid:
        become = "they count less, and in no history or score" if told else "they count as fits"
        log.info("%d lines say that it fits, %d were kept without a word: %s", said, unsaid, become)
    return Verdicts(np.where(silent, _FIT, fit), silent, weak if weak is not None else _WEAK if told else 1.0, told)


def targets(
    config: ModelConfig,
    columns: Columns,
    table: Table,
    lines: Sequence[OrderLine],
    garments: Mapping[str, Described],
    said: Verdicts,
) -> dict[str, Array]:
    """Return the targets of every task of a model, N each, unknown where the table does not tell.

    Raises:
        ConfigError: nothing in a table can tell a task.
    """
    kept = np.array([np.nan if line.kept is None else float(line.kept) for line in lines], dtype=np.float32)
    body = np.array([[line.body.get(key, np.nan) for key in MEASUREMENTS] for line in lines], dtype=np.float32)
    known: dict[str, Array] = {"match": kept, "fit": said.fit, "body": body}
    for look, names in LOOKS.items():
        classes = {name: own.look(look) for name, own in garments.items()}
        known[look] = np.array([classes[line.garment] for line in lines], dtype=np.int64)
        met = np.where(known[look] >= 0, kept, np.nan)
        known[f"taste_{look}"] = tastes(met, said.fit, known[look].clip(0), len(names))
    for name, task in (config.own_tasks or {}).items():
        column = columns.tasks[name][1] if name in columns.tasks else name
        known[name] = np.array([_class(table.value(column, line.row), task.classes) for line in lines], dtype=np.int64)
    for name in config.tasks:
        if name not in known:
            raise ConfigError(expected_one_of("task that a table tells", name, known))
    return {name: known[name] for name in config.tasks}


def extras(
    config: ModelConfig,
    lines: Sequence[OrderLine],
    garments: Mapping[str, Described],
    said: Verdicts,
    chosen: npt.NDArray[np.int64],
) -> dict[str, Array]:
    """Return what else the chosen rows have: who ordered, who calibrates, which rows are compared, what counts less."""
    nobody = -1 - np.arange(len(lines))
    customers = {name: at for at, name in enumerate(dict.fromkeys(line.customer for line in lines if line.customer))}
    shopper = np.array([customers.get(line.customer, -1) for line in lines], dtype=np.int64)
    weight = np.where(said.silent, said.weight, 1.0).astype(np.float32)
    extra: dict[str, Array] = {"shopper": np.unique(np.where(shopper < 0, nobody, shopper), return_inverse=True)[1][chosen]}
    if any(task in config.tasks for task in _CALIBRATED):
        apart = {name: among(_CALIBRATE, f"calibrate {name}") for name in {line.holder for line in lines}}
        extra["calibrate"] = np.array([apart[line.holder] for line in lines], dtype=bool)[chosen]
    pair = preferences(lines, garments)[chosen]
    if (pair >= 0).any():
        extra["pair"] = pair
    if said.weight != 1:
        extra["weight_fit"] = weight[chosen]
    return extra


def among(share: float, key: str) -> bool:
    """Return whether a key is among about a share of all keys, the same in every table and process."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2**64


def preferences(lines: Sequence[OrderLine], garments: Mapping[str, Described]) -> npt.NDArray[np.int64]:
    """Return int64[N], a number for lines of one order that are sizes of one garment, some kept and some not; else −1."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at, line in enumerate(lines):
        if line.order and line.size and line.kept is not None:
            found[line.order, garments[line.garment].id].append(at)
    pair = np.full(len(lines), -1, dtype=np.int64)
    for number, rows in enumerate(found.values()):
        sizes, kept = {lines[at].size for at in rows}, {lines[at].kept for at in rows}
        if len(sizes) == len(rows) > 1 and len(kept) == 2:
            pair[rows] = number
    return pair


def _class(value: str, classes: Sequence[str]) -> int:
    return classes.index(value) if value in classes else -1
