"""Order lines that a table has more than once: the same line as it was known at several times, or written twice."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from .rejects import Rejected
from .tables import Table

log = logging.getLogger(__name__)


def latest(table: Table, rows: Sequence[int], known: Sequence[float]) -> list[int]:
    """Return the places of the lines that no later one of the same ``order_line_id`` replaces, in their order.

    Args:
        rows: the lines' rows in the table.
        known: when each was known, in days; of lines known at once, the one further down is the later.
    """
    last: dict[str, int] = {}
    for at, row in enumerate(rows):
        name = table.label("order_line_id", row)
        if name and (name not in last or (known[at], row) > (known[last[name]], rows[last[name]])):
            last[name] = at
    kept = [at for at, row in enumerate(rows) if last.get(table.label("order_line_id", row), at) == at]
    if len(kept) < len(rows):
        log.info("%d lines are older states of others by order_line_id, and left out", len(rows) - len(kept))
    return kept


def repeated(table: Table, rows: Sequence[int]) -> dict[int, Rejected]:
    """Return, by row, lines that say the same as one above them in every column, and of the same order or customer.

    Lines that tell neither, and those with an ``order_line_id``, are never the same.

    Args:
        rows: in the order of the table.
    """
    first, found = dict[tuple[str, ...], int](), dict[int, Rejected]()
    columns = list(table.columns.values())
    for row in rows:
        if table.value("order_line_id", row) or not (table.value("order_id", row) or table.value("customer_key", row)):
            continue
        above = first.setdefault(tuple(values[row] for values in columns), row)
        if above != row:
            found[row] = table.refused(row, f"expected every order line once, got line {table.lines[above]} again")
    return found
