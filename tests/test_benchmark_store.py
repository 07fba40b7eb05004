"""The store's benchmark on a small store."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks import store as benchmark
from tests.store_cases import KINDS, Places, opened


@pytest.mark.parametrize("kind", KINDS)
def test_it_imports_what_it_is_asked_to_and_the_same_again_changes_no_count(
    kind: str, store_places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "REQUESTS", 2)
    monkeypatch.setattr(benchmark, "BATCH", 50)

    async def check() -> None:
        async with opened(store_places.url(kind)) as store:
            figures = await benchmark.measured(store, 100, 500)
            assert await store.garments.count() == 100
            assert await store.embeddings.encoders() == {("garment_words", "e"): 100}
        assert figures["again"] == {"outcomes": {"same": 50}, "same_counts": True}
        assert {name: figures[name]["num"] for name in ("garments", "embeddings", "lines")} == {
            "garments": 100,
            "embeddings": 100,
            "lines": 500,
        }
        assert all(figures["history_of_200"].values())

    asyncio.run(check())
