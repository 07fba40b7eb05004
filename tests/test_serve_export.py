"""What export writes is what fitting reads: the lines as they ended, with the advice's and the garments' columns."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from serve.__main__ import main
from serve.export import COLUMNS, GARMENT_COLUMNS
from serve.records import Advice, AdvisedItem, GarmentRecord, OrderLine
from serve.store import open_store
from train.config import TrainConfig
from train.data.names import NAMES
from train.data.sim import SimConfig
from train.export import export as write_checkpoint
from train.loop import Place, build_model, fit
from train.progress import Event
from train.sources import load_data
from tryon_core.history import History
from tryon_core.manifest import read_history
from tryon_core.presets import preset

DAY_S = 86_400.0
NEVER = 4e9
SIZES = ("S", "M", "L")


def a_line(n: int) -> OrderLine:
    """Of ten garments in three sizes: a small one comes back, another is kept without a word."""
    small = n % 3 == 0
    return OrderLine(
        order_line_id=f"line-{n:04}",
        garment_id=f"g{n % 10}",
        history_id="style" if n % 10 < 2 else f"g{n % 10}",
        size=SIZES[n % 3],
        outcome="returned" if small else "kept",
        ordered_at=DAY_S * (20_000 + n),
        occurred_at=DAY_S * (20_003.5 + n),
        fit="small" if small else None,
        reason="zu klein" if small else None,
        customer=f"{n % 60:032x}",
        recommendation_id=f"advice-{n}" if n % 2 else None,
    )


async def fill(url: str, num: int) -> None:
    store = await open_store(url)
    charts = [{"label": s, "chart": {"of": "body", "waist_cm": [60 + 6 * n, 66 + 6 * n]}} for n, s in enumerate(SIZES)]
    for n in range(9):  # the tenth garment is not known any more
        data = {"title": f"Loose dress {n}", "category": "dress", "sizes": charts, "price": 9.0}
        await store.garments.put(
            GarmentRecord.of(f"g{n}", data | ({"style_id": "style"} if n < 2 else {}), image=None, now=0)
        )
    await store.lines.put_many([a_line(n) for n in range(num)])
    for n in range(1, num, 2):
        item = AdvisedItem(f"g{n % 10}", "M", 0.7, (0.1, 0.8, 0.1))
        await store.shoppers.put_advice(Advice(f"advice-{n}", (item,), "model", 0.0, NEVER, "", 165, 55 + 5 * (n % 6)))
    await store.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 240 order lines, and what export wrote of it."""
    place = tmp_path_factory.mktemp("export")
    asyncio.run(fill(f"sqlite:///{place}/store.db", 240))
    files = ["--out", f"{place}/orders.parquet", "--garments", f"{place}/garments.parquet"]
    assert main(["export", *files, f"store=sqlite:///{place}/store.db"]) == 0
    return place


def test_every_column_of_orders_and_garments_is_one_that_fitting_reads_or_the_advices_own(folder: Path) -> None:
    orders, garments = (parquet.read_table(folder / f"{name}.parquet") for name in ("orders", "garments"))
    assert tuple(orders.column_names) == COLUMNS
    assert tuple(garments.column_names) == GARMENT_COLUMNS
    own = {"recommendation_id", "advised_size", "advised_fit"}
    assert {*COLUMNS, *GARMENT_COLUMNS} - NAMES - {"department", "category"} <= own
    assert (orders.num_rows, garments.num_rows) == (240, 27)


def test_a_line_has_what_its_advice_and_its_garment_tell_and_what_nobody_said_is_empty(folder: Path) -> None:
    rows = {row["order_line_id"]: row for row in parquet.read_table(folder / "orders.parquet").to_pylist()}
    told = {key: value for key, value in rows["line-0001"].items() if value is not None}
    assert told == {
        "order_line_id": "line-0001",
        "ordered_at": "2024-10-05T00:00:00+00:00",
        "occurred_at": "2024-10-08T12:00:00+00:00",
        "garment_id": "g1",
        "size": "M",
        "outcome": "kept",
        "customer_key": f"{1:032x}",
        "recommendation_id": "advice-1",
        "advised_size": "M",
        "advised_fit": 0.8,
        "height_cm": 165.0,
        "weight_kg": 60.0,
        "style_id": "style",
        "title": "Loose dress 1",
        "category": "dress",
        "chart_of": "body",
        "waist_cm_low": 66.0,
        "waist_cm_high": 72.0,
    }
    unknown = rows["line-0009"]
    assert unknown["fit"] == "small"
    assert unknown["reason"] == "zu klein"
    assert unknown["title"] is None
    assert unknown["advised_size"] == "M"


def test_fitting_reads_an_export_whole_and_counts_history_as_the_store_does(folder: Path) -> None:
    spec = f"table:{folder}/orders.parquet?garments=garments.parquet"
    data = load_data(spec, preset("tiny"), SimConfig(), ("train", "val"))
    assert not [bad for bad in data.rejected if bad.dropped]
    assert sum(len(rows) for rows in data.splits.values()) == 240
    assert {"shopper_words", "garment_words", "size", "history"} <= set(data.splits["train"].parts)

    async def counted() -> np.ndarray:
        store = await open_store(f"sqlite:///{folder}/store.db")
        found = await store.lines.counts(["style"], day=data.day)
        await store.close()
        return sum(found.values(), np.zeros(3))

    by_fitting: History = data.history
    expected = by_fitting.counts(("garment", "style"), data.day)
    np.testing.assert_allclose(asyncio.run(counted()), expected, rtol=0.01)  # a table knows whole days


def test_a_model_is_fitted_on_an_export_and_keeps_its_history(folder: Path, tmp_path: Path) -> None:
    config = TrainConfig(model=preset("tiny"), epochs=1, batch_size=64)
    data = load_data(f"table:{folder}/orders.parquet?garments=garments.parquet", config.model, SimConfig())
    model, losses = build_model(config, data.splits["train"]), list[Event]()
    fit(model, data.splits["train"], config, losses.append, place=Place())
    assert losses
    write_checkpoint(str(tmp_path / "model"), model, data, command="a test", date="2026-01-01", num_resamples=0)
    fitted = read_history(str(tmp_path / "model"))
    assert fitted is not None
    history, day = fitted
    assert day == pytest.approx(data.day)
    assert history.counts(("garment", "style"), day).sum() > 1


def test_a_store_that_is_not_there_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--out", str(tmp_path / "o.parquet"), f"store=sqlite:///{tmp_path}/none.db"]) == 2
    assert "expected a store to export, got nothing at" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_a_file_that_was_there_stays_where_the_export_fails(folder: Path, tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": [1]}), tmp_path / "o.parquet")
    (tmp_path / "damaged.db").write_bytes(b"no database" * 500)
    assert main(["export", "--out", str(tmp_path / "o.parquet"), f"store=sqlite:///{tmp_path}/damaged.db"]) == 2
    assert main(["export", "--out", str(tmp_path / "no" / "o.parquet"), f"store=sqlite:///{folder}/store.db"]) == 2
    assert parquet.read_table(tmp_path / "o.parquet").column_names == ["a"]
    assert not [*tmp_path.glob("*.partial-*")]
