"""Pictures of what `evaluate` returned: how true claims are, what is taken for what, and what each part is worth.

It reads scores alone and knows no model. matplotlib is imported only here and only when something is drawn.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tryon_core.batch import FIT_CLASSES
from tryon_core.errors import ConfigError

Scores = Mapping[str, Any]
_DPI = 130
_MODEL, _OTHER, _GREY = "#1f5fa8", "#c2571a", "#8a8a8a"
_CLAIMS = {"fit": "P(the likeliest class of fit)", "match": "P(kept)"}
_KNOWN = {"both": "photo and words", "words": "words only", "photo": "photo only", "nothing": "neither"}
_PANELS = (
    ("fit", "nll_gain_share", "fit: share of the oracle's NLL gain"),
    ("fit", "auc_mean", "fit: mean one-vs-rest AUC"),
    ("match", "auc", "match: AUC"),
    ("body", "mae_cm", "measurements: mean error in cm"),
)
_GROUPS_FROM = 100
"""Rows from which on a group is drawn."""


def check_plots() -> None:
    """Refuse to draw before anything is computed.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError('expected matplotlib for --plots, got none: install the extra plots, pip install "tryon[plots]"')


def draw(scores: Scores, out: Path) -> list[Path]:
    """Draw what the scores have of each kind, and return the PNG files.

    Args:
        scores: what `evaluate` returned.
        out: a folder, made where missing; files of the same names are replaced.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    check_plots()
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for name, picture in PICTURES.items():
        figure = picture(scores)
        if figure is not None:
            files.append(out / f"{name}.png")
            figure.savefig(files[-1], dpi=_DPI)
    return files


def reliability(scores: Scores) -> Any:
    """Return a figure of what was claimed against what came, per task; None where no score tells it."""
    tasks = [task for task in _CLAIMS if "reliability" in scores.get(task, {})]
    if not tasks:
        return None
    figure, axes = _figure(1, len(tasks), width=5.2 * len(tasks), height=5.2)
    for axis, task in zip(axes, tasks, strict=True):
        own = scores[task]
        claimed, came, num = ([each[key] for each in own["reliability"]] for key in ("claimed", "came", "num"))
        bars = [1.96 * (share * (1 - share) / rows) ** 0.5 for share, rows in zip(came, num, strict=True)]
        low, high = max(0.0, min(*claimed, *came) - 0.08), min(1.0, max(*claimed, *came) + 0.08)
        axis.plot([low, high], [low, high], color=_GREY, linewidth=1, linestyle="--", label="claims that come true")
        axis.errorbar(claimed, came, yerr=bars, color=_MODEL, marker="o", markersize=5, capsize=2, label="model, 95 %")
        axis.set(
            xlim=(low, high), ylim=(low, high), aspect="equal", xlabel="claimed probability", ylabel="share that came true"
        )
        axis.set_title(f"{_CLAIMS[task]}\nECE {own['ece']:.4f}{_sure(own, 'ece')}, n = {own['num']:,}", fontsize=10)
        axis.legend(loc="upper left", frameon=False, fontsize=9)
    return _titled(figure, f"Reliability, {len(scores[tasks[0]]['reliability'])} bins of equally many rows", scores)


def confusion(scores: Scores) -> Any:
    """Return a figure of which class of fit was taken for which; None where no score tells it."""
    counts = scores.get("fit", {}).get("confusion")
    if counts is None:
        return None
    figure, (axis,) = _figure(1, 1, width=5.6, height=5.4)
    shares = [[cell / max(1, sum(row)) for cell in row] for row in counts]
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(counts):
        for j, cell in enumerate(row):
            ink = "white" if shares[i][j] > 0.55 else "black"
            axis.text(j, i, f"{shares[i][j]:.1%}\n{cell:,}", ha="center", va="center", color=ink, fontsize=11)
    places = range(len(FIT_CLASSES))
    axis.set_xticks(places, FIT_CLASSES)
    axis.set_yticks(places, [f"{name}\n({sum(row):,})" for name, row in zip(FIT_CLASSES, counts, strict=True)])
    axis.set(xlabel="likeliest class by the model", ylabel="what the shopper said (orders)")
    own = scores["fit"]
    axis.set_title(f"accuracy {own['accuracy']:.3f}, macro-F1 {own['macro_f1']:.3f}, n = {own['num']:,}", fontsize=10)
    return _titled(figure, "Confusion of fit, shares of each row", scores)


def ablation(scores: Scores) -> Any:
    """Return a figure of the scores as less is known of the shopper; None where no score tells it."""
    by_parts = {known: scores.get("by_parts", {}).get(known, {}) for known in _KNOWN}
    panels = [panel for panel in _PANELS if all(panel[1] in own.get(panel[0], {}) for own in by_parts.values())]
    if not panels:
        return None
    figure, axes = _figure(1, len(panels), width=3.7 * len(panels), height=3.9, sharey=True)
    for axis, (task, key, title) in zip(axes, panels, strict=True):
        values = [own[task][key] for own in by_parts.values()]
        ends = [
            own[task].get("interval", {}).get(key) or (value, value)
            for own, value in zip(by_parts.values(), values, strict=True)
        ]
        _bars(axis, list(_KNOWN.values()), values, ends)
        floor = 0.5 if "auc" in key else 0.0
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        axis.set_xlim(min(floor, low - 0.03 * (high - low)), high + 0.16 * (high - min(floor, low)))
        axis.set_title(f"{title}\nn = {scores[task]['num']:,}", fontsize=10)
    axes[0].invert_yaxis()
    return _titled(figure, "What photo and words are worth, with 95 % intervals over shoppers", scores)


def groups(scores: Scores) -> Any:
    """Return a figure of the AUC of fit in each group that is not tiny; None where no score tells it."""
    told = [
        (f"{grouping.replace('_', ' ')}: {group} (n = {own['num']:,})", own["fit_auc_mean"], own.get("oracle_fit_auc_mean"))
        for grouping, each in scores.get("by_group", {}).items()
        for group, own in each.items()
        if own["num"] >= _GROUPS_FROM and own.get("fit_auc_mean") is not None
    ]
    if not told:
        return None
    figure, (axis,) = _figure(1, 1, width=8.4, height=1.6 + 0.27 * len(told))
    names, values, best = zip(*told, strict=True)
    whole, places = scores["fit"]["auc_mean"], range(len(told))
    axis.scatter(values, places, color=_MODEL, s=34, label="model", zorder=3)
    if all(value is not None for value in best):
        axis.scatter(best, places, color=_OTHER, marker="|", s=90, label="oracle", zorder=3)
    axis.axvline(whole, color=_GREY, linewidth=1, label=f"model, all rows: {whole:.3f}")
    axis.axvline(whole - 0.05, color=_GREY, linewidth=1, linestyle=":", label="0.05 below")
    axis.set_yticks(places, names, fontsize=9)
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.set_xlabel("mean one-vs-rest AUC of fit")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    return _titled(figure, "Fit by group", scores)


PICTURES: dict[str, Callable[[Scores], Any]] = {
    "reliability": reliability,
    "confusion": confusion,
    "ablation": ablation,
    "groups": groups,
}
"""File name, without its ending, to what is drawn there."""


def _figure(rows: int, columns: int, *, width: float, height: float, **options: Any) -> tuple[Any, Sequence[Any]]:
    """Return a figure of no window and its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).ravel())


