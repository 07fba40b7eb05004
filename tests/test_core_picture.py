"""What an image file says of itself, and that no decoder is shown more of it than its pixels need."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.drawn import photo
from tryon_core.errors import InputError, TooLargeError, UnsupportedImageError
from tryon_core.exif import orientation_of
from tryon_core.jpeg import MAX_SCANS, MAX_SEGMENTS
from tryon_core.photo import MAX_PIXELS, MAX_PIXELS_REDUCED, decode
from tryon_core.picture import read_picture


def encoded(image: Image.Image, kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def gradient(width: int, height: int) -> Image.Image:
    ramp = Image.linear_gradient("L")
    return Image.merge("RGB", (ramp, ramp.rotate(90), ramp.rotate(180))).resize((width, height), Image.Resampling.BILINEAR)


def segment(marker: int, data: bytes) -> bytes:
    return b"\xff%c%b%b" % (marker, struct.pack(">H", len(data) + 2), data)


def with_segments(jpeg: bytes, segments: bytes) -> bytes:
    return jpeg[:2] + segments + jpeg[2:]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def with_chunks(png: bytes, chunks: bytes) -> bytes:
    """A PNG with more chunks between its head and its pixels."""
    return png[:33] + chunks + png[33:]


def tiff(*tags: tuple[int, int, int, bytes], order: str = ">") -> bytes:
    entries = b"".join(struct.pack(order + "HHL", *tag[:3]) + tag[3].ljust(4, b"\0") for tag in tags)
    start = (b"MM" if order == ">" else b"II") + struct.pack(order + "HL", 42, 8)
    return start + struct.pack(order + "H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_read_in_both_byte_orders_as_short_or_long(order: str) -> None:
    for told in range(1, 9):
        for kind, code in ((3, "H"), (4, "L")):
            value = (274, kind, 1, struct.pack(order + code, told))
            assert orientation_of(tiff((256, 3, 1, b"\0\1"), value, order=order)) == told


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MM",
        b"MM\0*\xff\xff\xff\xff",
        tiff((274, 3, 1, b"\0\x09")),
        tiff((274, 3, 2, b"\0\x06")),
        tiff((274, 2, 1, b"6")),
        tiff((274, 3, 1, b"\0\x06"))[:18],
        b"Exif\0\0" + tiff((274, 3, 1, b"\0\x06")),
        tiff(*[(1, 3, 1, b"\0\x06")] * 600, (274, 3, 1, b"\0\x06")),
    ],
)
def test_exif_that_is_damaged_or_tells_nothing_leaves_a_picture_as_it_is(data: bytes) -> None:
    assert orientation_of(data) == 1


def test_a_decoder_gets_no_bytes_that_the_pixels_do_not_need() -> None:
    image, exif = gradient(64, 48), Image.Exif()
    exif[270] = "SECRET" * 10
    profile, trailer = b"SECRET" * 30, b"PK\x03\x04SECRET"
    jpeg = encoded(image, "JPEG", exif=exif, icc_profile=profile, comment=b"SECRET", quality=95)
    png = with_chunks(encoded(image, "PNG", exif=exif), chunk(b"tEXt", b"a\0SECRET") + chunk(b"prVt", b"SECRET"))
    webp = encoded(image, "WEBP", exif=exif, icc_profile=profile, xmp=b"SECRET", lossless=True)
    bare = (encoded(image, "JPEG", quality=95), encoded(image, "PNG"), encoded(image, "WEBP", lossless=True))
    for whole, plain in zip((jpeg, png, webp), bare, strict=True):
        assert b"SECRET" in whole
        assert b"SECRET" not in read_picture(whole + trailer).content
        np.testing.assert_array_equal(decode(whole + trailer), decode(plain))


def test_the_colour_transform_that_a_jpeg_names_is_kept() -> None:
    image = gradient(64, 64)
    plain = encoded(image, "JPEG", quality=95, keep_rgb=True)
    assert np.abs(decode(plain).astype(int) - np.asarray(image)).mean() < 3
    cmyk = encoded(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG")
    np.testing.assert_allclose(decode(cmyk)[32, 32], [255, 0, 0], atol=4)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (with_segments(photo(), b"\xff\xfe\0\2" * 1_000_000), "at most 10000 segments"),
        (with_segments(photo(), b"\xff" * 5_000_000), "cut off or damaged"),
        (with_segments(photo(), b"\xff\0" * 2_000_000), "cut off or damaged"),
        (with_chunks(encoded(gradient(64, 64), "PNG"), chunk(b"prVt", b"") * 1_000_000), "at most 10000 chunks"),
        (b"RIFF" + struct.pack("<L", 8_000_004) + b"WEBP" + b"XXXX\0\0\0\0" * 1_000_000, "at most 10000 chunks"),
    ],
    ids=["segments", "filling", "stuffing", "PNG chunks", "WebP chunks"],
)
def test_a_file_of_a_million_empty_pieces_is_refused_at_once(content: bytes, said: str) -> None:
    begun = time.process_time()
    with pytest.raises(UnsupportedImageError, match=said):
        decode(content)
    assert time.process_time() - begun < 0.2


def test_a_few_stray_and_filling_bytes_between_segments_are_passed_over() -> None:
    np.testing.assert_array_equal(decode(with_segments(photo(), b"\xff\xff\xff\xff\0\0")), decode(photo()))
    assert MAX_SEGMENTS >= 20 * 2**20 // 8192  # what a PNG of the largest size has, as libpng writes it


def test_exif_whose_tags_all_refer_to_the_same_bytes_costs_nothing() -> None:
    tags = [(1000 + n, 7, 30_000, struct.pack(">L", 8)) for n in range(2_500)]
    bomb = b"Exif\0\0" + tiff(*tags) + bytes(30_000)
    content = with_segments(photo(), segment(0xE1, bomb))
    begun = time.process_time()
    np.testing.assert_array_equal(decode(content), decode(photo()))
    assert time.process_time() - begun < 0.2


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_picture_that_moves_is_refused(kind: str) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "green")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    with pytest.raises(UnsupportedImageError, match="expected a still image, got a"):
        decode(content)


def test_a_camera_s_file_of_several_jpegs_gives_its_first() -> None:
    first = encoded(gradient(64, 48), "JPEG", quality=95)
    several = encoded(gradient(64, 48), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))], quality=95)
    np.testing.assert_array_equal(decode(several), decode(first))


def test_a_png_of_chunks_that_no_standard_knows_is_refused() -> None:
    with pytest.raises(UnsupportedImageError, match="got a chunk 'CgBI'"):
        decode(with_chunks(encoded(gradient(64, 64), "PNG"), chunk(b"CgBI", b"")))


def test_a_lossy_webp_keeps_its_alpha() -> None:
    image = gradient(64, 64)
    image.putalpha(Image.linear_gradient("L").resize((64, 64)))
    content = encoded(image, "WEBP", quality=90, exif=b"Exif\0\0" + tiff((274, 3, 1, b"\0\1")))
    on_white = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    assert np.abs(decode(content).astype(int) - np.asarray(on_white)).mean() < 4


def test_a_jpeg_that_asks_for_too_many_scans_is_refused() -> None:
    content = encoded(gradient(64, 64), "JPEG", progressive=True)
    start = content.rindex(b"\xff\xda")
    last = content[start:-2]
    assert decode(content[:-2] + last * 20 + b"\xff\xd9").shape == (64, 64, 3)
    with pytest.raises(UnsupportedImageError, match=f"at most {MAX_SCANS} scans"):
        decode(content[:-2] + last * 200 + b"\xff\xd9")
    hidden = content[:-2] + segment(0xFE, b"\xff\xd9") + last * 200 + b"\xff\xd9"
    assert read_picture(hidden).content.count(b"\xff\xda") < MAX_SCANS


def test_codings_that_no_camera_writes_are_refused() -> None:
    content = encoded(gradient(64, 64), "JPEG")
    frame = content.index(b"\xff\xc0")
    arithmetic = content[:frame] + b"\xff\xc9" + content[frame + 2 :]
    twice = with_segments(content, content[frame : frame + 19])
    for wrong in (arithmetic, twice):
        with pytest.raises(UnsupportedImageError, match="one frame, baseline or progressive"):
            decode(wrong)


@pytest.mark.parametrize(
    ("width", "height", "settings", "most"),
    [
        (12_001, 10_000, {}, MAX_PIXELS_REDUCED),
        (6_001, 4_000, {"progressive": True}, MAX_PIXELS),
    ],
)
def test_a_jpeg_of_too_many_pixels_is_refused_by_its_header(
    width: int, height: int, settings: dict[str, Any], most: int
) -> None:
    content = encoded(Image.new("RGB", (64, 64)), "JPEG", **settings)
    frame = content.index(b"\xff\xc2" if settings else b"\xff\xc0")
    claiming = content[: frame + 5] + struct.pack(">HH", height, width) + content[frame + 9 :]
    with pytest.raises(TooLargeError, match=f"JPEG of at most {most} pixels, got {width} x {height}"):
        decode(claiming)


def test_a_file_that_tells_two_sizes_is_refused() -> None:
    png = encoded(gradient(64, 64), "PNG")
    with pytest.raises(UnsupportedImageError):
        decode(with_chunks(png, png[8:33]))
    webp = encoded(gradient(64, 64), "WEBP", quality=80)
    canvas = b"VP8X" + struct.pack("<L", 10) + bytes(4) + b"\xff\0\0\xff\0\0"
    body = b"WEBP" + canvas + webp[12:]
    assert decode(b"RIFF" + struct.pack("<L", len(body)) + body).shape == (64, 64, 3)


def test_a_phone_s_photo_of_fifty_megapixels_is_upright_and_looks_like_one_decoded_in_full() -> None:
    exif = Image.Exif()
    exif[274] = 6
    content = encoded(gradient(8_160, 6_120), "JPEG", quality=85, exif=exif)
    whole = Image.open(io.BytesIO(content)).transpose(Image.Transpose.ROTATE_270)
    expected = np.asarray(whole.resize((768, 1024), Image.Resampling.BILINEAR, reducing_gap=2.0))
    decoded = decode(content)
    assert decoded.shape == expected.shape
    difference = np.abs(decoded.astype(int) - expected)
    assert difference.mean() < 1.0
    assert np.percentile(difference, 99) <= 3


_PEAK = """
import pathlib, re, sys
from tryon_core.photo import decode
content = open(sys.argv[1], "rb").read()
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]) // 1024
before = peak()
decode(content)
print(peak() - before)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "size", "settings", "most_mb"),
    [
        ("JPEG", (12_000, 10_000), {}, 160),
        ("JPEG", (65_500, 1_832), {}, 160),
        ("JPEG", (8_160, 6_120), {}, 200),
        ("JPEG", (6_000, 4_000), {"progressive": True}, 300),
        ("PNG", (6_000, 4_000), {}, 300),
        ("WEBP", (6_000, 4_000), {"method": 0}, 500),
    ],
)
def test_memory_stays_bounded_however_many_pixels_a_file_has(
    kind: str, size: tuple[int, int], settings: dict[str, Any], most_mb: int, tmp_path: Any
) -> None:
    file = tmp_path / "picture"
    file.write_bytes(encoded(gradient(*size), kind, **settings))
    told = subprocess.run([sys.executable, "-c", _PEAK, str(file)], capture_output=True, text=True, check=True, timeout=120)
    print(f"{kind} {size[0]} x {size[1]}: {told.stdout.strip()} MB more at the peak")
    assert 10 < int(told.stdout) < most_mb


def test_a_file_cut_anywhere_is_an_input_error_or_a_whole_image() -> None:
    for content in (photo(), encoded(gradient(64, 64), "PNG"), encoded(gradient(64, 64), "WEBP")):
        for length in range(0, min(len(content), 800), 7):
            with pytest.raises(InputError):
                decode(content[:length])
