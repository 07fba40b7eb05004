from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tryon_core.errors import InputError, TooLargeError, UnsupportedImageError
from tryon_core.photo import FORMATS, MAX_BYTES, decode, prepare

UPRIGHTENED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: np.rot90(a, 1),
}
"""EXIF orientation to how the stored rows and columns become an upright image (Exif 2.32, tag 274)."""


def encoded(image: Image.Image, kind: str = "PNG", **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.meshgrid(np.linspace(0, 1, height), np.linspace(0, 1, width), indexing="ij")
    channels = (255 * rows, 255 * columns, 127 + 120 * np.sin(6 * rows + 3 * columns))
    return np.stack(channels, axis=2).round().astype(np.uint8)


@pytest.mark.parametrize("orientation", UPRIGHTENED)
def test_every_exif_orientation_is_applied(orientation: int) -> None:
    stored = smooth(40, 64)
    exif = Image.Exif()
    exif[274] = orientation
    upright = UPRIGHTENED[orientation](stored)
    np.testing.assert_array_equal(decode(encoded(Image.fromarray(stored), "PNG", exif=exif)), upright)
    photo = decode(encoded(Image.fromarray(stored), "JPEG", quality=95, exif=exif))
    assert photo.shape == upright.shape
    assert np.abs(photo.astype(int) - upright).mean() < 3


@pytest.mark.parametrize(
    ("kind", "settings", "tolerance"),
    [
        ("PNG", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("WEBP", {"quality": 90}, 6),
        ("JPEG", {"quality": 92}, 4),
        ("JPEG", {"quality": 92, "progressive": True}, 4),
    ],
)
def test_every_format_gives_the_same_pixels(kind: str, settings: dict[str, Any], tolerance: float) -> None:
    pixels = smooth(48, 64)
    decoded = decode(encoded(Image.fromarray(pixels), kind, **settings))
    assert (decoded.shape, decoded.dtype) == ((48, 64, 3), np.uint8)
    assert np.abs(decoded.astype(int) - pixels).mean() <= tolerance


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM"])
def test_a_format_that_is_not_read_here_is_refused(kind: str) -> None:
    assert kind not in FORMATS
    with pytest.raises(UnsupportedImageError, match="expected a JPEG, PNG or WebP image"):
        decode(encoded(Image.fromarray(smooth(48, 48)), kind))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_alpha_is_laid_on_white(kind: str) -> None:
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[..., 0], pixels[:20, :, 3], pixels[20:, :, 3] = 200, 0, 51
    decoded = decode(encoded(Image.fromarray(pixels), kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {})))
    np.testing.assert_array_equal(decoded[:20], 255)
    np.testing.assert_allclose(decoded[20:].reshape(-1, 3), np.tile([244, 204, 204], (800, 1)), atol=1)


def test_grey_with_alpha_and_a_transparent_palette_colour_are_laid_on_white() -> None:
    np.testing.assert_array_equal(decode(encoded(Image.new("LA", (40, 40), (0, 0)))), 255)
    palette = Image.new("P", (40, 40), 1)
    palette.putpalette([255, 0, 0, 0, 0, 255])
    np.testing.assert_array_equal(decode(encoded(palette, transparency=1)), 255)
    np.testing.assert_array_equal(decode(encoded(palette, transparency=0))[0, 0], [0, 0, 255])


def test_cmyk_becomes_rgb() -> None:
    red = Image.new("CMYK", (40, 40), (0, 255, 255, 0))
    np.testing.assert_allclose(decode(encoded(red, "JPEG", quality=95))[20, 20], [255, 0, 0], atol=4)


def test_greyscale_becomes_three_equal_channels() -> None:
    grey = smooth(40, 40)[..., 0]
    for kind, tolerance in (("PNG", 0), ("JPEG", 4)):
        decoded = decode(encoded(Image.fromarray(grey), kind)).astype(int)
        assert np.abs(decoded - grey[..., None]).max() <= tolerance


@pytest.mark.parametrize("side", [64, 2048])
def test_sixteen_bit_grey_keeps_its_upper_eight(side: int) -> None:
    ramp = np.tile(np.linspace(0, 65535, side).astype(np.uint16), (64, 1))
    decoded = decode(encoded(Image.fromarray(ramp)), longest_px=64)[0, :, 0]
    np.testing.assert_allclose(decoded, np.linspace(0, 255, 64), atol=3)


def test_black_and_white_and_palettes_are_averaged_when_they_shrink() -> None:
    stripes = np.zeros((256, 256), bool)
    stripes[:, ::2] = True
    for mode in ("1", "P"):
        shrunk = decode(encoded(Image.fromarray(stripes).convert(mode)), longest_px=64)
        np.testing.assert_allclose(shrunk[4:-4, 4:-4], 127, atol=8)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_file_that_is_cut_off_is_refused(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = encoded(Image.fromarray(noise), kind)
    for share in (0.02, 0.1, 0.5, 0.9):
        with pytest.raises(UnsupportedImageError):
            decode(whole[: int(share * len(whole))])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_file_is_an_input_error_or_still_an_image(kind: str) -> None:
    exif = Image.Exif()
    exif[274], exif[271] = 6, "a camera"
    whole = encoded(Image.fromarray(smooth(48, 40)), kind, exif=exif)
    draw = random.Random(0)
    refusals = []
    for number in range(400):
        content = bytearray(whole)
        for _ in range(1 + number % 4):
            content[draw.randrange(min(len(content), 200 if number % 2 else len(content)))] = draw.randrange(256)
        try:
            decoded = decode(bytes(content))
        except InputError as err:
            refusals.append(str(err))
        else:
            assert decoded.ndim == 3
    assert len(refusals) > 20
    assert not any("\n" in refusal for refusal in refusals)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"This is a text named photo.jpg", "got text"),
        (b"%PDF-1.7 \x00", "got text"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", "bytes that begin 0001020304050607"),
    ],
)
def test_what_is_no_image_is_refused_and_called_what_it_is(content: bytes, said: str) -> None:
    with pytest.raises(UnsupportedImageError, match=said):
        decode(content)