def _titled(figure: Any, title: str, scores: Scores) -> Any:
    told = [f"{key} {scores[key]}" for key in ("model", "split") if key in scores]
    data = scores.get("data", {})
    told += [f"{key} {data[key]}" for key in ("source", "seed") if key in data]
    figure.suptitle("\n".join([title, ", ".join(told)]) if told else title, fontsize=11)
    return figure


def _bars(axis: Any, names: Sequence[str], values: Sequence[float], ends: Sequence[Sequence[float]]) -> None:
    places = range(len(names))
    axis.barh(places, values, color=_MODEL, height=0.62)
    around = [
        [max(0.0, v - e[0]) for v, e in zip(values, ends, strict=True)],
        [max(0.0, e[1] - v) for v, e in zip(values, ends, strict=True)],
    ]
    axis.errorbar(values, places, xerr=around, fmt="none", ecolor="black", capsize=3, linewidth=1)
    for place, value, (_, high) in zip(places, values, ends, strict=True):
        axis.annotate(f"{value:.3f}", (high, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9)
    axis.set_yticks(places, names)
    axis.spines[["top", "right"]].set_visible(False)


def _sure(own: Scores, key: str) -> str:
    ends = own.get("interval", {}).get(key)
    return f" [{ends[0]:.4f}, {ends[1]:.4f}]" if ends else ""
