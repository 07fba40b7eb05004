"""What advice does to returns, estimated from a shop's logs: by customers held out, or by orders matched on their advice.

Held out is who a hash of the customer's key says, see `held_out`: the answer says so, and the page shows no advice. The
difference of the two groups' return rates is then the effect of showing it, whoever follows it. Without a holdout, orders in
the advised size are compared with orders in another size by customers who were shown one, within strata of one style and
about the same chance of fitting that the advice gave: what makes garments and people hard to fit is alike there. What else
makes people follow advice is not, which is why a holdout is to be preferred. Knows no HTTP.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tryon_core.errors import ConfigError, expected_one_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
RESAMPLES = 500
_BANDS = 5
"""Bands of the advised size's P(fit), of equally many orders."""
_NEEDED = ("customer_key", "garment_id", "size", "outcome", "fit", "style_id", "advised_size", "advised_fit")


@dataclass(frozen=True)
class Effect:
    """A difference of two groups' rates of orders that came back for their size."""

    difference: float
    """Of those with advice from those without, weighed as the former; below 0 where advice saves returns."""
    interval: tuple[float, float]
    """95 %, by resampled customers."""
    rate: float
    """Of those with advice."""
    num: int
    num_without: int
    matched: float
    """Share of the orders with advice that have others to compare with."""


def held_out(customer: str, share: float) -> bool:
    """Return whether a customer, by the hash that is kept of their key, is to be shown no advice; the same for ever.

    Args:
        share: of the customers, in [0, 1]; who is held out at a share is so at every larger one.
    """
    digest = hashlib.blake2b(customer.encode(), digest_size=8, person=b"tryon holdout").digest()
    return bool(customer) and int.from_bytes(digest, "big") < share * 2**64


def effect(
    customer: Sequence[str],
    returned: Bools,
    advised: Bools,
    stratum: Ints | None = None,
    *,
    num_resamples: int = RESAMPLES,
    seed: int = 0,
) -> Effect:
    """Return by how much orders with advice come back more often than those without.

    Args:
        customer: N names, who are resampled; an empty one is nobody else.
        returned: bool[N], whether the order came back for its size.
        advised: bool[N].
        stratum: int64[N], numbers from 0; orders are compared within one. None for all in one.

    Raises:
        ConfigError: one of the two groups is empty, or no stratum has both.
    """
    everyone = np.zeros(len(returned), dtype=np.int64) if stratum is None else stratum
    names = [name or f"\0{at}" for at, name in enumerate(customer)]
    who = np.unique(names, return_inverse=True)[1]
    if not advised.any() or advised.all():
        raise ConfigError(f"expected orders with advice and without, got {int(advised.sum())} of {len(advised)} with")
    ones = np.ones(len(returned))
    point, matched = _difference(ones, returned, advised, everyone)
    if np.isnan(point):
        raise ConfigError("expected orders with advice and without that can be matched, got none")
    rng, num = np.random.default_rng(seed), int(who.max()) + 1
    drawn = (rng.multinomial(num, np.full(num, 1 / num)).astype(np.float64)[who] for _ in range(num_resamples))
    samples = np.array([_difference(weight, returned, advised, everyone)[0] for weight in drawn])
    low, high = np.nanquantile(samples, [0.025, 0.975])
    rate, without = float(returned[advised].mean()), int((~advised).sum())
    return Effect(point, (float(low), float(high)), rate, int(advised.sum()), without, matched)


def _difference(weight: Floats, returned: Bools, advised: Bools, stratum: Ints) -> tuple[float, float]:
    """Return the difference within strata that have both groups, weighed by orders with advice, and those orders' share."""
    num = int(stratum.max()) + 1
    count, came = ([np.bincount(stratum, weight * own * of, num) for own in (advised, ~advised)] for of in (1, returned))
    both = (count[0] > 0) & (count[1] > 0)
    total = count[0][both].sum()
    if not total:
        return float("nan"), 0.0
    each = came[0][both] / count[0][both] - came[1][both] / count[1][both]
    return float((count[0][both] * each).sum() / total), float(total / count[0].sum())


