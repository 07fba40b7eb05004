from __future__ import annotations

import numpy as np

from tryon_core.batch import HISTORY_FIELDS, SIZE_FIELDS, Column
from tryon_core.garment import Garment, Size, size_numbers
from tryon_core.history import FitEvent, History
from tryon_core.offers import Offers, Scores, choose, offers_of, score_job

GARMENTS = (
    Garment("a", sizes=(Size("S"), Size("M"), Size("L"))),
    Garment("b"),
    Garment("c", style_id="style", sizes=(Size("EU 38"), Size("EU 40"))),
)
NONE = np.zeros((0, 0), np.float32)


def offers() -> Offers:
    return offers_of(GARMENTS, None, None, 0.0)


def scores(fit: list[float], match: list[float]) -> Scores:
    shares = np.array([[0.9 - f, f, 0.1] for f in fit], np.float32)
    return Scores(shares if fit else NONE, np.array(match, np.float32) if match else NONE, NONE)


def test_a_garment_has_a_row_for_each_size_and_one_without_any_has_one_of_no_size() -> None:
    rows = offers()
    assert rows.garment.tolist() == [0, 0, 0, 1, 2, 2]
    assert rows.size.tolist() == [0, 1, 2, -1, 0, 1]
    assert rows.history is None
    np.testing.assert_array_equal(rows.numbers[1], size_numbers(GARMENTS[0], 1))
    np.testing.assert_array_equal(rows.numbers[4], size_numbers(GARMENTS[2], 0))
    assert np.isnan(rows.numbers[3]).all()


def test_no_garments_have_no_rows() -> None:
    rows = offers_of((), History(), None, 0.0)
    assert rows.numbers.shape == (0, len(SIZE_FIELDS))
    assert choose(rows, scores([], [])) == []
    assert score_job(rows, {}, {}).num_rows == 0


def test_history_is_looked_up_by_style_size_label_and_shopper() -> None:
    history = History()
    history.add(FitEvent("style", "EU 40", "s", "small", 0.0))
    rows = offers_of(GARMENTS, history, "s", 10.0)
    assert rows.history is not None
    assert rows.history.shape == (6, len(HISTORY_FIELDS))
    np.testing.assert_array_equal(rows.history[5], history.features("style", "EU 40", "s", 10.0))
    np.testing.assert_array_equal(rows.history[4], history.features("style", "EU 38", "s", 10.0))
    np.testing.assert_array_equal(rows.history[3], history.features("b", "", "s", 10.0))
    assert rows.history[5, 0] > rows.history[4, 0] - 1e-6
    assert rows.history[5, HISTORY_FIELDS.index("garment_size_log_count")] > 0


def test_the_size_most_likely_to_fit_is_recommended_and_garments_are_ranked_by_its_match() -> None:
    chosen = choose(offers(), scores([0.1, 0.7, 0.3, 0.2, 0.6, 0.5], [0.9, 0.3, 0.9, 0.5, 0.8, 0.99]))
    assert [(choice.garment, choice.row) for choice in chosen] == [(2, 4), (1, 3), (0, 1)]
    assert [choice.rows.tolist() for choice in chosen] == [[4, 5], [3], [0, 1, 2]]


def test_a_size_out_of_stock_is_never_recommended_and_a_garment_without_any_stays_out() -> None:
    stock = np.array([True, False, True, False, True, True])
    chosen = choose(offers(), scores([0.1, 0.7, 0.3, 0.9, 0.6, 0.5], [0.5] * 6), in_stock=stock)
    assert {choice.garment: choice.row for choice in chosen} == {0: 2, 2: 4}
    assert {choice.garment: choice.rows.tolist() for choice in chosen}[0] == [0, 1, 2]
    assert choose(offers(), scores([0.5] * 6, [0.5] * 6), in_stock=np.zeros(6, bool)) == []


def test_without_fit_the_match_decides_and_without_match_the_fit_ranks() -> None:
    by_match = choose(offers(), scores([], [0.1, 0.2, 0.6, 0.5, 0.9, 0.3]))
    assert [choice.row for choice in by_match] == [4, 2, 3]
    by_fit = choose(offers(), scores([0.1, 0.2, 0.6, 0.5, 0.8, 0.3], []))
    assert [choice.row for choice in by_fit] == [4, 2, 3]


def test_equal_garments_keep_their_order() -> None:
    assert [choice.garment for choice in choose(offers(), scores([0.5] * 6, [0.5] * 6))] == [0, 1, 2]


def test_a_job_repeats_the_shopper_and_spreads_each_garment_over_its_rows() -> None:
    shopper, words = np.arange(4, dtype=np.float16), np.arange(8, dtype=np.float16).reshape(2, 4)
    history = History()
    rows = offers_of(GARMENTS, history, None, 0.0)
    missing = Column(words, np.array([-1, -1, -1]))
    job = score_job(
        rows, {"shopper_words": shopper}, {"garment_words": Column(words, np.array([1, -1, 0])), "garment_image": missing}
    )
    assert job.num_rows == 6
    assert job.embeddings.keys() == {"shopper_words", "garment_words"}
    np.testing.assert_array_equal(job.embeddings["shopper_words"].values, shopper[None])
    assert job.embeddings["shopper_words"].index.tolist() == [0] * 6
    assert job.embeddings["garment_words"].index.tolist() == [1, 1, 1, -1, 0, 0]
    assert job.numbers["size"].index.tolist() == [0, 1, 2, -1, 4, 5]
    assert job.numbers["history"].index.tolist() == [0, 1, 2, 3, 4, 5]
