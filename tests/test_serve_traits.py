"""What two texts agree on, and what a garment's words say of its cloth."""

from __future__ import annotations

import pytest

from serve.traits import agreed, stretches, traits_of


@pytest.mark.parametrize(
    ("text", "traits"),
    [
        ("likes loose blue dresses", {"loose", "blue"}),
        ("165 cm, mag schwarze gestreifte Hemden", {"black", "striped"}),
        ("喜欢宽松的蓝色碎花连衣裙", {"loose", "blue", "floral"}),
        ("navy blue or grey", {"navy", "grey"}),
        ("blue, but no stripes", {"blue"}),
        ("I hate black", set()),
        ("no black, black shoes are fine", set()),
        ("kein Rot, lieber grün", {"green"}),
        ("不要黑色，白色可以", {"white"}),
        ("ich weiß nicht", set()),
        ("Ich weiß, eine rote Hose", {"red"}),
        ("slim, 180 cm", set()),
        ("slim fit jeans", {"slim"}),
        ("redo the predator's whiteboard", set()),
        ("", set()),
    ],
)
def test_traits_are_found_where_they_are_named_and_not_where_they_are_denied(text: str, traits: set[str]) -> None:
    assert traits_of(text) == traits


@pytest.mark.parametrize(
    ("text", "gives"),
    [
        ("Jeans with comfortable stretch", True),
        ("98% cotton, 2% elastane", True),
        ("Hose, dehnbarer Stoff mit Elasthan", True),
        ("高弹面料", True),
        ("Denim. no stretch", False),
        ("Denim, non-stretch", False),
        ("Hose ohne Stretch", False),
        ("无弹", False),
        ("100% cotton, 0% elastane", False),
        ("a linen shirt", False),
        ("stretchy waist, but the leg has no stretch", False),
    ],
)
def test_a_cloth_stretches_where_its_words_say_so_and_nowhere_deny_it(text: str, gives: bool) -> None:
    assert stretches(text) is gives


def test_what_both_name_is_told_in_one_order() -> None:
    shopper = traits_of("floral or loose things, blue, red")
    assert agreed(shopper, "Loose blue dress, floral") == ["blue", "floral", "loose"]
    assert agreed(shopper, "Black dress") == []
    assert agreed(frozenset(), "Loose blue dress") == []
