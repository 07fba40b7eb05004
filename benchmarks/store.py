"""What the store costs: `python -m benchmarks.store --store URL [--garments N] [--lines N]`, on an empty store.

Imports garments (parsed from NDJSON lines, six sizes with charts each) and then order lines, in batches of 1,000 as the
import routes do; imports the first tenth of the lines again, which must change no count; and reads what a request of 200
garments needs. The rate of the last tenth is told beside the whole one, so that it can be seen whether it falls as the
store grows; CPU seconds are of this process, all threads, and say on a busy machine what the others took away. Prints one
JSON object; times are of this machine, seconds unless the name says otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import psutil

from serve.records import EmbeddingRow, GarmentRecord, OrderLine
from serve.store import Store, open_store

NOW = 1_790_000_000.0
DAY = 86400.0
BATCH = 1000
ASKED = 200
REQUESTS = 200
LABELS = ("XS", "S", "M", "L", "XL", "XXL")


def garment_line(n: int) -> str:
    """Return the n-th garment as a line of NDJSON, about 1.3 kB."""
    charts = [{"of": "body", "chest_cm": [80 + 6 * at, 86 + 6 * at], "waist_cm": [62, 68]} for at in range(len(LABELS))]
    sizes = [{"label": label, "in_stock": True, "chart": chart} for label, chart in zip(LABELS, charts, strict=True)]
    words = f"Garment {n} of a cloth that is described at some length, in colour {n % 40}. " * 5
    told = {"title": f"Dress {n}", "brand": f"Brand {n % 300}", "style_id": f"style-{n // 4}", "category": "dress"}
    return json.dumps({"id": f"sku-{n:07d}", **told, "description": words, "price": "29.90 EUR", "sizes": sizes})


def order_lines(num: int, num_garments: int) -> Iterator[list[OrderLine]]:
    """Yield batches of order lines: some garments sell far better than others, a customer has about ten lines."""
    for start in range(0, num, BATCH):
        rng = np.random.default_rng(start)
        garments = np.minimum(rng.zipf(1.3, BATCH) * rng.integers(1, 50, BATCH), num_garments) - 1
        customers, days, told = rng.integers(0, max(num // 10, 1), BATCH), rng.uniform(0, 365, BATCH), rng.random((BATCH, 2))
        yield [
            OrderLine(
                order_line_id=f"order-{n:09d}",
                garment_id=f"sku-{garments[at]:07d}",
                history_id=f"style-{garments[at] // 4}",
                size=LABELS[n % 6],
                outcome="returned" if told[at, 0] < 0.3 else "kept",
                ordered_at=NOW - DAY * (days[at] + 14),
                occurred_at=NOW - DAY * days[at],
                fit="small" if told[at, 1] < 0.15 else "large" if told[at, 1] < 0.3 else "fit",
                customer=f"{customers[at]:032x}",
            )
            for at, n in enumerate(range(start, min(start + BATCH, num)))
        ]


async def _timed(batches: Iterator[Any], put: Callable[[Any], Awaitable[Any]], num: int) -> dict[str, float]:
    """Write batches; return how long it took, at what rate in all and in the last tenth, and how memory grew."""
    begun, cpu, done, memory, tenths = time.perf_counter(), time.process_time(), 0, list[int](), list[float]()
    for batch in batches:
        await put(batch)
        done += len(batch)
        if done * 10 // num > len(tenths):
            tenths.append(time.perf_counter() - begun)
            memory.append(psutil.Process().memory_info().rss >> 20)
    last = tenths[-1] - tenths[-2] if len(tenths) > 1 else tenths[-1]
    return {
        "num": done,
        "seconds": tenths[-1],
        "cpu_seconds": time.process_time() - cpu,
        "per_second": done / tenths[-1],
        "per_second_last_tenth": done / len(tenths) / last,
        "memory_mib_after_first_tenth": memory[0],
        "memory_mib_at_end": memory[-1],
    }


async def _latency_ms(ask: Callable[[np.random.Generator], Awaitable[Any]]) -> dict[str, float]:
    times, cpu = [], time.process_time()
    for n in range(REQUESTS):
        begun = time.perf_counter()
        await ask(np.random.default_rng(n))
        times.append(1000 * (time.perf_counter() - begun))
    cpu_ms = 1000 * (time.process_time() - cpu) / REQUESTS
    return {"p50_ms": float(np.percentile(times, 50)), "p99_ms": float(np.percentile(times, 99)), "cpu_ms": cpu_ms}


async def measured(store: Store, num_garments: int, num_lines: int) -> dict[str, Any]:
    """Return the figures of an empty store."""

    def record(n: int) -> GarmentRecord:
        data = json.loads(garment_line(n))
        return GarmentRecord.of(data.pop("id"), data, image=None, now=NOW)

    async def encoded(garments: list[GarmentRecord]) -> None:
        part, value = "garment_words", b"\0" * 512
        await store.embeddings.put_many([EmbeddingRow(own.id, part, "e", own.contents[part], value) for own in garments])

    def garments() -> Iterator[list[GarmentRecord]]:
        return ([record(n) for n in range(at, min(at + BATCH, num_garments))] for at in range(0, num_garments, BATCH))

    figures: dict[str, Any] = {"garments": await _timed(garments(), store.garments.put_many, num_garments)}
    figures["embeddings"] = await _timed(garments(), encoded, num_garments)
    figures["lines"] = await _timed(order_lines(num_lines, num_garments), store.lines.put_many, num_lines)
    styles = [f"style-{n}" for n in range(num_garments // 4)]
    before, outcomes = await store.lines.counts(styles, day=NOW / DAY), Counter[str]()
    for _, batch in zip(range(max(num_lines // BATCH // 10, 1)), order_lines(num_lines, num_garments), strict=False):
        outcomes.update(await store.lines.put_many(batch))
    after = await store.lines.counts(styles, day=NOW / DAY)
    figures["again"] = {
        "outcomes": dict(outcomes),
        "same_counts": before.keys() == after.keys() and all((before[key] == after[key]).all() for key in before),
    }
    one = next(order_lines(1, num_garments))[0]

    def skus(rng: np.random.Generator) -> list[str]:
        return [f"sku-{n:07d}" for n in rng.integers(0, num_garments, ASKED)]

    def popular(rng: np.random.Generator) -> list[str]:
        return [f"style-{n}" for n in rng.integers(0, min(500, len(styles)), ASKED)]

    figures["one_line"] = await _latency_ms(
        lambda rng: store.lines.put_many([replace(one, order_line_id=f"late-{rng.integers(1 << 60)}", customer="")])
    )
    figures["history_of_200"] = await _latency_ms(lambda rng: store.lines.counts(popular(rng), day=NOW / DAY))
    figures["garments_200"] = await _latency_ms(lambda rng: store.garments.get_many(skus(rng)))
    figures["embeddings_200"] = await _latency_ms(lambda rng: store.embeddings.get_many(skus(rng), "garment_words", "e"))
    figures["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return figures


async def _run(options: argparse.Namespace) -> dict[str, Any]:
    store = await open_store(options.store)
    try:
        if await store.garments.count():
            sys.exit(f"expected an empty store, got garments in {options.store}")
        return await measured(store, options.garments, options.lines)
    finally:
        await store.close()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description="What the store costs.")
    parser.add_argument("--store", required=True, help="URL of an empty store, as sqlite:////tmp/store.db")
    parser.add_argument("--garments", type=int, default=100_000)
    parser.add_argument("--lines", type=int, default=300_000)
    json.dump(asyncio.run(_run(parser.parse_args())), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
