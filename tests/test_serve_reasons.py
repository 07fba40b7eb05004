"""Which reasons are given for a size, and that every sentence is true of the numbers beside it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.answers import Answers, said
from serve.ease import GIRTHS
from serve.kept import Kept
from serve.languages import LANGUAGES, Language
from serve.reasons import MOST, Offer, Reason, reasons_for
from serve.schema_advice import RecommendationOut
from serve.sentences import CATALOGUES, percent_of, whole_cm
from tryon_core.advice import BOUNDS, none_fits
from tryon_core.batch import MEASUREMENTS
from tryon_core.garment import Garment, Size
from tryon_core.history import FitEvent, History
from tryon_core.offers import Choice, Offers, Scores, choose

GARMENT = Garment("g", title="Loose blue jeans, comfortable stretch", sizes=(Size("S"), Size("M"), Size("L")))
SURE = np.array([[0.6, 0.4, 0.0], [0.1, 0.85, 0.05], [0.0, 0.5, 0.5]])


def offer(fit: Any = SURE, best: int = 1, in_stock: tuple[bool, ...] = (True, True, True), **told: Any) -> Offer:
    return Offer(GARMENT, np.array(fit), np.array(in_stock), best, **told)


def codes(told: Offer) -> list[str]:
    return [reason.code for reason in reasons_for(told)[1]]


def sentence(told: Offer, place: int = 0) -> str:
    return said(reasons_for(told)[1], "en")[place]


def verdicts(small: int, fit: int, large: int) -> Any:
    history = History()
    for n, verdict in enumerate(["small"] * small + ["fit"] * fit + ["large"] * large):
        history.add(FitEvent("g", "M", f"s{n}", verdict, 0.0))
    return history.verdicts("g", 0.0)


def test_the_likeliest_size_is_said_with_its_chance_and_the_likelier_risk() -> None:
    assert sentence(offer()) == "Size M is the most likely to fit (85%)."
    risky = offer([[0.9, 0.1, 0.0], [0.3, 0.65, 0.05], [0.0, 0.3, 0.7]])
    assert sentence(risky).endswith("(65%); if it does not, it is more likely to be too small.")
    assert codes(offer([[0.9, 0.1, 0.0], [0.05, 0.65, 0.3], [0.0, 0.3, 0.7]])) == ["likeliest_or_large"]
    assert reasons_for(offer())[0] == "recommended"


def test_a_size_that_a_sold_out_one_would_beat_is_said_to_be_the_best_in_stock() -> None:
    told = offer(best=2, in_stock=(True, False, True), fit=[[0.6, 0.4, 0.0], [0.1, 0.85, 0.05], [0.05, 0.6, 0.35]])
    assert sentence(told).startswith("Of the sizes in stock, L is the most likely to fit (60%)")


def test_two_sizes_that_are_about_as_likely_are_both_named() -> None:
    told = offer([[0.2, 0.78, 0.02], [0.02, 0.8, 0.18], [0.0, 0.3, 0.7]])
    advice, (first, *_) = reasons_for(told)
    assert advice == "between_sizes"
    assert first == Reason("between_closer", {"size": "M", "share": 0.8, "other": "S", "other_share": 0.78})
    roomy = offer([[0.2, 0.8, 0.0], [0.02, 0.78, 0.2], [0.0, 0.3, 0.7]], best=0)
    assert codes(roomy)[0] == "between_roomier"


@pytest.mark.parametrize(
    ("fit", "best", "in_stock", "code"),
    [
        ([[1.0, 0.0, 0.0], [0.95, 0.05, 0.0], [0.8, 0.2, 0.0]], 2, (True, True, True), "none_small"),
        ([[0.0, 0.2, 0.8], [0.0, 0.1, 0.9], [0.0, 0.0, 1.0]], 0, (True, True, True), "none_large"),
        ([[0.8, 0.2, 0.0], [0.9, 0.1, 0.0], [1.0, 0.0, 0.0]], 0, (True, True, True), "none_small"),
        ([[0.9, 0.1, 0.0], [0.8, 0.19, 0.01], [0.01, 0.2, 0.79]], 2, (True, True, True), "none_between"),
        ([[0.8, 0.2, 0.0], [0.1, 0.85, 0.05], [0.0, 0.1, 0.9]], 0, (True, False, False), "none_in_stock"),
        ([[0.7, 0.3, 0.0], [0.5, 0.28, 0.22], [0.2, 0.25, 0.55]], 0, (True, False, False), "none_in_stock_closest"),
    ],
)
def test_where_no_size_will_do_it_is_said_why(fit: Any, best: int, in_stock: tuple[bool, ...], code: str) -> None:
    advice, (first, *_) = reasons_for(offer(fit, best, in_stock))
    assert advice == "no_size_fits"
    assert first.code == code


def test_the_largest_size_is_named_only_where_the_list_and_the_chances_agree_on_which_it_is() -> None:
    fit = [[0.8, 0.2, 0.0], [1.0, 0.0, 0.0], [0.95, 0.05, 0.0]]
    assert sentence(offer(fit, 0)).startswith("No size of this garment is likely to fit: even the largest, S")
    middle = [[1.0, 0.0, 0.0], [0.8, 0.2, 0.0], [0.95, 0.05, 0.0]]
    assert codes(offer(middle, 1)) == ["none_between"]


def test_a_garment_without_sizes_is_said_to_be_compared_by_style_alone() -> None:
    bare = Offer(Garment("g"), np.array([[0.1, 0.8, 0.1]]), np.array([True]), 0)
    advice, reasons = reasons_for(bare)
    assert (advice, [reason.code for reason in reasons]) == ("style_only", ["style_only"])


def test_reasons_come_in_the_order_in_which_they_decide_and_are_few() -> None:
    whole = offer(
        ease={"waist_cm": -3.0, "hip_cm": 0.0},
        verdicts=verdicts(10, 2, 0),
        kept=Kept(8, 12, similar=True),
        traits=frozenset({"blue", "loose"}),
    )
    assert codes(whole) == ["likeliest", "tight", "runs_small", "similar_kept"]
    assert sentence(whole, 1) == "By the size chart, it may be about 3 cm tight at the waist."
    assert sentence(whole, 2) == "Runs small: 10 of 12 earlier orders were too small."
    assert sentence(whole, 3) == "8 of 12 similar shoppers who ordered this size kept it."
    assert codes(offer(ease={"waist_cm": -3.0}, traits=frozenset({"blue"}))) == ["likeliest", "tight", "stretch", "taste"]
    assert codes(offer(ease={"waist_cm": 3.0}, traits=frozenset({"red"}))) == ["likeliest", "loose"]
    assert codes(offer(ease={"waist_cm": 0.0, "hip_cm": 0.0})) == ["likeliest", "within_chart"]
    assert codes(offer(ease={"waist_cm": 0.4, "hip_cm": 0.0})) == ["likeliest"]
    assert codes(offer(kept=Kept(8, 12, similar=False))) == ["likeliest", "size_kept"]


@pytest.mark.parametrize(
    ("counts", "code"),
    [((10, 2, 0), "runs_small"), ((0, 3, 6), "runs_large"), ((1, 18, 1), "runs_true"), ((2, 5, 2), ""), ((4, 0, 0), "")],
)
def test_enough_earlier_orders_that_agree_are_told(counts: tuple[int, int, int], code: str) -> None:
    assert codes(offer(verdicts=verdicts(*counts)))[1:] == ([code] if code else [])


def test_orders_that_are_known_by_aged_counts_alone_are_told_as_a_share() -> None:
    begun = History.from_rows([(("garment", "g"), np.array([9.0, 3.0, 0.0]))], 0.0)
    (_, reason) = reasons_for(offer(verdicts=begun.verdicts("g", 0.0)))[1]
    assert reason == Reason("runs_small_share", {"share": 0.75})


def test_old_orders_fade_from_the_reasons() -> None:
    history = History()
    for n in range(12):
        history.add(FitEvent("g", "M", f"s{n}", "small", 0.0))
    assert codes(offer(verdicts=history.verdicts("g", 0.0)))[1:] == ["runs_small"]
    assert codes(offer(verdicts=history.verdicts("g", 5 * history.config.half_life_days)))[1:] == []


LADDERS = (("S", "M", "L"), ("XS", "S", "M", "L", "XL"), ("36", "38"), ("one size",))


@st.composite
def answers(draw: st.DrawFn) -> tuple[Garment, RecommendationOut, Answers, Choice]:
    """A garment's answer from random chances, charts, measurements, stock and history."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    language: Language = draw(st.sampled_from(LANGUAGES))
    labels = draw(st.sampled_from(LADDERS))
    chart_of = draw(st.sampled_from(("body", "garment")))
    steps = np.arange(len(labels)) * 6.0
    sizes = tuple(
        Size(label, None, dict.fromkeys(("chest_cm", "waist_cm", "inseam_cm"), (84.0 + at, 90.0 + at)), chart_of)
        for label, at in zip(labels, steps, strict=True)
    )
    garment = Garment("g", title=draw(st.sampled_from(("Blue jeans, elastane", "Loose red dress", ""))), sizes=sizes)
    fit = rng.dirichlet(draw(st.sampled_from(((1, 1, 1), (1, 8, 1), (6, 1, 1)))), len(labels)).astype(np.float32)
    in_stock = rng.random(len(labels)) < 0.7
    in_stock[rng.integers(len(labels))] = True
    rows = np.arange(len(labels))
    offers = Offers(np.zeros_like(rows), rows, np.zeros((len(labels), 0), np.float32))
    scores = Scores(fit, rng.random(len(labels)).astype(np.float32), np.zeros((0, 0), np.float32))
    history = History()
    for n in range(draw(st.integers(0, 30))):
        history.add(FitEvent("g", labels[0], f"s{n}", str(rng.choice(("small", "small", "fit", "large"))), 0.0))
    common = Answers(
        offers=offers,
        scores=scores,
        in_stock=in_stock,
        body={name: float(rng.uniform(75, 115)) for name in MEASUREMENTS} if draw(st.booleans()) else {},
        widths=dict.fromkeys(MEASUREMENTS, 4.0) if draw(st.booleans()) else {},
        history=(history, 0.0),
        traits=frozenset({"blue", "red"}),
        language=language,
    )
    (choice,) = choose(offers, scores, in_stock=in_stock)
    kept = Kept(int(rng.integers(0, 11)), int(rng.integers(11, 20)), True) if draw(st.booleans()) else None
    return garment, common.of(garment, choice, kept, None), common, choice


