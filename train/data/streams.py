"""Random numbers by purpose and place, so that neither the order of calls nor the process changes what is drawn."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What random numbers are for; the numbers are part of what a seed means."""

    BODY = 0
    SHOPPER = 1
    GARMENT = 2
    ORDER = 3
    MASK = 4
    IMAGE = 5
    BRAND = 6
    CAMERA = 7
    UNSEEN = 8


def stream_rng(seed: int, stream: Stream, *place: int) -> np.random.Generator:
    """Return the generator of one purpose at one place: a shopper's, a garment's, …"""
    return np.random.default_rng(np.random.SeedSequence((seed, int(stream), *place)))
