"""Whether explanations name what matters: `python -m benchmarks.explain_deletion [--cases N] [--seed N]`.

For orders of held-out people of the shipped checkpoint's simulated shop, it takes away the 1, 2 or 3 parts, or words of one
text, that an explanation says moved the answer most in one direction, and beside it as many drawn at random (never the same
ones), and counts how often the first moves the answer further, in log-odds. Words are blanked out of the text itself, which
is then read and encoded anew. Leaving out one word is how a word's contribution is computed, so that line is a check of the
way from the text to the answer and back; the others are not.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from train.data.sim import Shop, SimConfig, build_shop, image_of, mask_of
from tryon_core.batch import Column
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.checkpoint import Checkpoint, load_checkpoint
from tryon_core.config import ImageTower
from tryon_core.encoding import encode_ablated, encode_texts
from tryon_core.explain import explanations, log_odds, question
from tryon_core.garment import Garment, Size, garment_words
from tryon_core.manifest import read_history
from tryon_core.offers import ScoreJob, Scores, offers_of, score_job
from tryon_core.person import frame_mask
from tryon_core.photo import prepare
from tryon_core.scoring import score

NUMBERS = (1, 2, 3)
Line = tuple[str, str, int]
"""The answer, what was taken away of it, and how many."""


@dataclass(frozen=True)
class Case:
    """A shopper before one size of a garment."""

    job: ScoreJob
    row: int
    texts: dict[str, str]


@dataclass(frozen=True)
class Deletion:
    """How far the answer moved, in log-odds, without what was named and without what was drawn."""

    named: float
    drawn: float


def deletions(checkpoint: Checkpoint, case: Case, rng: np.random.Generator) -> Iterator[tuple[Line, Deletion]]:
    """Yield what each kind and number of deletions does to each answer of one case."""
    ablations = {part: encode_ablated(checkpoint.model, part, [text])[0] for part, text in case.texts.items()}
    asked = question(case.job, case.row, checkpoint.model.config.parts, ablations)
    (scores,) = score(checkpoint, [asked.job])
    whole = len(asked.sets) - 1
    for answer, told in explanations(asked, scores).items():
        values = _values(scores, answer)

        def moved(chosen: Sequence[int], values: Any = values) -> float:
            return abs(float(values[whole] - values[whole & ~sum(1 << at for at in chosen)]))

        shares = [told.parts[part] for part in asked.parts]
        for num, named, drawn in _choices(shares, rng):
            yield (answer, "parts", num), Deletion(moved(named), moved(drawn))
        for part, words in told.words.items():
            choices = list(_choices([word.contribution for word in words], rng))
            gone = [[(words[at].start, words[at].end) for at in chosen] for _, *both in choices for chosen in both]
            blanked = [_blanked(case.texts[part], places) for places in gone]
            far = np.abs(values[whole] - _values(_scored(checkpoint, case, part, blanked), answer)) if blanked else []
            for at, (num, _, _) in enumerate(choices):
                yield (answer, part, num), Deletion(float(far[2 * at]), float(far[2 * at + 1]))


def cases(checkpoint: Checkpoint, num: int, rng: np.random.Generator) -> Iterator[Case]:
    """Yield orders of people whom the shipped checkpoint was not fitted on, with the garments' history that it ships."""
    about = checkpoint.manifest.metrics["data"]
    shop = build_shop(SimConfig(**{name: value for name, value in about.items() if name != "source"}))
    held = np.flatnonzero(shop.holdout[shop.orders.shopper])
    history, day = read_history(SHIPPED_CHECKPOINT) or (None, 0.0)
    for order in rng.choice(held, num, replace=False):
        shopper, number = int(shop.orders.shopper[order]), int(shop.orders.garment[order])
        own, columns, texts = _embedded(checkpoint, shop, shopper, number)
        job = score_job(offers_of([_garment(shop, number)], history, None, day), own, columns)
        yield Case(job, int(shop.orders.size[order]), texts)


