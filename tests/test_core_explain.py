from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.serving import Case, untrained_checkpoint, variant
from tryon_core.batch import Column
from tryon_core.checkpoint import Checkpoint, load_checkpoint
from tryon_core.encoding import encode_ablated, encode_images, encode_texts
from tryon_core.explain import WordShare, apart, explanations, log_odds, question, scored_sets, shapley
from tryon_core.garment import garment_words
from tryon_core.manifest import read_history
from tryon_core.offers import ScoreJob, Scores, offers_of, score_job
from tryon_core.presets import preset
from tryon_core.scoring import score

SAID = "165 cm, 55 kg, usually M, 喜欢蓝色"
ROW = 4
PARTS = preset("tiny").parts


@pytest.fixture(scope="module", params=["concat", "attention"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, str]:
    url = untrained_checkpoint(Path(tmp_path_factory.mktemp("models")) / "model", variant("cnn", "gru", request.param))
    return load_checkpoint(url), url


def job_of(checkpoint: tuple[Checkpoint, str], said: str | None = SAID, *, without: str = "") -> ScoreJob:
    loaded, url = checkpoint
    case = Case(without=without, said=said or "")
    garments, model = case.garments(), loaded.model
    history, day = read_history(url) or (None, 0.0)
    shopper = {"person_mask": encode_images(model, "person_mask", [case.photo or b""])[0]} if case.photo else {}
    if case.words:
        shopper["shopper_words"] = encode_texts(model, "shopper_words", [case.words])[0]
    images, every = [case.image(n) or b"" for n in range(2)], np.arange(2)
    words = [garment_words(garment) or "" for garment in garments]
    columns: dict[str, Any] = {"garment_words": Column(np.stack(encode_texts(model, "garment_words", words)), every)}
    columns["garment_image"] = Column(np.stack(encode_images(model, "garment_image", images)), every)
    return score_job(offers_of(garments, history, None, day), shopper, columns)


def test_shares_sum_to_what_the_answer_differs_from_the_one_with_nothing_known(checkpoint: tuple[Checkpoint, str]) -> None:
    job = job_of(checkpoint)
    asked = question(job, ROW, PARTS, {})
    (whole,), (scores,) = score(checkpoint[0], [job]), score(checkpoint[0], [asked.job])
    (nothing,) = score(checkpoint[0], [ScoreJob(1)])
    told = explanations(asked, scores)
    for name, known, unknown in (
        ("match", whole.match[ROW], nothing.match[0]),
        ("confidence", whole.fit[ROW, 1], nothing.fit[0, 1]),
    ):
        found = told[name]
        assert set(found.parts) == {*job.embeddings, *job.numbers}
        assert found.base == pytest.approx(log_odds(np.array([unknown]))[0], abs=1e-4)
        assert found.base + sum(found.parts.values()) == pytest.approx(log_odds(np.array([known]))[0], abs=1e-4)
        assert max(abs(share) for share in found.parts.values()) > 0.05


def test_a_part_that_is_missing_has_no_share(checkpoint: tuple[Checkpoint, str]) -> None:
    asked = question(job_of(checkpoint, without="person_mask"), 0, PARTS, {})
    assert "person_mask" not in asked.parts
    assert asked.job.num_rows == 2 ** len(asked.parts)


def test_a_part_that_the_model_does_not_use_has_no_share(checkpoint: tuple[Checkpoint, str]) -> None:
    used = [part for part in PARTS if part != "history"]
    asked = question(job_of(checkpoint), ROW, used, {})
    assert "history" in question(job_of(checkpoint), ROW, PARTS, {}).parts
    assert set(asked.parts) == set(used) - {"ease", "verdict"}


def test_a_words_share_is_what_the_answer_loses_without_it(checkpoint: tuple[Checkpoint, str]) -> None:
    loaded, _ = checkpoint
    model = loaded.model
    (ablation,) = encode_ablated(model, "shopper_words", [SAID])
    job = job_of(checkpoint)
    asked = question(job, ROW, PARTS, {"shopper_words": ablation})
    (scores,) = score(loaded, [asked.job])
    shares = explanations(asked, scores)["confidence"].words["shopper_words"]
    told = {SAID[share.start : share.end]: share.contribution for share in shares}
    for word, left in (("165 cm", "55 kg, usually M, 喜欢蓝色"), ("M", "165 cm, 55 kg, usually, 喜欢蓝色")):
        chances = [score(loaded, [job_of(checkpoint, said)])[0].fit[ROW, 1] for said in (SAID, left)]
        assert told[word] == pytest.approx(np.subtract(*log_odds(np.array(chances))), abs=5e-3)
    assert {"55 kg", "usually"} <= set(told)
    ends = sorted((share.start, share.end) for share in shares)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(ends))
    assert [abs(s.contribution) for s in shares] == sorted((abs(s.contribution) for s in shares), reverse=True)


