"""`python -m serve export`: the order lines as a table to fit on, with what is known of each one's advice and garment.

The columns are those that `python -m train fit --data table:FILE` reads: a line's own, height and weight as they were
rounded in the advice that it came from, the garment's words, and the chart of the size that was ordered. What nobody said is
empty: a garment that was kept without a word has no `fit`, so that fitting decides for the table as a whole what that is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from tryon_core.batch import CHART
from tryon_core.errors import ConfigError

from .config import Settings
from .records import Advice, GarmentRecord, OrderLine
from .store import Store, open_store

_TEXTS = ("style_id", "title", "brand", "department", "category", "description", "size_system")
_LINE = ("order_line_id", "ordered_at", "occurred_at", "garment_id", "size", "outcome", "fit", "reason", "customer_key")
_ADVICE = ("recommendation_id", "advised_size", "advised_fit", "height_cm", "weight_kg")
_NUMBERS = ("advised_fit", "height_cm", "weight_kg", *(f"{key}_{end}" for key in CHART for end in ("low", "high")))
_SIZE = ("chart_of", *(f"{key}_{end}" for key in CHART for end in ("low", "high")))
COLUMNS = (*_LINE, *_ADVICE, *_TEXTS, *_SIZE)
"""Of the order lines' table."""
GARMENT_COLUMNS = ("garment_id", *_TEXTS, "size", *_SIZE)
"""Of the garments' table, which has a line for each size."""
_PAGE = 2000


def add_export_command(commands: Any) -> None:
    """Add the command to a parser's sub-commands."""
    export = commands.add_parser("export", help="write the order lines as a table to fit on")
    export.add_argument("--out", required=True, metavar="FILE", help="a Parquet file, replaced where it is there")
    export.add_argument("--garments", metavar="FILE", help="a second Parquet file, of all sizes of all garments")
    export.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="settings, as store=sqlite:////var/shop/store.db")


def run_export(options: argparse.Namespace, settings: Settings) -> int:
    """Run the command; it prints how many lines it wrote.

    Raises:
        TryonError: the store cannot be read, or a file cannot be written.
    """
    url = settings.placed().store
    file = url.removeprefix("sqlite:///")
    if file != url and not os.path.exists(file):
        raise ConfigError(f"expected a store to export, got nothing at {file}")
    lines, garments = asyncio.run(_export(url, options.out, options.garments))
    sys.stdout.write(f"{lines} order lines in {options.out}\n")
    if options.garments:
        sys.stdout.write(f"{garments} garments in {options.garments}\n")
    return 0


async def _export(url: str, out: str, garments: str | None) -> tuple[int, int]:
    store = await open_store(url)
    try:
        return await export_lines(store, out), await export_garments(store, garments) if garments else 0
    finally:
        await store.close()


async def export_lines(store: Store, out: str) -> int:
    """Write every order line; return how many. The file is there whole or not at all.

    Raises:
        StoreError: the store does not answer.
        ConfigError: the file cannot be written.
    """
    num, cursor, now = 0, "", datetime.now(UTC).timestamp()
    with _table(out, COLUMNS) as write:
        while True:
            lines, cursor = await store.lines.page(cursor, _PAGE)
            garments = await store.garments.get_many(sorted({line.garment_id for line in lines}))
            ids = sorted({line.recommendation_id for line in lines if line.recommendation_id})
            advices = await store.shoppers.get_advices(ids, now=now) if ids else {}
            found = ((line, garments.get(line.garment_id), advices.get(line.recommendation_id or "")) for line in lines)
            await asyncio.to_thread(write, [_row(*each) for each in found])
            num += len(lines)
            if not cursor:
                return num


async def export_garments(store: Store, out: str) -> int:
    """Write every garment, a line for each size; return how many garments. The file is there whole or not at all.

    Raises:
        StoreError: the store does not answer.
        ConfigError: the file cannot be written.
    """
    num, cursor = 0, ""
    with _table(out, GARMENT_COLUMNS) as write:
        while True:
            records, cursor = await store.garments.page(cursor, _PAGE)
            await asyncio.to_thread(write, [row for record in records for row in _sizes(record)])
            num += len(records)
            if not cursor:
                return num


def _row(line: OrderLine, garment: GarmentRecord | None, advice: Advice | None) -> dict[str, Any]:
    """Return a line's columns; what is missing is nothing."""
    items = () if advice is None else advice.items
    advised = next((item for item in items if item.garment_id == line.garment_id), None)
    return {
        "order_line_id": line.order_line_id,
        "ordered_at": _moment(line.ordered_at),
        "occurred_at": _moment(line.occurred_at),
        "garment_id": line.garment_id,
        "size": line.size,
        "outcome": line.outcome,
        "fit": line.fit,
        "reason": line.reason,
        "customer_key": line.customer or None,
        "recommendation_id": line.recommendation_id,
        "advised_size": advised and advised.size,
        "advised_fit": advised and advised.fit[1],
        "height_cm": advice and advice.height_cm,
        "weight_kg": advice and advice.weight_kg,
        **({} if garment is None else _described(garment)),
        # Under the name that the line was counted by, whatever became of the garment since.
        "style_id": line.history_id if line.history_id != line.garment_id else None,
        **({} if garment is None else _chart(garment, line.size)),
    }


def _sizes(record: GarmentRecord) -> Iterator[dict[str, Any]]:
    labels = [size["label"] for size in record.data.get("sizes") or ()]
    for label in labels or [None]:
        chart = _chart(record, label) if label else {}
        yield {"garment_id": record.id, **_described(record), "size": label, **chart}


def _described(record: GarmentRecord) -> dict[str, Any]:
    return {name: record.data.get(name) or None for name in _TEXTS}


def _chart(record: GarmentRecord, label: str) -> dict[str, Any]:
    for size in record.data.get("sizes") or ():
        if size["label"] == label and size.get("chart"):
            chart: Mapping[str, Any] = size["chart"]
            told = {f"{k}_{end}": float(v[at]) for k, v in chart.items() if v and k in CHART for at, end in enumerate(_ENDS)}
            return {"chart_of": chart.get("of") or "body", **told}
    return {}


_ENDS = ("low", "high")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@contextmanager
def _table(out: str, columns: Sequence[str]) -> Iterator[Any]:
    """Give what writes rows into a Parquet file beside its place, where it is moved behind the block."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, pa.float64() if name in _NUMBERS else pa.string()) for name in columns])
    partial = f"{out}.partial-{os.getpid()}"
    try:
        with parquet.ParquetWriter(partial, schema) as writer:
            yield lambda rows: writer.write_table(pa.Table.from_pylist(rows, schema=schema))
        os.replace(partial, out)
    except OSError as err:
        raise ConfigError(f"expected a place to write {out}, got: {err.strerror or err}") from err
    finally:
        with suppress(FileNotFoundError):
            os.unlink(partial)
