"""Cloth gives more the more elastane it has and the looser it is made."""

import numpy as np
import pytest

from train.data.fabrics import WEAVES, Fabric, draw_fabric
from train.data.products import CLOTHES
from tryon_core.errors import ConfigError


@pytest.mark.parametrize("weave", WEAVES)
def test_elastane_makes_a_cloth_give_and_never_beyond_all(weave: str) -> None:
    given = [Fabric(weave, "cotton", elastane).stretch for elastane in (0, 2, 5, 8, 30)]
    assert given == sorted(given)
    assert 0 <= given[0] < given[2] <= given[-1] <= 1


def test_t_shirts_give_more_than_shirts() -> None:
    rng = np.random.default_rng(0)
    mean = {kind: np.mean([draw_fabric(kind, rng).stretch for _ in range(400)]) for kind in CLOTHES}
    assert mean["t-shirt"] > mean["shirt"] + 0.15
    assert 0.1 < min(mean.values()) < max(mean.values()) < 0.7


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="denim"):
        Fabric("denin", "cotton", 0)
    with pytest.raises(ConfigError, match="elastane"):
        Fabric("denim", "cotton", 100)
    with pytest.raises(ConfigError, match="dress"):
        draw_fabric("dres", np.random.default_rng(0))