@given(answers())
def test_every_sentence_is_true_of_the_numbers_in_the_same_answer(
    drawn: tuple[Garment, RecommendationOut, Answers, Choice],
) -> None:
    garment, answer, common, choice = drawn
    fit = {size.label: size.fit for size in answer.sizes}
    (chosen,) = (size for size in answer.sizes if size.label == answer.size)
    assert len(answer.reasons) == len(answer.reason_codes) <= 1 + MOST
    assert answer.confidence == chosen.fit["fit"]
    for text, reason in zip(answer.reasons, answer.reason_codes, strict=True):
        values: Any = reason.values
        numbers = [int(n) for n in re.findall(r"\d+", _without_labels(text, values))]
        expected = []
        for name in re.findall(r"{(\w+)}", _template(common.language, reason.code, values)):
            if name in ("share", "other_share"):
                expected.append(percent_of(values[name]))
            elif name == "cm":
                expected.append(whole_cm(values[name]))
            elif name in ("count", "total"):
                expected.append(values[name])
        assert numbers == expected, text
        if "size" in values and "share" in values:
            assert values["share"] == fit[values["size"]]["fit"]
            assert values["size"] == answer.size
        if "other" in values:
            assert values["other_share"] == fit[values["other"]]["fit"]
            assert values["other"] != answer.size
        if "cm" in values:
            ease = chosen.ease[f"{values['place']}_cm"]
            assert abs(ease) == values["cm"] >= 1
            assert (ease < 0) == (reason.code in ("tight", "short"))
            assert (f"{values['place']}_cm" in GIRTHS) == (reason.code in ("tight", "loose"))
            assert garment.sizes[0].chart_of == "body" or ease < 0
        if reason.code == "within_chart":
            assert set(chosen.ease.values()) == {0.0}
        if "total" in values:
            assert 0 <= values["count"] <= values["total"]
    _check_advice(answer, common, choice)


