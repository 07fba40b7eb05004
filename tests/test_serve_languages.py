"""In which language an answer is, and that the answer says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.languages import LANGUAGES, language_of
from tests.in_process import client, service
from tests.serving import Case, untrained_checkpoint, variant


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ([], "en"),
        ([""], "en"),
        (["de"], "de"),
        (["de-AT"], "de"),
        (["DE"], "de"),
        (["zh-Hans-CN"], "zh"),
        (["zh-TW,zh;q=0.9,en;q=0.8"], "zh"),
        (["en-US,en;q=0.9,de;q=0.8"], "en"),
        (["fr, de;q=0.5, en;q=0.4"], "de"),
        (["fr"], "en"),
        (["fr, it;q=0.7"], "en"),
        (["en;q=0.1, zh;q=0.2"], "zh"),
        (["de;q=0.5, zh;q=0.5"], "zh"),
        (["*"], "en"),
        (["*;q=0.1, de;q=0.05"], "en"),
        (["de;q=0, *"], "en"),
        (["en;q=0, *;q=0.5"], "zh"),
        (["en;q=0"], "en"),
        (["de;q=0, zh;q=0, en;q=0"], "en"),
        (["de ; q=0.8 , zh ; q=0.9"], "zh"),
        (["de;q=1.5, zh;q=0.1"], "zh"),
        (["de;q=abc, zh;q=0.1"], "zh"),
        (["de;q=-1, zh;q=0.1"], "zh"),
        (["german"], "en"),
        (["ende"], "en"),
        ([";;;,,q=1"], "en"),
        (["fr", "de"], "de"),
        ([",".join(["fr"] * 5000) + ",de"], "en"),
    ],
)
def test_the_language_wanted_most_is_taken_and_english_where_none_is_spoken(accepted: list[str], language: str) -> None:
    assert language_of(accepted) == language


@given(st.lists(st.text(), max_size=4))
def test_no_header_is_refused(accepted: list[str]) -> None:
    assert language_of(accepted) in LANGUAGES


def test_answers_are_in_the_language_asked_for_and_say_so(tmp_path: Path) -> None:
    url = untrained_checkpoint(tmp_path / "model", variant("cnn", "gru", "concat"))
    body = Case("person_mask").body()

    async def test() -> None:
        async with service(url) as (ingress, _), client(ingress) as http:
            told = {}
            for accepted, language in (("de-DE,de;q=0.9", "de"), ("zh-CN", "zh"), ("fr", "en"), ("", "en")):
                answer = await http.post("/v1/recommendations", json=body, headers={"Accept-Language": accepted})
                assert answer.headers["content-language"] == language
                assert "Accept-Language" in answer.headers["vary"]
                told[language] = [one["reasons"] for one in answer.json()["recommendations"]]
                codes = [[r["code"] for r in one["reason_codes"]] for one in answer.json()["recommendations"]]
                assert [len(own) for own in codes] == [len(own) for own in told[language]]
            assert told["en"] != told["de"] != told["zh"] != told["en"]
            predicted = await http.post("/v1/predict", files={"text": (None, "165 cm")}, headers={"Accept-Language": "de"})
            assert predicted.headers["content-language"] == "de"
            assert "Accept-Language" in predicted.headers["vary"]

    asyncio.run(asyncio.wait_for(test(), 60))
