"""Names of sizes on their scales: letters, spelt out or not, and plus sizes, as steps from M; it knows no text around."""

from __future__ import annotations

import re

SIZE_SYSTEMS = ("letter", "us", "eu", "uk", "fr", "it", "inch", "number")
"""What a size label's value is counted in."""

LETTER = r"(?:[1-9]|x{1,5})?x[sl]|xs|xl|s|m|l"
"""Pattern of a letter size, folded: xs, m, xxl, 4xl."""
NAME = r"medium|(?:(?:x{1,5}|[2-9]\s?x|(?:extra[\s-]){0,2}extra)[\s-]?)?(?:small|large)"
"""Pattern of a spelt-out letter size, folded: medium, x-large, 3x-large, extra small."""
PLUS = r"[1-6]x"
"""Pattern of a plus size, folded: 1x, 2x."""


def letter_steps(size: str) -> float:
    """Return the steps from M of a letter size that `LETTER` matches: s is −1, xl is 2, 4xl and xxxxl are 5."""
    if size == "m":
        return 0.0
    count = float(size[0]) if size[0].isdigit() else float(size.count("x"))
    return (-1.0 if size.endswith("s") else 1.0) * (1 + count)


def name_steps(size: str) -> float:
    """Return the steps from M of a spelt-out size that `NAME` matches: small is −1, x-large is 2, 3x-large is 4."""
    if size == "medium":
        return 0.0
    digit = re.match(r"\d", size)
    count = float(digit[0]) if digit else float(size.count("x"))  # which "extra" has, too
    return (-1.0 if size.endswith("small") else 1.0) * (1 + count)


def plus_steps(size: str) -> float:
    """Return the steps from M of a plus size that `PLUS` matches, by the usual charts, where 1x is an XL with more room."""
    return 1 + float(size[0])