def _check_advice(answer: RecommendationOut, common: Answers, choice: Choice) -> None:
    """The advice is what the chances of the sizes in stock say, and the first reason is of its kind."""
    fit = common.scores.fit[choice.rows]
    none = none_fits(fit[common.in_stock])
    first = answer.reason_codes[0]
    assert (answer.advice == "no_size_fits") == (none >= BOUNDS.none_fits) == first.code.startswith("none")
    assert (answer.advice == "between_sizes") == first.code.startswith("between")
    if answer.advice == "recommended":
        assert ("in_stock" in first.code) == (fit[choice.row, 1] < fit[:, 1].max())
        risk = max(answer.fit["small"], answer.fit["large"])
        assert (risk > 0.1) == first.code.endswith(("_or_small", "_or_large"))
    if first.code in ("none_small", "none_large"):
        assert {s.label: s.fit for s in answer.sizes}[first.values["size"]][first.code.removeprefix("none_")] >= 0.5  # type: ignore[index]
    if first.code == "none_in_stock":
        assert first.values["other_share"] > first.values["share"]  # type: ignore[operator]


def _template(language: Language, code: str, values: Any) -> str:
    message = CATALOGUES[language].messages[code]
    if isinstance(message, str):
        return message
    return message["one" if values["count"] == 1 else "other"]


def _without_labels(text: str, values: Any) -> str:
    """A sentence without its sizes' labels, which may hold numbers."""
    for label in sorted((str(values[name]) for name in ("size", "other") if name in values), key=len, reverse=True):
        text = re.sub(rf"(?<!\d){re.escape(label)}(?!\d| ?%)", "", text)
    return text
