"""How shoppers write heights and weights: rounded, in the units of the world, in English and Chinese."""

from __future__ import annotations

from collections.abc import Callable

Form = Callable[[float], str]
_KG_PER_LB = 0.45359237
_DIGITS = "零一二三四五六七八九"


def feet_inches(height_cm: float) -> tuple[int, int]:
    """Return whole feet and the inches beyond them."""
    return divmod(round(height_cm / 2.54), 12)


def stone_pounds(weight_kg: float) -> tuple[int, int]:
    """Return whole stone and the pounds beyond them."""
    return divmod(round(weight_kg / _KG_PER_LB), 14)


def _spoken(height_cm: float) -> str:
    metres, rest = divmod(round(height_cm), 100)
    return _DIGITS[metres] + "米" + "".join(_DIGITS[int(digit)] for digit in f"{rest:02d}")


def _to_five(value: float) -> int:
    return 5 * round(value / 5)


HEIGHTS: dict[str, tuple[Form, ...]] = {
    "metric": (
        lambda cm: f"{cm:.0f} cm",
        lambda cm: f"{cm:.0f}cm",
        lambda cm: f"{cm / 100:.2f} m",
        lambda cm: f"{round(cm) // 100}m{round(cm) % 100:02d}",
        lambda cm: f"height {cm:.0f} cm",
        lambda cm: f"about {_to_five(cm)} cm",
        lambda cm: f"Height: {cm / 100:.2f}m",
    ),
    "imperial": (
        lambda cm: "{}'{}\"".format(*feet_inches(cm)),
        lambda cm: "{} ft {}".format(*feet_inches(cm)),
        lambda cm: "{}’{}”".format(*feet_inches(cm)),
        lambda cm: "{}'{}".format(*feet_inches(cm)),
        lambda cm: "{} foot {}".format(*feet_inches(cm)),
    ),
    "chinese": (
        _spoken,
        lambda cm: f"身高{cm:.0f}",
        lambda cm: f"身高{cm:.0f}厘米",
        lambda cm: f"{cm:.0f}cm",
        lambda cm: f"{cm:.0f}公分",
        lambda cm: f"{cm / 100:.2f}米",
        lambda cm: f"身高{cm * 0.03:.1f}尺",
    ),
}
"""Forms of a height in cm, by who writes."""

WEIGHTS: dict[str, tuple[Form, ...]] = {
    "metric": (
        lambda kg: f"{kg:.0f} kg",
        lambda kg: f"{kg:.0f}kg",
        lambda kg: f"weight {kg:.0f} kilos",
        lambda kg: f"around {_to_five(kg)} kg",
    ),
    "imperial": (
        lambda kg: f"{kg / _KG_PER_LB:.0f} lb",
        lambda kg: f"{kg / _KG_PER_LB:.0f}lbs",
        lambda kg: f"{_to_five(kg / _KG_PER_LB)} pounds",
        lambda kg: "{} st {} lb".format(*stone_pounds(kg)),
        lambda kg: "{} stone {}".format(*stone_pounds(kg)),
    ),
    "chinese": (
        lambda kg: f"{2 * kg:.0f}斤",
        lambda kg: f"体重{kg:.0f}公斤",
        lambda kg: f"{kg:.0f}kg",
        lambda kg: f"体重{2 * kg:.0f}斤",
    ),
}
"""Forms of a weight in kg, by who writes."""
