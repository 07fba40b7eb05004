"""The fusion deployment: the embeddings and numbers of many requests in, their scores out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tryon_core.offers import ScoreJob, Scores
from tryon_core.scoring import score

from .replica import ModelReplica


class Fusion(ModelReplica):
    """Fuses and scores."""

    async def score(self, model: str, jobs: Sequence[ScoreJob]) -> list[Scores]:
        """Return each job's scores, in order; jobs of many requests are one batch.

        Args:
            model: the fingerprint that the caller works with.

        Raises:
            UnavailableError: another model is loaded.
        """
        checkpoint = self.checkpoint(model)
        return await asyncio.to_thread(score, checkpoint, jobs)
