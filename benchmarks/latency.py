"""Where the time of one request goes, in this process, one thread: `python -m benchmarks.latency [--repeats N]`.

Prints the median of each part in ms, and its share of the sum; times of two machines do not compare, shares do.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from tryon_core.batch import Column
from tryon_core.catalogue import SAMPLE, SHIPPED_CHECKPOINT, sample_catalogue
from tryon_core.checkpoint import load_checkpoint
from tryon_core.encoding import encode_ablated, encode_images, encode_texts
from tryon_core.explain import Ablation, explanations, question
from tryon_core.garment import garment_words
from tryon_core.manifest import read_history
from tryon_core.offers import choose, offers_of, score_job
from tryon_core.person import find_person
from tryon_core.photo import decode
from tryon_core.scoring import score


def parts() -> dict[str, Callable[[], Any]]:
    """Return the parts of answering for one shopper and the sample catalogue, by name."""
    checkpoint = load_checkpoint(SHIPPED_CHECKPOINT)
    model, catalogue = checkpoint.model, sample_catalogue()
    garments, every = [item.garment for item in catalogue], np.arange(len(catalogue))
    photo, text = (SAMPLE / "shopper.jpg").read_bytes(), (SAMPLE / "shopper.txt").read_text()
    pixels, images = decode(photo), [item.image for item in catalogue]
    words = [garment_words(garment) or "" for garment in garments]
    history, day = read_history(SHIPPED_CHECKPOINT) or (None, 0.0)
    columns = {
        "garment_image": Column(np.stack(encode_images(model, "garment_image", images)), every),
        "garment_words": Column(np.stack(encode_texts(model, "garment_words", words)), every),
    }
    shopper = {"shopper_words": encode_texts(model, "shopper_words", [text])[0]}
    offers = offers_of(garments, history, None, day)
    job = score_job(offers, shopper, columns)
    (scores,) = score(checkpoint, [job])
    rows = len(offers.garment)

    def without(shopper: str, garment: str) -> dict[str, Ablation]:
        told = {"shopper_words": shopper, "garment_words": garment}
        return {part: encode_ablated(model, part, [said])[0] for part, said in told.items()}

    asked = question(job, 0, without(text, words[0]))
    return {
        "decode the photo": lambda: decode(photo),
        "find the person": lambda: find_person(pixels),
        "photo to embedding, both included": lambda: encode_images(model, "person_mask", [photo]),
        "words to embedding": lambda: encode_texts(model, "shopper_words", [text]),
        f"{len(images)} garment images to embeddings": lambda: encode_images(model, "garment_image", images),
        f"{len(words)} garments' words to embeddings": lambda: encode_texts(model, "garment_words", words),
        f"{rows} rows of sizes and history": lambda: offers_of(garments, history, None, day),
        f"fuse and score {rows} rows": lambda: score(checkpoint, [job]),
        f"choose among {rows} rows": lambda: choose(offers, scores),
        "to explain one: its texts without each word": lambda: without(text, words[0]),
        f"to explain one: score {asked.job.num_rows} rows": lambda: explanations(asked, score(checkpoint, [asked.job])[0]),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    medians = {name: statistics.median(_once(part) for _ in range(repeats)) for name, part in parts().items()}
    total = sum(medians.values())
    for name, ms in medians.items():
        print(f"{name:45} {ms:9.2f} ms {ms / total:6.0%}")


def _once(part: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    part()
    return 1000 * (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
