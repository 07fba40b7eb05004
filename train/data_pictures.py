"""The pictures of the data card: contact sheets of people and garments, and histograms, drawn with nothing but Pillow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from .data.bodies import SEXES, SURVEYED, moments
from .data.labels import fit_probabilities
from .data.products import CLOTHES
from .data.sim import Shop, image_of, mask_of, photo_of

Pixels = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]
Colour = tuple[int, int, int]

_PERSON_PX, _PEOPLE = (144, 96), 12
_GARMENT_PX, _EACH = 64, 10
_COLOURS_KEPT = 256
"""Of a picture's palette, which keeps the files small."""
_PANEL = (230, 130)
_INK: Colour = (60, 60, 66)
_SEX_COLOURS: dict[str, Colour] = {"female": (190, 70, 90), "male": (50, 100, 180)}
_CLASS_COLOURS: tuple[Colour, ...] = ((200, 90, 60), (90, 160, 90), (70, 110, 190))
_SHOWN = (
    ("height_cm", 140, 210),
    ("weight_kg", 35, 150),
    ("chest_cm", 70, 150),
    ("waist_cm", 55, 150),
    ("hip_cm", 75, 150),
    ("inseam_cm", 60, 105),
)


def people_sheet(shop: Shop) -> Image.Image:
    """Return some people's photos, and under each the mask that the model sees, with a segmenter's faults."""
    chosen = range(min(_PEOPLE, len(shop.shoppers)))
    photos = np.concatenate([photo_of(shop, i, *_PERSON_PX) for i in chosen], axis=1)
    masks = np.concatenate([mask_of(shop, i, *_PERSON_PX) for i in chosen], axis=1)
    return _small(np.concatenate([photos, np.repeat(masks[..., None], 3, axis=2)], axis=0))


def garment_sheet(shop: Shop) -> Image.Image:
    """Return garments in rows, a row for each category that the shop has."""
    rows = []
    for kind in CLOTHES:
        own = [number for number, garment in enumerate(shop.garments) if garment.category == kind][:_EACH]
        if own:
            pictures = [image_of(shop, number, _GARMENT_PX) for number in own]
            blank = np.full((_GARMENT_PX, _GARMENT_PX * (_EACH - len(own)), 3), 255, dtype=np.uint8)
            rows.append(np.concatenate([*pictures, blank], axis=1))
    return _small(np.concatenate(rows, axis=0))


def body_sheet(shop: Shop) -> Image.Image:
    """Return histograms of people's measurements, bars, with what the shipped survey statistics say, lines."""
    panels = [_histogram(shop, name, low, high) for name, low, high in _SHOWN]
    return _tiled(panels, columns=3)


def label_sheet(shop: Shop) -> Image.Image:
    """Return how the truth goes with ease, of cloth without and with full stretch, and the classes of each category."""
    orders = shop.orders
    told = orders.fit >= 0
    kinds = np.array([garment.category for garment in shop.garments])[orders.garment]
    shares = {
        kind: np.bincount(orders.fit[told & (kinds == kind)], minlength=3) for kind in CLOTHES if (kinds == kind).any()
    }
    return _tiled([_curves(0.0), _curves(1.0), _bars(shares)], columns=3)


def _histogram(shop: Shop, name: str, low: float, high: float) -> Image.Image:
    panel, draw = _panel(name.replace("_", " "), low, high)
    bins = np.linspace(low, high, 41)
    for code, sex in enumerate(SEXES):
        values = shop.bodies.column(name)[shop.bodies.sex == code]
        count = np.histogram(values, bins)[0] / max(len(values), 1) / (bins[1] - bins[0])
        mean, covariance = moments(sex)
        at = SURVEYED.index(name)
        spread = np.sqrt(covariance[at, at])
        middle = (bins[1:] + bins[:-1]) / 2
        survey = np.exp(-0.5 * ((np.log(middle) - mean[at]) / spread) ** 2) / (middle * spread * np.sqrt(2 * np.pi))
        top = 1.15 * float(survey.max())
        pale = tuple(int(0.45 * part + 140) for part in _SEX_COLOURS[sex])
        for value, start in zip(count, range(len(count)), strict=True):
            box = (_across(start / 40), _down(min(value / top, 1)), _across((start + 1) / 40) - 1, _down(0))
            draw.rectangle(box, outline=pale)
        line = [(_across((at + 0.5) / 40), _down(value / top)) for at, value in enumerate(survey.tolist())]
        draw.line(line, fill=_SEX_COLOURS[sex], width=2)
    return panel


def _curves(stretch: float) -> Image.Image:
    panel, draw = _panel(f"small, fit, large by steps too big; stretch {stretch:g}", -4, 4)
    latent = np.linspace(-4, 4, 81)
    for colour, values in zip(_CLASS_COLOURS, fit_probabilities(latent, stretch).T, strict=True):
        line = [(_across(at / 80), _down(0.95 * value)) for at, value in enumerate(values.tolist())]
        draw.line(line, fill=colour, width=2)
    return panel


def _bars(shares: dict[str, npt.NDArray[np.int64]]) -> Image.Image:
    panel, draw = _panel("small, fit, large by category", None, None)
    for row, (kind, counts) in enumerate(shares.items()):
        ends = np.cumsum([0, *(counts / max(counts.sum(), 1))])
        top = 22 + row * (_PANEL[1] - 30) / len(CLOTHES)
        draw.text((6, top - 2), kind, fill=_INK)
        for colour, start, end in zip(_CLASS_COLOURS, ends, ends[1:], strict=False):
            draw.rectangle((72 + 150 * start, top, 72 + 150 * end, top + 8), fill=colour)
    return panel


def _panel(title: str, low: float | None, high: float | None) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    panel = Image.new("RGB", _PANEL, (255, 255, 255))
    draw = ImageDraw.Draw(panel)
    draw.text((6, 4), title, fill=_INK)
    if low is not None and high is not None:
        draw.line([(_across(0), _down(0)), (_across(1), _down(0))], fill=_INK)
        for share in (0.0, 0.5, 1.0):
            draw.text((_across(share) - 8, _down(0) + 2), f"{low + share * (high - low):g}", fill=_INK)
    return panel, draw


def _across(share: float) -> float:
    return 14 + share * (_PANEL[0] - 32)


def _down(share: float) -> float:
    return _PANEL[1] - 18 - share * (_PANEL[1] - 40)


def _tiled(panels: Sequence[Image.Image], columns: int) -> Image.Image:
    rows = -(-len(panels) // columns)
    sheet = Image.new("RGB", (columns * _PANEL[0], rows * _PANEL[1]), (255, 255, 255))
    for number, panel in enumerate(panels):
        sheet.paste(panel, (number % columns * _PANEL[0], number // columns * _PANEL[1]))
    return _small(np.asarray(sheet))


def _small(pixels: Pixels) -> Image.Image:
    return Image.fromarray(pixels).quantize(_COLOURS_KEPT, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