def strata(style: Sequence[str], chance: Floats) -> Ints:
    """Return int64[N], the number of each order's stratum: its style, and the band of the chance that its advice gave.

    Args:
        chance: float64[N], P(fit) of the advised size.
    """
    edges = np.quantile(chance, np.linspace(0, 1, _BANDS + 1)[1:-1]) if len(chance) else np.zeros(0)
    band = np.searchsorted(edges, chance, side="right")
    names = np.unique(np.asarray(style, dtype=str), return_inverse=True)[1]
    found: Ints = np.unique(names * _BANDS + band, return_inverse=True)[1].astype(np.int64)
    return found


def effects_of(orders: str, holdout_share: float = 0.0, *, num_resamples: int = RESAMPLES) -> dict[str, Any]:
    """Return what an exported table tells of the effect: by `holdout`, and by orders `matched` on their advice.

    Args:
        orders: the Parquet file that `export` wrote.
        holdout_share: what the setting was while the orders were made; 0 for no holdout.

    Raises:
        ConfigError: the file does not read, or a way that it could tell has nothing to compare.
    """
    columns = _columns(orders)
    returned = np.array(
        [
            outcome != "kept" and fit in ("small", "large")
            for outcome, fit in zip(columns["outcome"], columns["fit"], strict=True)
        ]
    )
    found: dict[str, Any] = {"num": len(returned), "holdout": None, "matched": None}
    customer = [name or "" for name in columns["customer_key"]]
    if holdout_share:
        known = np.flatnonzero([bool(name) for name in customer])
        shown = np.array([not held_out(customer[at], holdout_share) for at in known], dtype=bool)
        own = effect([customer[at] for at in known], returned[known], shown, num_resamples=num_resamples)
        found["holdout"] = asdict(own)
    rows = np.flatnonzero([size is not None for size in columns["advised_size"]])
    if len(rows):
        followed = np.array([columns["advised_size"][at] == columns["size"][at] for at in rows], dtype=bool)
        style = [columns["style_id"][at] or columns["garment_id"][at] for at in rows]
        chance = np.array([columns["advised_fit"][at] for at in rows], dtype=np.float64)
        names = [customer[at] for at in rows]
        own = effect(names, returned[rows], followed, strata(style, chance), num_resamples=num_resamples)
        plain = effect(names, returned[rows], followed, num_resamples=num_resamples)
        found["matched"] = {**asdict(own), "unmatched_difference": plain.difference}
    return found


def _columns(orders: str) -> dict[str, list[Any]]:
    from pyarrow import parquet

    try:
        table = parquet.read_table(orders)
    except (OSError, ValueError) as err:
        raise ConfigError(f"expected the Parquet file that export wrote, got {orders}: {err}") from err
    for name in _NEEDED:
        if name not in table.column_names:
            raise ConfigError(expected_one_of(f"a column of {orders}", name, table.column_names))
    return {name: table.column(name).to_pylist() for name in _NEEDED}


def add_effect_command(commands: Any) -> None:
    """Add the command to a parser's sub-commands."""
    own = commands.add_parser("effect", help="estimate from exported orders what advice does to returns")
    own.add_argument("--orders", required=True, metavar="FILE", help="what export wrote")
    own.add_argument("--holdout-share", type=float, default=0.0, help="the setting holdout_share of that time")
    own.add_argument("--resamples", type=int, default=RESAMPLES, help="of customers (default %(default)s)")


def run_effect(options: argparse.Namespace) -> int:
    """Run the command; it prints one JSON object.

    Raises:
        ConfigError: the file does not read, or has nothing to compare.
    """
    if not 0 <= options.holdout_share < 1 or options.resamples < 1:
        told = f"{options.holdout_share:g} and {options.resamples}"
        raise ConfigError(f"expected a holdout share in [0, 1) and at least 1 resample, got {told}")
    found = effects_of(options.orders, options.holdout_share, num_resamples=options.resamples)
    sys.stdout.write(json.dumps(found) + "\n")
    return 0
