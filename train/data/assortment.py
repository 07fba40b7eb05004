"""The garments of a shop's tables: facts, ladders of sizes and charts, from order lines or a table of their own.

A garments' table has a line for each size of a garment, from small to large, with the columns of `order_lines` that tell of
garments; facts may stand in one line of a garment alone. Without it, a garment's sizes are those that were ordered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tryon_core.batch import CHART, LOOKS
from tryon_core.errors import InputError, expected_one_of
from tryon_core.garment import Garment, Size, garment_words
from tryon_core.sizes import SIZE_SYSTEMS
from tryon_core.words import parse_size

from .order_lines import number
from .rejects import Rejected
from .tables import Table

_TEXTS = ("style_id", "title", "brand", "department", "category", "description", "size_system")
_FACTS = (*_TEXTS, "garment_words", "garment_image")
_LOOKS = tuple(look for look in LOOKS if look not in _FACTS)


@dataclass
class Described:
    """A garment as tables tell of it."""

    id: str
    facts: dict[str, str] = field(default_factory=dict)
    """Column to the first value that is not empty."""
    sizes: dict[str, Size] = field(default_factory=dict)
    """Label to size, in the ladder's order."""
    listed: bool = False
    """Whether a garments' table lists its sizes, so that there are no others."""
    image_of: tuple[Table, int] | None = None
    """The table and row in which its picture is named."""

    def garment(self) -> Garment:
        """Return it as the core has it; looks that no text tells join the description."""
        told = {name: self.facts.get(name, "") for name in _TEXTS}
        said = " ".join(told[name] for name in ("title", "brand", "category", "description")).casefold()
        looks = [look for name in _LOOKS if (look := self.facts.get(name, "")) and look.casefold() not in said]
        told["description"] = " ".join(filter(None, (told["description"], *looks)))
        return Garment(id=self.id, sizes=tuple(self.sizes.values()), **told)

    def words(self) -> str | None:
        """Return the garment's words, as a column has them or from what it tells."""
        return self.facts.get("garment_words") or garment_words(self.garment())

    def look(self, name: str) -> int:
        """Return the class of a look, −1 where it is not told in the words of `LOOKS`."""
        told = self.facts.get(name, "").casefold()
        return LOOKS[name].index(told) if told in LOOKS[name] else -1


def read_garments(table: Table) -> tuple[dict[str, Described], list[Rejected]]:
    """Return the garments of a table of their own, by id, and the lines that do not read."""
    found: dict[str, Described] = {}
    rejected = list(table.rejected)
    for row in range(len(table)):
        try:
            own = _described(found, table, row, table.label("garment_id", row))
            label = table.label("size", row)
            if label in own.sizes:
                raise InputError(f"expected each size of garment {own.id} once, got {label!r} again")
            if label:
                own.sizes[label] = _size(table, row, label)
                own.listed = True
        except InputError as err:
            rejected.append(table.refused(row, err.detail))
    return found, rejected


def add_ordered(found: dict[str, Described], table: Table, ordered: Sequence[tuple[int, str, str]]) -> dict[int, str]:
    """Add what order lines tell of garments; return the rows whose size or chart cannot be, each with why.

    Args:
        found: by id, changed in place.
        ordered: of each line its row, the garment's id and the size's label.
    """
    faults, touched = dict[int, str](), dict[str, Described]()
    for row, garment, label in ordered:
        try:
            own = _described(found, table, row, garment)
            if own.listed and label and label not in own.sizes:
                raise InputError(expected_one_of(f"a size of garment {garment}", label, own.sizes))
            if label and label not in own.sizes:
                own.sizes[label] = _size(table, row, label)
            touched[garment] = own
        except InputError as err:
            faults[row] = err.detail
    for own in touched.values():
        if not own.listed:
            own.sizes = {label: own.sizes[label] for label in ladder(own.sizes)}
    return faults


def ladder(labels: Iterable[str]) -> list[str]:
    """Return labels from small to large; those that tell no size come last."""

    def place(label: str) -> tuple[int, float, str]:
        told = parse_size(label)
        return (SIZE_SYSTEMS.index(told[0]), told[1], label) if told else (len(SIZE_SYSTEMS), 0.0, label)

    return sorted(labels, key=place)


def _described(found: dict[str, Described], table: Table, row: int, garment: str) -> Described:
    if not garment:
        raise InputError("expected garment_id, got nothing")
    own = found.setdefault(garment, Described(garment))
    for name in (*_FACTS, *_LOOKS):
        told = table.label(name, row) if name == "style_id" else table.value(name, row)
        if told and name not in own.facts:
            own.facts[name] = told
            if name == "garment_image":
                own.image_of = table, row
    return own


def _size(table: Table, row: int, label: str) -> Size:
    return Size(label, chart=dict(_chart(table, row)), chart_of=table.value("chart_of", row) or "body")


def _chart(table: Table, row: int) -> Iterable[tuple[str, tuple[float, float]]]:
    for key in CHART:
        low, high = table.number(f"{key}_low", row), table.number(f"{key}_high", row)
        if low or high:
            yield key, (number(f"{key}_low", low or high), number(f"{key}_high", high or low))
