"""A new checkpoint's embeddings for the whole catalogue: in one go or in several, and what serving does with them."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
from pathlib import Path

import pytest

from serve import reencode as module
from serve.__main__ import main
from serve.blobs import Blobs
from serve.config import Settings
from serve.reencode import reencode
from serve.store import open_store
from tests.drawn import garment_image
from tests.in_process import client, service
from tests.serving import Case, assert_equal, reference, untrained_checkpoint, variant
from tryon_core.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("models")
    config = variant("cnn", "gru", "concat")
    return untrained_checkpoint(folder / "old", config), untrained_checkpoint(folder / "new", config, seed=1)


def test_a_catalogue_is_encoded_for_a_new_model_and_gone_on_with_where_it_was_stopped(
    urls: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = urls
    monkeypatch.setattr(module, "_PAGE", 2)
    settings = Settings(checkpoint=new, store=f"sqlite:///{tmp_path}/store.db", blobs=f"{tmp_path}/blobs")
    case = Case(without="person_mask")
    lines = [*case.body()["garments"], *({"id": f"h{n}", "title": f"no. {n}"} for n in range(5))]
    lines.append({"id": "z", "image_base64": base64.b64encode(garment_image(0)[:200]).decode()})

    async def test() -> None:
        kept = {"store": settings.store, "blobs": settings.blobs}
        async with service(old, **kept) as (ingress, _), client(ingress) as http:
            answer = await http.post("/v1/garments/import", content="\n".join(map(json.dumps, lines)))
            assert answer.json()["accepted"] == 8

            checkpoint, store = load_checkpoint(new), await open_store(settings.store)
            words = module._Part(
                "garment_words", module._encoders(checkpoint)["garment_words"], checkpoint, store, Blobs("")
            )
            pages = words.pages()
            assert await anext(pages) == (2, 0, 0)
            await pages.aclose()  # as if it had been stopped here
            await store.close()

            report = await reencode(settings, show=False)
            assert (report["encoded"], report["refused"], report["missing"]) == (5 + 2, 1, 0)
            assert (await reencode(settings, show=False))["encoded"] == 0
            by_old = {"shopper": case.body()["shopper"], "garment_ids": ["g0", "g1"]}
            assert_equal((await http.post("/v1/recommendations", json=by_old)).json(), reference(old, case))
        async with service(new, **kept) as (ingress, stages), client(ingress) as http:
            assert_equal((await http.post("/v1/recommendations", json=by_old)).json(), reference(new, case))
            assert stages.image.encode.num_calls == 0
            assert stages.text.encode.num_calls == 1  # the shopper's words
        report = await reencode(dataclasses.replace(settings, checkpoint=new), prune=True, show=False)
        assert report["pruned"] == 2 + 2

    asyncio.run(asyncio.wait_for(test(), 300))
    assert main(["reencode", f"checkpoint={new}", f"store={settings.store}", f"blobs={settings.blobs}", "--progress"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["encoded"] == 0
    assert "part" in told.err
    assert main(["reencode", f"checkpoint={tmp_path}/none"]) == 2