@pytest.mark.parametrize("size", [(1, 1), (31, 500), (500, 31)])
def test_an_image_with_a_side_too_short_is_refused_with_its_size(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"at least 32 x 32 pixels, got {size[0]} x {size[1]}"):
        decode(encoded(Image.new("RGB", size)))


def png_header(width: int, height: int) -> bytes:
    """A PNG whose pixels are one row of zeros: small, though its header claims any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1 + 3 * width))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(20_000, 20_000), (10_000, 10_000), (6_001, 4_000), (200_000, 1_000)])
def test_an_image_of_too_many_pixels_is_refused_by_its_header(size: tuple[int, int]) -> None:
    content = png_header(*size)
    assert len(content) < 10_000
    with pytest.raises(TooLargeError, match="at most 24000000 pixels"):
        decode(content)


def test_a_file_of_too_many_bytes_is_refused_unread() -> None:
    with pytest.raises(TooLargeError, match=f"at most {MAX_BYTES} bytes, got {MAX_BYTES + 1}"):
        decode(bytes(MAX_BYTES + 1))


@pytest.mark.parametrize(("height", "width"), [(600, 400), (400, 600)])
def test_the_longer_side_is_limited_and_proportions_are_kept(height: int, width: int) -> None:
    decoded = decode(encoded(Image.fromarray(smooth(height, width))), longest_px=300)
    assert decoded.shape == (height // 2, width // 2, 3)
    assert decode(encoded(Image.fromarray(smooth(64, 50))), longest_px=300).shape == (64, 50, 3)


def test_a_jpeg_decoded_at_a_reduced_scale_looks_like_one_decoded_in_full() -> None:
    content = encoded(Image.fromarray(smooth(1600, 2400)), "JPEG", quality=90)
    whole = Image.open(io.BytesIO(content)).convert("RGB").resize((256, 171), Image.Resampling.BILINEAR)
    decoded = decode(content, longest_px=256)
    assert decoded.shape == (171, 256, 3)
    difference = np.abs(decoded.astype(int) - np.asarray(whole))
    assert difference.mean() < 1.0
    assert np.percentile(difference, 99) <= 4


def test_resizing_averages_rather_than_picks() -> None:
    board = np.indices((128, 128)).sum(axis=0) % 2 * 255
    small = prepare(board.astype(np.uint8), 16, 16)
    np.testing.assert_allclose(small, 127.5, atol=4)


def test_resizing_is_bilinear_interpolation_when_it_enlarges() -> None:
    ramp = np.tile(np.arange(0, 160, 10, dtype=np.uint8), (32, 1))
    places = (np.arange(32) + 0.5) / 2 - 0.5
    expected = np.interp(places, np.arange(16), ramp[0])
    np.testing.assert_allclose(prepare(ramp, 32, 32)[5], expected, atol=1)


def test_an_image_of_the_right_size_is_left_as_it_is() -> None:
    for pixels in (smooth(40, 30), smooth(40, 30)[..., 0]):
        np.testing.assert_array_equal(prepare(pixels, 40, 30), pixels)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_denoising_lowers_the_variance_of_noise_as_a_gaussian_does(sigma: float) -> None:
    noise = np.random.default_rng(0).normal(128, 40, (256, 256)).clip(0, 255).round().astype(np.uint8)
    calm = prepare(noise, 256, 256, denoise_sigma=sigma)[16:-16, 16:-16]
    assert calm.var() / noise.var() == pytest.approx(1 / (4 * np.pi * sigma**2), rel=0.15)
    assert calm.mean() == pytest.approx(noise.mean(), abs=1)


def test_denoising_is_measured_in_pixels_of_the_result() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(4 * 1.5))
    expected = prepare(np.asarray(blurred), 50, 50)
    np.testing.assert_array_equal(prepare(pixels, 50, 50, denoise_sigma=1.5), expected)
