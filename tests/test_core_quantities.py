"""Quantities in a text are read as they stand, whatever the language and the unit, and reach the embedding."""

import numpy as np
import pytest
import torch

from tryon_core.config import TextTower
from tryon_core.quantities import QUANTITIES, QuantitiesEncoder, Quantity
from tryon_core.text import text_arrays
from tryon_core.text_encoder import TextEncoder

ROWS = 65_536
NAMES = [q.word for q in QUANTITIES]


def read(text: str) -> dict[str, float]:
    arrays = text_arrays([text], ROWS, 64)
    scaled, known = QuantitiesEncoder(ROWS, 8, 8).read(torch.from_numpy(arrays.ids), torch.from_numpy(arrays.values))
    return {q.word: float(scaled[0, i]) * q.spread + q.centre for i, q in enumerate(QUANTITIES) if known[0, i]}


@pytest.mark.parametrize(
    "text",
    ["165 cm, 55 kg, usually M", "usually M, 1.65 m and 55kg", "身高165厘米 体重110斤 平时穿M码", "5'5\" 121 lb, size M"],
)
def test_height_weight_and_size_are_read_from_any_wording(text: str) -> None:
    found = read(text)
    assert set(found) == {"<cm>", "<kg>", "<size:letter>"}
    assert found["<cm>"] == pytest.approx(165, abs=0.2)
    assert found["<kg>"] == pytest.approx(55, abs=0.2)
    assert found["<size:letter>"] == pytest.approx(0, abs=1e-5)


def test_what_is_not_told_or_cannot_be_a_body_is_unknown() -> None:
    assert read("likes loose blue dresses") == {}
    assert read("a skirt of 60 cm") == {}
    assert read("the skirt is 60 cm long and I am 170 cm")["<cm>"] == pytest.approx(170, abs=1e-3)


def test_the_first_of_several_is_taken() -> None:
    assert read("170 cm, or 172 cm in the morning")["<cm>"] == pytest.approx(170, abs=1e-3)


def test_a_text_tower_with_quantities_tells_one_centimetre_from_the_next_and_does_not_mind_padding() -> None:
    torch.manual_seed(0)
    encoder = TextEncoder(TextTower(encoder="gru", width=8, embedding_dim=8, quantities=True)).eval()
    alone, longer = (text_arrays(texts, ROWS, 64) for texts in (["165 cm"], ["165 cm", "166 cm " + "blue " * 20]))

    def embedded(arrays: object) -> np.ndarray:
        tensors = [torch.from_numpy(a) for a in (arrays.ids, arrays.values, arrays.lengths)]  # type: ignore[attr-defined]
        return encoder.quantities(tensors[0], tensors[1]).detach().numpy()  # type: ignore[misc, no-any-return]

    np.testing.assert_allclose(embedded(alone)[0], embedded(longer)[0], atol=1e-6)
    assert np.abs(embedded(longer)[0] - embedded(longer)[1]).max() > 1e-3


@pytest.mark.parametrize("quantity", QUANTITIES, ids=NAMES)
def test_a_value_counts_from_its_least_to_its_largest_and_no_farther_than_five_spreads(quantity: Quantity) -> None:
    encoder = QuantitiesEncoder(ROWS, 8, 8)
    at = QUANTITIES.index(quantity)
    ids = encoder.ids[at].expand(1, 1, 2)
    for value, taken in (
        (quantity.low, True),
        (quantity.high, True),
        (quantity.low - 0.1, False),
        (quantity.high + 0.1, False),
    ):
        scaled, known = encoder.read(ids, torch.full((1, 1), value))
        expected = np.clip((value - quantity.centre) / quantity.spread, -5, 5) if taken else 0.0
        assert float(scaled[0, at]) == pytest.approx(expected, abs=1e-5)
        assert known[0].tolist() == [float(taken and other == at) for other in range(len(QUANTITIES))]


def test_a_token_that_shares_one_of_its_two_rows_is_not_taken() -> None:
    encoder = QuantitiesEncoder(ROWS, 8, 8)
    half = torch.stack([encoder.ids[0, 0], encoder.ids[0, 1] + 1]).view(1, 1, 2)
    assert not encoder.read(half, torch.full((1, 1), 170.0))[1].any()


def test_what_is_embedded_are_values_what_is_told_and_every_product_once() -> None:
    encoder = QuantitiesEncoder(ROWS, 8, 8)
    encoder.layers = torch.nn.Sequential()
    arrays = text_arrays(["180 cm, 104 kg"], ROWS, 64)
    seen = encoder(torch.from_numpy(arrays.ids), torch.from_numpy(arrays.values))[0].numpy()
    num = len(QUANTITIES)
    assert seen[:num].tolist() == pytest.approx([1.0, 2.0, *[0.0] * (num - 2)])
    assert seen[num : 2 * num].tolist() == [1.0, 1.0, *[0.0] * (num - 2)]
    assert sorted(seen[2 * num :].tolist()) == pytest.approx([*[0.0] * (num * (num + 1) // 2 - 3), 1.0, 2.0, 4.0])