def _embedded(
    checkpoint: Checkpoint, shop: Shop, shopper: int, number: int
) -> tuple[dict[str, Any], dict[str, Column[Any]], dict[str, str]]:
    """Return the shopper's embeddings, the garment's, and the texts of both."""
    model = checkpoint.model
    texts = {
        "shopper_words": shop.shoppers[shopper].words,
        "garment_words": garment_words(_garment(shop, number)) or "",
    }
    texts = {part: text for part, text in texts.items() if text}
    halves: dict[str, Any] = {part: encode_texts(model, part, [text])[0] for part, text in texts.items()}
    towers = {part: model.config.towers[tower] for part, tower in model.config.parts.items()}
    mask, image = towers["person_mask"], towers["garment_image"]
    assert isinstance(mask, ImageTower)
    assert isinstance(image, ImageTower)
    seen = {
        "person_mask": frame_mask(mask_of(shop, shopper), mask.height, mask.width),
        "garment_image": prepare(image_of(shop, number, max(image.height, image.width)), image.height, image.width),
    }
    with torch.inference_mode():
        halves |= {part: model.encode(part, np.array(pixels)[None]).half().numpy()[0] for part, pixels in seen.items()}
    own = {part: half for part, half in halves.items() if part in ("person_mask", "shopper_words")}
    columns = {part: Column(half[None], np.zeros(1, np.int64)) for part, half in halves.items() if part not in own}
    return own, columns, texts


def _garment(shop: Shop, number: int) -> Garment:
    drawn = shop.garments[number]
    names = ("id", "title", "brand", "department", "category", "description", "style_id")
    sizes = tuple(Size(label, chart=chart) for label, chart in drawn.sizes)
    return Garment(**{name: getattr(drawn, name) for name in names}, sizes=sizes)


def _choices(shares: Sequence[float], rng: np.random.Generator) -> Iterator[tuple[int, list[int], list[int]]]:
    """Yield for each number the strongest in the one direction in which they are stronger, and as many others at random."""
    order = sorted(range(len(shares)), key=lambda at: -shares[at])
    for num in NUMBERS:
        if len(shares) > num:
            named = max(order[:num], order[::-1][:num], key=lambda chosen: abs(sum(shares[at] for at in chosen)))
            drawn = named
            while set(drawn) == set(named):
                drawn = rng.choice(len(shares), num, replace=False).tolist()
            yield num, named, drawn


def _blanked(text: str, places: Sequence[tuple[int, int]]) -> str:
    for start, end in places:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _scored(checkpoint: Checkpoint, case: Case, part: str, texts: Sequence[str]) -> Scores:
    """Return the scores of a case's row with other texts in place of one of its own."""
    asked = question(case.job, case.row, checkpoint.model.config.parts, {}).job
    whole = {name: asked.embeddings.get(name) or asked.numbers[name] for name in (*asked.embeddings, *asked.numbers)}
    rows = np.zeros(len(texts), np.int64)
    same = {name: replace(column, index=rows) for name, column in whole.items()}
    other = Column(np.stack(encode_texts(checkpoint.model, part, texts)), np.arange(len(texts)))
    embeddings = {name: other if name == part else same[name] for name in asked.embeddings}
    return score(checkpoint, [ScoreJob(len(texts), embeddings, {name: same[name] for name in asked.numbers})])[0]


def _values(scores: Scores, answer: str) -> Any:
    return log_odds(scores.match if answer == "match" else scores.fit[:, 1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng, checkpoint = np.random.default_rng(options.seed), load_checkpoint(SHIPPED_CHECKPOINT)
    found: dict[Line, list[Deletion]] = defaultdict(list)
    for case in cases(checkpoint, options.cases, rng):
        for line, deletion in deletions(checkpoint, case, rng):
            found[line].append(deletion)
    print(f"{'answer':11} {'taken away':16} cases  named moves further  median named  median at random")
    for (answer, what, num), own in sorted(found.items()):
        further = np.mean([deletion.named > deletion.drawn for deletion in own])
        named, drawn = (np.median([getattr(deletion, name) for deletion in own]) for name in ("named", "drawn"))
        print(f"{answer:11} {f'{num} of {what}':20} {len(own):5d} {further:14.1%} {named:15.3f} {drawn:15.3f}")


if __name__ == "__main__":
    main()
