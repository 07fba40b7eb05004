"""Masks in place of photos: what they give, and what is refused before it costs anything."""

from __future__ import annotations

import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.drawn import encoded, figure
from train.data.figures import render_mask
from tryon_core.encoding import Refused, encode_masks
from tryon_core.errors import InputError, TooLargeError, UnsupportedImageError
from tryon_core.mask import decode_mask
from tryon_core.model import Model
from tryon_core.person import frame_mask

SILHOUETTE = render_mask(*figure(), 400, 300) >= 128


def one_bit(inside: np.ndarray) -> bytes:
    return encoded(Image.fromarray(inside.astype(np.uint8) * np.uint8(255)).convert("1", dither=Image.Dither.NONE), "PNG")


def png(header: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    parts = [(b"IHDR", header), *chunks]
    whole = (struct.pack(">L", len(d)) + k + d + struct.pack(">L", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


def header(width: int, height: int, depth: int = 1, colour: int = 0) -> bytes:
    return struct.pack(">LLBBBBB", width, height, depth, colour, 0, 0, 0)


def test_a_mask_is_the_person_it_was_drawn_from() -> None:
    mask = decode_mask(one_bit(SILHOUETTE))
    assert mask is not None
    np.testing.assert_array_equal(mask == 255, SILHOUETTE)


def test_specks_beside_the_person_change_nothing_that_an_encoder_sees() -> None:
    specked = SILHOUETTE.copy()
    specked[2:4, 2:4] = True
    clean, cleaned = decode_mask(one_bit(SILHOUETTE)), decode_mask(one_bit(specked))
    assert clean is not None
    assert cleaned is not None
    np.testing.assert_array_equal(frame_mask(cleaned, 96, 64), frame_mask(clean, 96, 64))


def test_a_large_mask_is_averaged_and_tells_the_same(tiny_model: Model) -> None:
    large = np.kron(SILHOUETTE, np.ones((6, 6), bool))
    small, big = encode_masks(tiny_model, [one_bit(SILHOUETTE), one_bit(large)])
    np.testing.assert_allclose(np.asarray(small, np.float32), np.asarray(big, np.float32), atol=0.05)


@pytest.mark.parametrize(
    "inside",
    [
        np.zeros((300, 200), bool),
        np.ones((300, 200), bool),
        np.ones((100, 300), bool),
        ~SILHOUETTE,
        np.random.default_rng(0).random((300, 200)) < 0.5,
        np.pad(SILHOUETTE[::20, ::20], 100),
    ],
    ids=["empty", "full", "lying", "inverted", "noise", "tiny"],
)
def test_what_shows_nobody_is_refused_as_a_photo_without_a_person_is(tiny_model: Model, inside: np.ndarray) -> None:
    (refused,) = encode_masks(tiny_model, [one_bit(inside)])
    assert isinstance(refused, Refused)
    assert refused.reason == "no person was found in the picture"


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        (b"", UnsupportedImageError, "got another file"),
        (encoded(Image.new("RGB", (64, 64))), UnsupportedImageError, "got another file"),
        (encoded(Image.new("L", (64, 64)), "PNG"), UnsupportedImageError, "got 8 bits of colour type 0"),
        (one_bit(SILHOUETTE)[:200], UnsupportedImageError, "cut off or damaged"),
        (png(header(64, 64), (b"IDAT", zlib.compress(b"x")), (b"IEND", b"")), UnsupportedImageError, "cut off"),
        (png(b"short", (b"IEND", b"")), UnsupportedImageError, "cut off or damaged"),
        (png(header(20_000, 20_000), (b"IEND", b"")), TooLargeError, "at most 16000000 pixels"),
        (png(header(64, 8), (b"IEND", b"")), InputError, "at least 32 x 32"),
        (png(header(64, 64), *[(b"tEXt", b"")] * 5000), UnsupportedImageError, "at most 4096 chunks"),
        (bytes(3 * 2**20), TooLargeError, "at most 2097152 bytes"),
    ],
)
def test_a_file_that_is_no_mask_is_refused_in_a_sentence_and_at_once(
    content: bytes, error: type[InputError], told: str
) -> None:
    begun = time.process_time()
    with pytest.raises(error, match=told):
        decode_mask(content)
    assert time.process_time() - begun < 1


def test_the_worst_stripes_of_the_largest_mask_take_less_than_a_second() -> None:
    stripes = np.zeros((4000, 4000), bool)
    stripes[:, np.arange(4000) // 128 % 2 == 0] = True
    content, begun = one_bit(stripes), time.perf_counter()
    decode_mask(content)
    assert time.process_time() - begun < 1


def test_other_chunks_of_a_mask_are_never_decoded() -> None:
    content = one_bit(SILHOUETTE)
    bad = struct.pack(">L", 4) + b"iCCP" + b"junk" + b"\0\0\0\0"
    mask = decode_mask(content[:33] + bad + content[33:])
    assert mask is not None
    np.testing.assert_array_equal(mask == 255, SILHOUETTE)


def test_a_mask_spoils_no_other(tiny_model: Model) -> None:
    good, bad, again = encode_masks(tiny_model, [one_bit(SILHOUETTE), b"no mask", one_bit(SILHOUETTE)])
    assert isinstance(bad, UnsupportedImageError)
    np.testing.assert_array_equal(good, again)