def test_a_text_of_one_word_without_it_is_no_text(checkpoint: tuple[Checkpoint, str]) -> None:
    loaded, _ = checkpoint
    (ablation,) = encode_ablated(loaded.model, "shopper_words", ["Medium"])
    assert ablation.without.index.tolist() == [-1]
    asked = question(job_of(checkpoint, "Medium"), ROW, PARTS, {"shopper_words": ablation})
    shares = explanations(asked, score(loaded, [asked.job])[0])["match"].words["shopper_words"]
    known, unknown = (score(loaded, [job_of(checkpoint, said)])[0].match[ROW] for said in ("Medium", None))
    assert shares[0].contribution == pytest.approx(np.subtract(*log_odds(np.array([known, unknown]))), abs=1e-3)


def test_texts_without_words_are_encoded_alike_alone_and_beside_others(checkpoint: tuple[Checkpoint, str]) -> None:
    model = checkpoint[0].model
    texts = [SAID, "", "Medium", "blue " * 80, "!?"]
    together = encode_ablated(model, "shopper_words", texts)
    for text, found in zip(texts, together, strict=True):
        (alone,) = encode_ablated(model, "shopper_words", [text])
        np.testing.assert_array_equal(found.places, alone.places)
        np.testing.assert_array_equal(found.without.index, alone.without.index)
        np.testing.assert_allclose(found.without.values, alone.without.values, atol=1e-2)
        assert found.without.values.dtype == np.float16
        assert found.without.values.flags.c_contiguous
    assert len(together[3].places) == model.config.towers["text"].max_tokens  # type: ignore[union-attr]
    assert [len(together[at].places) for at in (1, 4)] == [0, 0]


def test_what_is_asked_carries_each_value_once(checkpoint: tuple[Checkpoint, str]) -> None:
    (ablation,) = encode_ablated(checkpoint[0].model, "shopper_words", [SAID])
    asked = question(job_of(checkpoint), ROW, PARTS, {"shopper_words": ablation})
    sizes = {part: len(column.values) for part, column in {**asked.job.embeddings, **asked.job.numbers}.items()}
    assert sizes.pop("shopper_words") == 1 + len(ablation.without.values)
    assert set(sizes.values()) == {1}


@given(st.integers(0, 4).flatmap(lambda n: st.lists(st.floats(-9, 9), min_size=2**n, max_size=2**n)))
def test_shapleys_value_is_the_mean_over_all_orders_in_which_players_may_come(won: list[float]) -> None:
    num = len(won).bit_length() - 1
    expected = np.zeros(num)
    orders = list(itertools.permutations(range(num)))
    for order in orders:
        known = 0
        for player in order:
            expected[player] += (won[known | 1 << player] - won[known]) / len(orders)
            known |= 1 << player
    np.testing.assert_allclose(shapley(np.array(won), num), expected, atol=1e-9)


def test_of_more_parts_than_ten_the_shares_are_right_where_pairs_interact_and_sum_to_the_whole() -> None:
    num, rng = 14, np.random.default_rng(0)
    sets = scored_sets(num)
    assert len(sets) < 2**10
    assert (sets[0], sets[-1]) == (0, 2**num - 1)
    plays = (sets[:, None] >> np.arange(num)) & 1
    alone, pairs = rng.normal(size=num), np.triu(rng.normal(size=(num, num)), 1)
    won = plays @ alone + np.einsum("si,ij,sj->s", plays, pairs, plays)
    # Of a pair, an order gives all to the later one, and its reverse to the other: with both, half to each is exact.
    np.testing.assert_allclose(shapley(won, num), alone + (pairs + pairs.T).sum(axis=1) / 2, atol=1e-9)
    odd = won + np.prod(plays[:, :3], axis=1)
    assert shapley(odd, num).sum() == pytest.approx(odd[-1] - odd[0])
    np.testing.assert_allclose((shapley(odd, num) - shapley(won, num))[:3], 1 / 3, atol=0.15)


def test_a_row_of_many_parts_is_explained() -> None:
    columns = {f"p{i}": Column(np.zeros((1, 4), np.float32), np.zeros(1, np.int64)) for i in range(12)}
    asked = question(ScoreJob(1, {}, columns), 0, set(columns), {})
    had = np.stack([asked.job.numbers[part].index >= 0 for part in asked.parts], axis=1)
    chance = 1 / (1 + np.exp(-(had @ np.linspace(-0.5, 0.6, 12))))
    nothing = np.zeros((len(chance), 0))
    told = explanations(asked, Scores(fit=nothing, match=chance, body=nothing))["match"]
    np.testing.assert_allclose(list(told.parts.values()), np.linspace(-0.5, 0.6, 12), atol=1e-6)


def test_words_that_overlap_one_that_moved_more_are_left_out() -> None:
    shares = [WordShare(0, 1, 0.2), WordShare(0, 2, -0.5), WordShare(1, 2, 0.4), WordShare(2, 3, 0.1)]
    assert apart(shares) == [shares[1], shares[3]]
    assert apart([WordShare(0, 1, 0.2), WordShare(0, 2, 0.2)]) == [WordShare(0, 2, 0.2)]
