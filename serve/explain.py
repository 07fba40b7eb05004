"""Why an answer is as it is: asks the text stage for texts without each word and fusion for rows without parts. No torch."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tryon_core.explain import Ablation, Explanation, explanations, question
from tryon_core.offers import ScoreJob, Scores

from .batching import Batcher
from .metrics import Timings
from .schema_explain import ExplanationOut, SharesOut, WordOut

EXPLAINED = 20
"""Recommendations of one answer that are explained, the best; each takes about a hundred rows."""
Texts = Mapping[str, str]
"""Part name to its text."""


@dataclass(frozen=True)
class Explainer:
    """Explains rows of jobs with one model."""

    parts: Collection[str]
    """The names of the model's parts."""
    ablations: Mapping[str, Batcher[str, Ablation]]
    """Part name of a text to what leaves out its words."""
    fusion: Batcher[ScoreJob, Scores]

    async def explain(
        self, job: ScoreJob, rows: Sequence[int], texts: Sequence[Texts], timings: Timings
    ) -> list[ExplanationOut]:
        """Return what moved the answers of some rows.

        Args:
            texts: for each of the rows, the texts of its parts.

        Raises:
            UnavailableError: a stage is overloaded or serves another model.
        """
        with timings.stage("text"):
            without = await self._without(texts)
        asked = [
            question(
                job, row, self.parts, {part: without[part, text] for part, text in own.items() if (part, text) in without}
            )
            for row, own in zip(rows, texts, strict=True)
        ]
        with timings.stage("fusion"):
            scores = await asyncio.gather(*(self.fusion.submit(one.job) for one in asked))
        found = [explanations(one, scored) for one, scored in zip(asked, scores, strict=True)]
        return [_out_of(one, own) for one, own in zip(found, texts, strict=True)]

    async def _without(self, texts: Sequence[Texts]) -> dict[tuple[str, str], Ablation]:
        """Return the words of every distinct text of a part."""
        distinct = list(dict.fromkeys((part, text) for own in texts for part, text in own.items() if part in self.ablations))
        found = await asyncio.gather(*(self.ablations[part].submit(text) for part, text in distinct))
        return dict(zip(distinct, found, strict=True))


def _out_of(found: Mapping[str, Explanation], texts: Texts) -> ExplanationOut:
    match, confidence = (_shares(found[answer], texts) for answer in ("match", "confidence"))
    return ExplanationOut(match=match, confidence=confidence, read=dict(texts))


def _shares(found: Explanation, texts: Texts) -> SharesOut:
    words = {
        part: [
            WordOut(text=texts[part][w.start : w.end], start=w.start, end=w.end, contribution=w.contribution) for w in own
        ]
        for part, own in found.words.items()
    }
    return SharesOut(base=found.base, parts=dict(found.parts), words=words)
