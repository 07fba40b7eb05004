"""A shop's order lines: what each says, checked; it knows no model. These are a table's columns, all but three optional.

| column | what |
|---|---|
| `ordered_at` | required: ISO date or time, UTC unless it says otherwise |
| `garment_id` | required |
| `outcome` | kept, returned or exchanged; required unless `fit` says more |
| `fit` | what the shopper said of it: small, fit, large |
| `reason` | why it came back, in the shop's words; see `tryon_core.reasons` |
| `occurred_at` | when outcome and reason were known; where missing, option `delay` says how many days after the order |
| `order_line_id` | the line's own name; of lines with the same, the one with the latest `occurred_at` counts |
| `order_id` | lines of one order; several sizes of a garment in one say which is preferred |
| `customer_key` | whose order it is; any text that is the same for the same person and tells nobody who |
| `size` | the label that was ordered |
| `height_cm` `weight_kg` `usual_size` `sex` `preferences` `shopper_words` | what the shopper said of themselves |
| `chest_cm` `waist_cm` `hip_cm` … | the shopper's body, measured, of `batch.MEASUREMENTS` |
| `photo` `mask` | path of a photo of the shopper, or of the person's mask (white on black) |
| `style_id` `title` `brand` `department` `category` `description` `size_system` | the garment, as the HTTP API has it |
| `garment_words` | what is said of the garment, in place of those |
| `garment_image` | path of its product photo |
| `colour` `pattern` `cut` | what it looks like, in the words of `batch.LOOKS`; joins the description where that is silent |
| `waist_cm_low` `waist_cm_high` … | chart of the size that was ordered, of `batch.CHART` |

Numbers may have a decimal comma where no comma parts columns. Names written as 1000.0 are 1000.
A line that repeats another in every column is refused where it names its order or customer but no `order_line_id`.
Paths are relative to the table. Garments may have a table of their own, a line for each size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tryon_core.batch import FIT_CLASSES, MEASUREMENTS
from tryon_core.errors import InputError, expected_one_of
from tryon_core.reasons import Reasons
from tryon_core.shopper import Profile, shopper_words

from .rejects import Rejected
from .repeats import latest, repeated
from .tables import Table

OUTCOMES = ("kept", "returned", "exchanged")
_RANGES = {"height_cm": (50.0, 250.0), "weight_kg": (20.0, 350.0)}
_GIRTHS = (10.0, 250.0)
_DAY_S = 86_400
_EARLY_DAYS = 1.0
"""How much earlier than its order an outcome may seem to be known: dates and time zones are mixed."""
_MOST = 3e38
"""What single precision holds; an infinite number is none."""


@dataclass(frozen=True)
class OrderLine:
    """One line that was read; texts are empty and numbers None where nothing was said."""

    row: int
    """In the table."""
    order: str = ""
    customer: str = ""
    day: float = 0.0
    """When it was ordered, days since 1970 (UTC)."""
    told: float | None = None
    """When the outcome was known, in the same days; None where it is not said."""
    garment: str = ""
    size: str = ""
    kept: bool | None = None
    fit: int = -1
    """Index into `FIT_CLASSES` of what was said or follows from the reason; −1 where neither tells."""
    silent: bool = False
    """Whether it was kept and nobody said how it fits."""
    body: dict[str, float] = field(default_factory=dict)
    """Measurement to cm or kg."""
    words: str | None = None
    """What the shopper said, as one text."""

    @property
    def holder(self) -> str:
        """Whose line it is, as far as that is known: the customer's, else the order's, else the garment's."""
        return self.customer or self.order or self.garment


def required(table: Table, *, orders: bool) -> list[tuple[str, ...]]:
    """Return what a table lacks: for each, the columns of which it needs one."""
    wanted = [("ordered_at",), ("garment_id",), ("outcome", "fit")] if orders else []
    return [names for names in wanted if not any(name in table.columns for name in names)]


