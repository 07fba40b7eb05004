"""What a shopper tells of themselves, as one text: a profile's fields are said in the words that the model reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Owned:
    """A garment that the shopper has and how it fits."""

    size: str
    garment_id: str = ""
    brand: str = ""
    category: str = ""
    fit: str = "fit"
    """small, fit or large."""
    days_ago: float = 0.0
    """How long ago that was found, at least 0; the older, the less it counts in history. Not told, it counts in full."""


@dataclass(frozen=True)
class Profile:
    """Fields of a form; every one may be missing."""

    height_cm: float | None = None
    weight_kg: float | None = None
    usual_size: str = ""
    age: int | None = None
    sex: str = ""
    preferences: str = ""
    owned: tuple[Owned, ...] = ()


def shopper_words(text: str, profile: Profile | None = None) -> str | None:
    """Return free text and profile as one text, the profile first; None where neither says anything.

    Age, owned garments and a sex in words of the shopper's own stay out: no training text has them, and words never seen
    move an answer at random.
    """
    said = [*(_sentences(profile) if profile else ()), text.strip()]
    return ". ".join(sentence for sentence in said if sentence) or None


def _sentences(profile: Profile) -> list[str]:
    return [
        f"{profile.height_cm:g} cm" if profile.height_cm else "",
        f"{profile.weight_kg:g} kg" if profile.weight_kg else "",
        f"usually size {profile.usual_size}" if profile.usual_size else "",
        _SEXES.get(profile.sex.strip().casefold(), ""),
        profile.preferences,
    ]


_SEXES = dict.fromkeys(("female", "f", "woman", "women", "w", "女", "女性"), "woman")
_SEXES |= dict.fromkeys(("male", "m", "man", "men", "男", "男性"), "man")
"""What forms call a sex, in the words that shoppers use."""
