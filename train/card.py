"""MODEL_CARD.md: what a checkpoint is, what it was fitted on, what it scored and what it must not be taken for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tryon_core.config import ModelConfig

_TEXT = """# {name}

A multimodal model of shopper and garment: from a person mask or photo, the shopper's words, a garment's image, words, size
and fit history it predicts {tasks}.

- Made on {date} by `{command}`
- Weights: {num_weights:,}, licence Apache-2.0
- Data: {data}

## Scores
Of shoppers that the model was not fitted on. Temperatures and intervals were taken from the same shoppers.

{table}

By what is known of the shopper:

{by_parts}

## Limits
- Fitted and validated on a simulated shop only: bodies drawn from survey statistics, drawn figures and garments, invented
  sizing. How well it does on real people, photos and garments is not known. Refit it on a shop's own orders before use.
- Adults between the survey's extremes; no children, no pregnancy, no bodies unlike those surveyed.
- A measurement is an estimate with an interval, not a medical or tailoring measurement.
- `match` is the chance that an order is kept, as the data's shoppers kept theirs; it ranks, it does not explain.
"""


def model_card(
    config: ModelConfig, *, command: str, date: str, num_weights: int, data: Mapping[str, Any], metrics: Mapping[str, Any]
) -> str:
    """Return the card's Markdown.

    Args:
        command: what was run, so that it can be run again.
        date: the day of making, as it is to be shown.
        data: what the data source says of itself.
        metrics: what `evaluate` returned.
    """
    told = ", ".join(f"{key} {value}" for key, value in data.items())
    return _TEXT.format(
        name=f"tryon {config.name}",
        tasks=", ".join(config.tasks),
        date=date,
        command=command,
        num_weights=num_weights,
        data=told or "not stated",
        table=_table(metrics),
        by_parts=_by_parts(metrics.get("by_parts", {})),
    )


def _table(metrics: Mapping[str, Any]) -> str:
    lines = ["| task | score | model | oracle | prior |", "|---|---|---|---|---|"]
    for task, scores in metrics.items():
        oracle, prior = scores.get("oracle", {}), scores.get("prior", {})
        for name, value in scores.items():
            if isinstance(value, float):
                lines.append(f"| {task} | {name} | {value:.4f} | {_shown(oracle.get(name))} | {_shown(prior.get(name))} |")
    return "\n".join(lines)


def _by_parts(by_parts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    columns = [(task, key) for task, scores in by_parts.get("both", {}).items() for key in scores if key != "mae"]
    lines = ["| known | " + " | ".join(f"{task} {key}" for task, key in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, scores in by_parts.items():
        lines.append(f"| {name} | " + " | ".join(_shown(scores[task][key]) for task, key in columns) + " |")
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