def read_lines(table: Table, reasons: Reasons, *, orders: bool) -> tuple[list[OrderLine], list[Rejected]]:
    """Return the lines that read, by day, and those that do not.

    Args:
        table: under the names above.
        orders: whether lines are orders; otherwise nothing is required of them.
    """
    lines, rejected = [], list(table.rejected)
    again = repeated(table, range(len(table))) if orders else {}
    rejected += again.values()
    for row in range(len(table)):
        if row in again:
            continue
        try:
            lines.append(_line(table, row, reasons, orders))
        except InputError as err:
            rejected.append(table.refused(row, err.detail))
    known = [line.day if line.told is None else line.told for line in lines]
    current = [lines[at] for at in latest(table, [line.row for line in lines], known)]
    return sorted(current, key=lambda line: line.day), rejected


def _line(table: Table, row: int, reasons: Reasons, orders: bool) -> OrderLine:
    values = {name: table.label(name, row) for name in ("order_id", "customer_key", "garment_id", "size")}
    reason = table.value("reason", row)
    day = _day("ordered_at", table.value("ordered_at", row), required=orders)
    told = _day("occurred_at", table.value("occurred_at", row), required=False)
    if day is not None and told is not None and told < day - _EARLY_DAYS:
        raise InputError(f"expected occurred_at behind ordered_at, got {table.value('occurred_at', row)!r}")
    if orders and not values["garment_id"]:
        raise InputError("expected garment_id, got nothing")
    body = dict(_numbers(table, row))
    outcome, said = (
        _choice("outcome", table.value("outcome", row), OUTCOMES),
        _choice("fit", table.value("fit", row), FIT_CLASSES),
    )
    if orders and not outcome and not said:
        raise InputError("expected outcome or fit, got neither")
    meaning = reasons.meaning(reason)
    said = said or (meaning if meaning in FIT_CLASSES else "")
    kept = None if not outcome or (meaning == "ignore" and outcome != "kept") else outcome == "kept"
    return OrderLine(
        row=row,
        order=values["order_id"],
        customer=values["customer_key"],
        day=day or 0.0,
        told=told,
        garment=values["garment_id"],
        size=values["size"],
        kept=kept,
        fit=FIT_CLASSES.index(said) if said else -1,
        silent=bool(kept) and not said,
        body=body,
        words=_words(table, row, body),
    )


def _words(table: Table, row: int, body: dict[str, float]) -> str | None:
    profile = Profile(
        height_cm=body.get("height_cm"),
        weight_kg=body.get("weight_kg"),
        usual_size=table.value("usual_size", row),
        sex=table.value("sex", row),
        preferences=table.value("preferences", row),
    )
    return shopper_words(table.value("shopper_words", row), profile)


def _numbers(table: Table, row: int) -> Iterator[tuple[str, float]]:
    for name in MEASUREMENTS:
        text = table.number(name, row)
        if text:
            yield name, number(name, text, *_RANGES.get(name, _GIRTHS))


def number(name: str, text: str, low: float = float("-inf"), high: float = float("inf")) -> float:
    """Return a value as a number in a range.

    Raises:
        InputError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (low <= value <= high and abs(value) <= _MOST):
        within = f" from {low:g} to {high:g}" if high < float("inf") else ""
        raise InputError(f"expected {name} as a number{within}, got {text!r}")
    return value


def _day(name: str, text: str, *, required: bool) -> float | None:
    if not text and not required:
        return None
    try:
        moment = datetime.fromisoformat(text)
        at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return at.timestamp() / _DAY_S
    except (ValueError, OverflowError):
        raise InputError(f"expected {name} as an ISO date such as 2026-03-31, got {text!r}") from None


def _choice(name: str, text: str, choices: tuple[str, ...]) -> str:
    folded = text.casefold()
    if folded and folded not in choices:
        raise InputError(expected_one_of(name, text, choices))
    return folded
