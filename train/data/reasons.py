"""Files that say what a shop's reasons for a return mean, for tables; what they say is `tryon_core.reasons`."""

from __future__ import annotations

from tryon_core.errors import ConfigError, expected_one_of
from tryon_core.reasons import Reasons, read_json_reasons, reasons_of

from .tables import read_table


def read_reasons(url: str) -> Reasons:
    """Read ``{"zu klein": "small", …}`` from JSON, or columns ``reason,meaning`` from CSV.

    Case, width and how accents are composed do not count; see `folding.fold`.

    Raises:
        ConfigError: the file does not read, a meaning is none of `reasons.MEANINGS`, or a reason has two.
    """
    return read_json_reasons(url) if url.lower().endswith(".json") else reasons_of(_csv(url), url)


def _csv(url: str) -> list[tuple[str, str]]:
    table = read_table(url)
    for name in ("reason", "meaning"):
        if name not in table.columns:
            raise ConfigError(expected_one_of(f"a column of {url}", name, table.columns))
    for bad in table.rejected:
        raise ConfigError(f"expected a table of reasons that reads whole: {bad}")
    return list(zip(table.columns["reason"], table.columns["meaning"], strict=True))
