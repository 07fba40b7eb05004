"""A tiny inference through the whole graph, past the cache: what readiness and a roll-out ask of a model."""

from __future__ import annotations

from tryon_core.batch import part_named

from .ask import Ask
from .features import Asset
from .metrics import Timings
from .recommender import Recommender

_WORDS = "usually M"


class Trial:
    """One inference with every part of a model that is encoded."""

    def __init__(self, recommender: Recommender) -> None:
        self._recommender = recommender
        self.stage = "ingress"
        """Which stage was asked last: image, text or fusion."""

    async def run(self) -> None:
        """Ask every stage; an image without a person shows as well as one with that its tower answers.

        Raises:
            UnavailableError: a stage is overloaded, not there, or serves another model.
        """
        sample = self._recommender.catalogue[0]
        for part in self._recommender.features.parts:
            self.stage = part_named(part).kind
            asset = Asset(part, _WORDS if self.stage == "text" else sample.image or b"")
            feature = await self._recommender.features.encode(asset, Timings())
            feature.check(f"/{part}")
        self.stage = "fusion"
        await self._recommender.recommend(Ask([sample]), Timings())

    def is_waiting(self) -> bool:
        """Tell whether others wait for the stage that was asked last."""
        return self._recommender.num_waiting(self.stage) > 0
