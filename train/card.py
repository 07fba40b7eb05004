"""MODEL_CARD.md: what a checkpoint is, what it was fitted on, what it scored and what it must not be taken for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tryon_core.batch import PARTS
from tryon_core.config import ModelConfig

from .groups import LARGE, NAMED_FROM, behind

_TEXT = """# {name}

A multimodal model: from {parts} it predicts {tasks}.

- Made on {date} by `{command}`
- Weights: {num_weights:,}, licence Apache-2.0
- Data: {data}

## Scores
{scored} {calibrated}
In brackets, where told: the 95 % interval over resamples of the shoppers.{oracle}

{table}

By what is known of the shopper:

{by_parts}
{worth}{sizes}{coverage}
## Groups
{groups}

## Limits
{limits}
"""

_SCORED = {
    "sim": "Of shoppers that the model was not fitted on.",
    "table shopper": "Of shoppers, or where a line names none of orders, that the model was not fitted on.",
    "table date": "Of the last orders by date; their shoppers may have earlier ones that the model was fitted on.",
    "rtr published": "Of rentals that the model was not fitted on; their shoppers may have others that it was.",
    "rtr date": "Of the last rentals by date; their shoppers may have earlier ones that the model was fitted on.",
    "garments": "Of photos that the model was not fitted on.",
}
"""By source, and where it has several its split, whose scores they are."""
_MADE_OF = {
    "sim": "a simulated shop: bodies drawn from survey statistics, drawn figures and garments, invented sizing",
    "table": "the lines of one table, and good for people and garments like those in it",
    "rtr": "public rentals of women's clothes, as their renters reviewed them",
    "garments": "photos of garments; it knows nothing of shoppers",
}
_ELSEWHERE = {
    "sim": "How well it does on real people, photos and garments is not known. Refit it on a shop's own orders before use.",
    "table": "How well it does in another shop, or once its goods and shoppers have changed, is not known.",
    "rtr": "How well it does where clothes are bought, on other people or other garments, is not known.",
    "garments": "How well it does on photos of another kind is not known.",
}


def model_card(
    config: ModelConfig,
    *,
    command: str,
    date: str,
    num_weights: int,
    data: Mapping[str, Any],
    metrics: Mapping[str, Any],
    calibrated_on: str = "the same rows",
) -> str:
    """Return the card's Markdown.

    Args:
        command: what was run, so that it can be run again.
        date: the day of making, as it is to be shown.
        data: what the data source says of itself.
        metrics: what `evaluate` returned.
        calibrated_on: whose rows the model was calibrated on, of those that it was not fitted on.
    """
    told = ", ".join(f"{key} {value}" for key, value in data.items())
    return _TEXT.format(
        name=f"tryon {config.name}",
        parts=", ".join(part.replace("_", " ") for part in config.parts if PARTS[part].owner != "derived"),
        tasks=", ".join(config.tasks),
        scored=_told_of(_SCORED, data) or "Of rows that the model was not fitted on.",
        oracle=" `oracle` knows how outcomes were drawn." if data.get("source") == "sim" else "",
        limits="\n".join(_limits(config, data)),
        date=date,
        command=command,
        num_weights=num_weights,
        data=told or "not stated",
        calibrated=_calibrated(calibrated_on),
        worth=_worth(metrics.get("worth", {})),
        sizes=_sizes(metrics.get("size", {})),
        coverage=_coverage(metrics.get("coverage", {})),
        groups=_groups(metrics),
        table=_table({task: scores for task, scores in metrics.items() if task in config.tasks}),
        by_parts=_by_parts(metrics.get("by_parts", {})),
    )


def _told_of(sentences: Mapping[str, str], data: Mapping[str, Any]) -> str:
    source = data.get("source", "")
    return sentences.get(f"{source} {data.get('split', '')}", sentences.get(source, ""))


def _calibrated(whose: str) -> str:
    if whose == "nothing":
        return "Nothing was calibrated."
    return f"Temperatures and ranges of measurements were taken from {whose}."


def _limits(config: ModelConfig, data: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the model must not be taken for, by the data that it was fitted on."""
    made, mixed = _told_of(_MADE_OF, data), data.get("mixed", "")
    only = "" if mixed else " only"
    if made:
        yield f"- Fitted and validated{only} on {made}.\n  {_told_of(_ELSEWHERE, data)}"
    if mixed:
        yield f"- Fitted, and not validated by the scores above, on rows of {mixed} as well."
    if "sim" in (data.get("source"), *(spec.partition("@")[0] for spec in mixed.split())):
        yield "- Simulated people are adults between a survey's extremes: no children, no pregnancy, no body unlike those."
    if "body" in config.tasks:
        yield "- A measurement is an estimate with an interval, not a medical or tailoring measurement."
    if "match" in config.tasks:
        kept = "a rental fits, for that is what counts as kept" if data.get("source") == "rtr" else "an order is kept"
        yield f"- `match` is the chance that {kept}, as among the data's shoppers; it ranks, it does not explain."


