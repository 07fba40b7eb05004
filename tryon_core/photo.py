"""From compressed bytes to the pixels that an encoder sees; knows neither models nor people."""

from __future__ import annotations

import io
import math
import struct
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from .errors import InputError, TooLargeError, UnsupportedImageError
from .picture import Picture, read_picture

RGB = npt.NDArray[np.uint8]
"""uint8[H, W, 3]."""
Mask = npt.NDArray[np.uint8]
"""uint8[H, W]: 0 where nothing of the person is, 255 where all is; in between along the edge of a scaled one."""

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 24_000_000
"""Of a picture that has to be decoded at its full size, as PNG, WebP and JPEGs of several scans have to; 96 MB as Pillow
holds it. It is checked from the header, before anything is decoded."""
MAX_PIXELS_REDUCED = 120_000_000
"""Of a JPEG that can be decoded at a half, a quarter or an eighth of its size: over what phones make (50 megapixels, and
108), with never more than `MAX_PIXELS` of it in memory."""
MIN_SIDE_PX = 32

_SCALES = (1, 2, 4, 8)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(content: bytes, *, longest_px: int = 1024) -> RGB:
    """Return an image file's pixels, upright, at most `longest_px` on the longer side.

    JPEGs are decoded at a reduced scale where that suffices, alpha is laid on white, EXIF orientation is applied. Colour
    profiles are not looked at: all numbers are taken for sRGB.

    Args:
        content: a JPEG, PNG or WebP file.

    Raises:
        UnsupportedImageError: no such file, one that moves, or one that is cut off or damaged.
        TooLargeError: over `MAX_BYTES`, `MAX_PIXELS` or `MAX_PIXELS_REDUCED`.
        InputError: a side is under `MIN_SIDE_PX`.
    """
    if len(content) > MAX_BYTES:
        raise TooLargeError(f"expected an image file of at most {MAX_BYTES} bytes, got {len(content)}")
    picture = read_picture(content)
    check_size(picture)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(picture.content), formats=(picture.kind,))
            if image.size != (picture.width, picture.height):
                raise ValueError(f"two sizes, {picture.width} x {picture.height} and {image.width} x {image.height}")
            _reduce(image, picture, longest_px)
            image.load()
            upright = _averageable(_turned(image, picture.orientation))
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as err:
        raise UnsupportedImageError(f"expected a whole image, got one that is cut off or damaged: {err}") from err
    upright.thumbnail((longest_px, longest_px), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(_on_white(upright))


def check_size(picture: Picture) -> None:
    """Check that a picture is of a size that is decoded.

    Raises:
        TooLargeError: it has too many pixels for its kind.
        InputError: a side is under `MIN_SIDE_PX`.
    """
    width, height = picture.width, picture.height
    most = MAX_PIXELS_REDUCED if picture.reducible else MAX_PIXELS
    if width * height > most:
        kind = picture.kind if picture.reducible or picture.kind != "JPEG" else "progressive JPEG"
        raise TooLargeError(f"expected a {kind} of at most {most} pixels, got {width} x {height}")
    if min(width, height) < MIN_SIDE_PX:
        raise InputError(f"expected an image of at least {MIN_SIDE_PX} x {MIN_SIDE_PX} pixels, got {width} x {height}")


def prepare(pixels: npt.NDArray[np.uint8], height: int, width: int, *, denoise_sigma: float = 0.0) -> npt.NDArray[np.uint8]:
    """Return pixels resized to height x width (bilinear, antialiased), after an optional Gaussian blur.

    Args:
        pixels: uint8[H, W] or uint8[H, W, 3].
        denoise_sigma: standard deviation of the blur in pixels of the result; it removes sensor noise.
    """
    image = Image.fromarray(pixels)
    if denoise_sigma > 0:
        scale = max(image.height / height, image.width / width)
        image = image.filter(ImageFilter.GaussianBlur(denoise_sigma * scale))
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(image)


def _reduce(image: Image.Image, picture: Picture, longest_px: int) -> None:
    """Let a JPEG be decoded at no larger a scale than is needed, and never at one of too many pixels."""
    needed = min(picture.width, picture.height) // (2 * longest_px)
    fitting = math.sqrt(picture.width * picture.height / MAX_PIXELS)
    scale = max(max(s for s in _SCALES if s <= max(needed, 1)), min(s for s in _SCALES if s >= fitting))
    if picture.reducible and scale > 1:
        image.draft(None, (picture.width // scale, picture.height // scale))


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def _averageable(image: Image.Image) -> Image.Image:
    """Return an image in a mode whose pixels resizing can average: Pillow picks among palette indices and clips 16 bits."""
    if image.mode.startswith("I"):
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("1", "P"):
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image


def _on_white(image: Image.Image) -> Image.Image:
    if "A" in image.getbands() or "transparency" in image.info:
        rgba: Any = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")
