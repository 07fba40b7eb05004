"""From compressed bytes to the pixels that an encoder sees; knows neither models nor people."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter, ImageOps, UnidentifiedImageError

from .errors import InputError, TooLargeError, UnsupportedImageError

RGB = npt.NDArray[np.uint8]
"""uint8[H, W, 3]."""
Mask = npt.NDArray[np.uint8]
"""uint8[H, W]: 0 where nothing of the person is, 255 where all is; in between along the edge of a scaled one."""

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 64_000_000
"""Over what phones make (50 megapixels); checked from the header, before anything is decoded."""
MIN_SIDE_PX = 32


def decode(content: bytes, *, longest_px: int = 1024) -> RGB:
    """Return an image file's pixels, upright, at most `longest_px` on the longer side.

    JPEGs are decoded at a reduced scale where that suffices, alpha is laid on white, EXIF orientation is applied.

    Args:
        content: a JPEG, PNG or WebP file.

    Raises:
        UnsupportedImageError: no such file, or cut off or damaged.
        TooLargeError: over `MAX_BYTES` or `MAX_PIXELS`.
        InputError: a side is under `MIN_SIDE_PX`.
    """
    if len(content) > MAX_BYTES:
        raise TooLargeError(f"expected an image file of at most {MAX_BYTES} bytes, got {len(content)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(content), formats=FORMATS)
            _check_size(*image.size)
            image.draft("RGB", (2 * longest_px, 2 * longest_px))
            image.load()
            upright = _averageable(ImageOps.exif_transpose(image))
    except (InputError, TooLargeError):
        raise
    except Image.DecompressionBombError as err:
        raise TooLargeError(f"expected an image of at most {MAX_PIXELS} pixels, got far more") from err
    except UnidentifiedImageError as err:
        start = content[:8]
        raise UnsupportedImageError(f"expected a JPEG, PNG or WebP image, got {_kind(start)}") from err
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as err:
        raise UnsupportedImageError(f"expected a whole image, got one that is cut off or damaged: {err}") from err
    upright.thumbnail((longest_px, longest_px), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(_on_white(upright))


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


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise TooLargeError(f"expected an image of at most {MAX_PIXELS} pixels, got {width} x {height}")
    if min(width, height) < MIN_SIDE_PX:
        raise InputError(f"expected an image of at least {MIN_SIDE_PX} x {MIN_SIDE_PX} pixels, got {width} x {height}")


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


def _kind(start: bytes) -> str:
    if not start:
        return "an empty file"
    return "text" if start.isascii() and start.decode("ascii").isprintable() else f"bytes that begin {start.hex()}"