def _table(metrics: Mapping[str, Any]) -> str:
    lines = ["| task | score | model | oracle | prior |", "|---|---|---|---|---|"]
    for task, scores in metrics.items():
        oracle, prior, sure = (scores.get(key, {}) for key in ("oracle", "prior", "interval"))
        for name, value in scores.items():
            if isinstance(value, float):
                others = f"{_shown(oracle.get(name))} | {_shown(prior.get(name))}"
                lines.append(f"| {task} | {name} | {_shown(value, sure.get(name))} | {others} |")
    return "\n".join(lines)


def _by_parts(by_parts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    told = by_parts.get("both", {}).items()
    columns = [(task, key) for task, scores in told for key, value in scores.items() if isinstance(value, float)]
    lines = ["| known | " + " | ".join(f"{task} {key}" for task, key in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, scores in by_parts.items():
        cells = [_shown(scores[task][key], scores[task].get("interval", {}).get(key)) for task, key in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _worth(worth: Mapping[str, Any]) -> str:
    if not worth:
        return ""
    told = [f"the {part} {_shown(own['nll_less'], own.get('interval', {}).get('nll_less'))}" for part, own in worth.items()]
    return f"\nNLL of fit that is less with both than without {' and without '.join(told)} nats.\n"


def _sizes(size: Mapping[str, Any]) -> str:
    """Return how often the right size comes first, beside choosing without a model; nothing where that is not told."""
    if not size:
        return ""
    ways = [way for way in _WAYS if way in size["top1"]]
    lines = ["| " + " | ".join(["size chosen", *(_WAYS[way] for way in ways)]) + " |", "|---" * (len(ways) + 1) + "|"]
    for key, told in _QUESTIONS.items():
        if key in size:
            sure = size.get("interval", {}).get(key, {})
            cells = [_shown(size[key].get(way), sure.get(way)) for way in ways]
            lines.append("| " + " | ".join([told, *cells]) + " |")
    return (
        f"\nOf {size['num']:,} orders that were kept and fitted, {size['num_sizes']:.1f} sizes each:\n\n"
        + "\n".join(lines)
        + "\n"
    )


_WAYS = {"model": "model", "usual": "usual size", "most_kept": "most kept", "oracle": "oracle"}
_QUESTIONS = {
    "top1": "is the one that was ordered and fitted",
    "best": "is the one most likely to fit",
    "fits": "fits, on average",
}


def _coverage(coverage: Mapping[str, Any]) -> str:
    if "overall" not in coverage:
        return ""
    known = {name: own["mean"] for name, own in coverage.items() if isinstance(own, Mapping)}
    told = ", ".join(f"{name} {share:.3f}" for name, share in known.items())
    share, num = coverage["overall"], coverage["num"]
    return f"\n80 % ranges of measurements hold {share:.3f} of {num:,} people; by what is known: {told}.\n"


def _groups(metrics: Mapping[str, Any]) -> str:
    """Return the groups for which the model is worse than for all, or that there is none."""
    by_group = metrics.get("by_group", {})
    if not any(by_group.values()):
        return "Of no group was the score told apart."
    against = (
        f"Against a mean AUC of fit of {metrics['fit']['auc_mean']:.3f} over all rows, among "
        if "auc_mean" in metrics.get("fit", {})  # which few rows without one of the classes have not
        else "Among "
    )
    among = f"groups of {LARGE:,} or more by {', '.join(by_group)}"
    worse = behind(by_group)
    if not worse:
        return f"{against}{among}, none is more than {NAMED_FROM} behind."
    lines = [f"- {one.grouping} {one.group}: {one.auc:.3f}, {one.lag:.3f} behind, {one.num:,} rows" for one in worse]
    return f"{against}{among}, these are more than {NAMED_FROM} behind:\n" + "\n".join(lines)


def _shown(value: float | None, interval: Sequence[float] | None = None) -> str:
    if value is None:
        return ""
    if not interval or any(end is None for end in interval):
        return f"{value:.4f}"
    return f"{value:.4f} [{interval[0]:.4f}, {interval[1]:.4f}]"
