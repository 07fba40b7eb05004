"""A product photo shows the garment's category, colour, pattern and cut on a light background."""

import numpy as np
import numpy.typing as npt
import pytest

from train.data.cuts import CUTS, half_outline, seams
from train.data.fabrics import WEAVES
from train.data.products import CLOTHES, COLOURS, render_product
from tryon_core.batch import PATTERNS
from tryon_core.errors import ConfigError


def cloth_of(photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return np.asarray(photo.min(axis=2) < 200)


@pytest.mark.parametrize("category", CLOTHES)
def test_a_photo_has_a_light_edge_and_a_garment_in_the_middle(category: str) -> None:
    photo = render_product(category, "navy", "plain", "regular", np.random.default_rng(0), 64)
    assert photo.shape == (64, 64, 3)
    assert photo.dtype == np.uint8
    assert photo[0].min() > 200
    assert 0.08 < cloth_of(photo).mean() < 0.6


@pytest.mark.parametrize("colour", sorted(COLOURS))
def test_a_plain_garment_has_its_colour(colour: str) -> None:
    photo = render_product("t-shirt", colour, "plain", "regular", np.random.default_rng(1)).astype(np.float64)
    middle = np.median(photo[45:60, 40:56].reshape(-1, 3), axis=0)
    nearest = min(COLOURS, key=lambda name: float(np.abs(middle - COLOURS[name]).sum()))
    assert nearest == colour


def test_a_looser_cut_is_wider() -> None:
    widths = []
    for cut in ("slim", "regular", "loose"):
        photo = render_product("longsleeve", "navy", "plain", cut, np.random.default_rng(2))
        widths.append(cloth_of(photo).any(axis=0).sum())
    assert widths == sorted(widths)
    assert widths[2] > 1.2 * widths[0]
    assert set(CUTS) == {"slim", "regular", "loose"}


@pytest.mark.parametrize("category", CLOTHES)
def test_every_category_shows_its_cut(category: str) -> None:
    filled = [
        np.mean(
            [
                cloth_of(render_product(category, "navy", "plain", cut, np.random.default_rng(seed))).mean()
                for seed in range(6)
            ]
        )
        for cut in ("slim", "regular", "loose")
    ]
    assert filled[1] > 1.07 * filled[0]
    assert filled[2] > 1.07 * filled[1]


@pytest.mark.parametrize("category", CLOTHES)
def test_an_outline_is_on_the_middle_at_its_ends_alone_and_inside_the_picture(category: str) -> None:
    for seed, cut in enumerate(list(CUTS) * 5):
        half = half_outline(category, cut, np.random.default_rng(seed))
        assert [x == 0 for x, _ in half] == [True, *[False] * (len(half) - 2), True]
        assert all(0 <= x < 0.52 and 0.04 < y < 0.99 for x, y in half)
        lines, dots = seams(category, half, np.random.default_rng(seed))
        assert lines
        assert all(abs(x) < 0.52 and 0 < y < 1 for line in [*lines, dots] for x, y in line)


def test_a_weave_shows_where_it_does_in_life_and_less_than_a_pattern() -> None:
    photos = {
        weave: render_product("skirt", "blue", "plain", "regular", np.random.default_rng(5), weave=weave).astype(float)
        for weave in WEAVES
    }
    np.testing.assert_array_equal(photos["woven"], photos["jersey"])
    striped = render_product("skirt", "blue", "striped", "regular", np.random.default_rng(5)).astype(float)
    strongest = np.abs(striped - photos["woven"])[40:60, 40:56].mean()
    for weave in ("rib", "denim", "knit"):
        assert 0.5 < np.abs(photos[weave] - photos["woven"])[40:60, 40:56].mean() < 0.5 * strongest


def test_backdrops_are_light_and_differ() -> None:
    corners = np.array(
        [
            render_product("t-shirt", "navy", "plain", "slim", np.random.default_rng(seed), 48)[:6, :6].mean()
            for seed in range(80)
        ]
    )
    assert corners.min() > 170
    assert corners.std() > 10


def test_patterns_differ_and_plain_is_the_calmest() -> None:
    photos = {name: render_product("t-shirt", "blue", name, "regular", np.random.default_rng(3)) for name in PATTERNS}
    unrest = {name: float(photo[40:65, 38:58].std(axis=(0, 1)).mean()) for name, photo in photos.items()}
    assert all(unrest[name] > 2 * unrest["plain"] for name in PATTERNS if name != "plain")


def test_the_same_generator_gives_the_same_photo() -> None:
    first, second = (render_product("dress", "red", "floral", "slim", np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("wrong", [("hat", "red", "plain", "slim"), ("dress", "rde", "plain", "slim")])
def test_unknown_names_are_refused(wrong: tuple[str, str, str, str]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        render_product(*wrong, np.random.default_rng(0))
