"""Hostile input of many kinds, made by code: a table of what is sent and which statuses answer it.

Every maker takes the number of the example and makes each one different, so that no cache answers.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from tests.drawn import photo

CLOSED = 0
"""In place of a status: the connection ends without an answer."""
WAIT_S = 0.4
"""How long the service under test waits for more of a body."""


@dataclass(frozen=True)
class Sent:
    """A request, or bytes that are none."""

    path: str = "/v1/predict"
    content: bytes | Iterator[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    raw: bytes | None = None
    """What is written to the connection in place of a request; then the sender waits."""
    then_close: bool = False
    """Whether the sender of raw bytes stops sending for good."""


@dataclass(frozen=True)
class Kind:
    """One kind of hostile input."""

    name: str
    make: Callable[[int], Sent]
    statuses: tuple[int, ...]
    heavy: bool = False
    """Whether making it takes longer than the suite allows."""


def encoded(image: Image.Image, kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def noise(n: int, width: int = 64, height: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(n).integers(0, 256, (height, width, 3), dtype=np.uint8))


@cache
def flat(width: int, height: int, kind: str, mode: str = "RGB", **settings: Any) -> bytes:
    return encoded(Image.new(mode, (width, height)), kind, **settings)


@cache
def gradient(width: int, height: int, **settings: Any) -> bytes:
    return encoded(Image.linear_gradient("L").resize((width, height)).convert("RGB"), "JPEG", **settings)


def segment(marker: int, data: bytes) -> bytes:
    return b"\xff%c%b%b" % (marker, struct.pack(">H", len(data) + 2), data)


def commented(jpeg: bytes, n: int, more: bytes = b"") -> bytes:
    return jpeg[:2] + segment(0xFE, b"number %d" % n) + more + jpeg[2:]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def numbered(png: bytes, n: int, more: bytes = b"") -> bytes:
    return png[:33] + chunk(b"prVt", b"%d" % n) + more + png[33:]


def tiff(num_tags: int, size: int) -> bytes:
    tags = b"".join(struct.pack(">HHLL", 1000 + k, 7, size, 8) for k in range(num_tags))
    return b"MM\0*" + struct.pack(">LH", 8, num_tags) + tags + bytes(4 + size)


def exif(orientation: int) -> bytes:
    told = Image.Exif()
    told[274] = orientation
    return told.tobytes()


def multipart(*parts: tuple[str, bytes], end: bytes = b"--b--\r\n", path: str = "/v1/predict", kind: str = "b") -> Sent:
    content = b"".join(b"--b\r\nContent-Disposition: form-data; " + n.encode() + b"\r\n\r\n" + v + b"\r\n" for n, v in parts)
    return Sent(path, content + end, {"Content-Type": f"multipart/form-data; boundary={kind}"})


def picture(make: Callable[[int], bytes]) -> Callable[[int], Sent]:
    """A maker of requests whose photo is the file that `make` makes."""
    return lambda n: multipart(('name="image"; filename="../../me.jpg"', make(n)), ('name="text"', b"165 cm"))


def garment(n: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"g{n}", "sizes": [{"label": "M"}]} | fields


def asked(body: Any, **headers: str) -> Sent:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Sent("/v1/recommendations", content, {"Content-Type": "application/json"} | headers)


def pick(n: int, *choices: Any) -> Any:
    return choices[n % len(choices)]


def shuffled(n: int, content: bytes, num: int) -> bytes:
    draw, damaged = random.Random(n), bytearray(content)
    for _ in range(num):
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
    return bytes(damaged)


def claiming(n: int, side: int) -> bytes:
    """A file of a few bytes whose header claims a picture of side x side pixels, and differs by `n`."""
    png = numbered(flat(64, 64, "PNG"), n)
    jpeg = commented(flat(64, 64, "JPEG"), n)
    frame = jpeg.index(b"\xff\xc0")
    head = chunk(b"IHDR", struct.pack(">LLBBBBB", side, side, 8, 2, 0, 0, 0))
    lossless = struct.pack("<BL", 0x2F, (16_382 << 14) | 16_382) + b"%08d" % n
    body = b"WEBPVP8L" + struct.pack("<L", len(lossless)) + lossless + b"\0" * (len(lossless) % 2)
    return pick(
        n,
        png[:8] + head + png[33:],
        jpeg[: frame + 5] + struct.pack(">HH", min(side, 65_500), min(side, 65_500)) + jpeg[frame + 9 :],
        b"RIFF" + struct.pack("<L", len(body)) + body,
    )


def scans(n: int) -> bytes:
    whole = flat(640, 640, "JPEG", progressive=True)
    return commented(whole[:-2] + whole[whole.rindex(b"\xff\xda") : -2] * 500 + b"\xff\xd9", n)


def moving(n: int) -> bytes:
    frames = [noise(n), noise(n + 1)]
    return encoded(frames[0], pick(n, "WEBP", "PNG"), save_all=True, append_images=frames[1:], duration=50)


def polyglot(n: int) -> bytes:
    script = b"<html><script>alert(1)</script>"
    zipped = b"PK\x03\x04" + bytes(26) + b"PK\x05\x06" + bytes(18)
    jpeg = commented(gradient(64, 64), n, segment(0xFE, script))
    return pick(n, jpeg + zipped, numbered(flat(64, 64, "PNG"), n, chunk(b"tEXt", b"a\0" + script)) + b"%PDF-1.7 <?php 1 ?>")


_HEADS = (b"%PDF-1.7", b"PK\x03\x04", b"\x7fELF", b"MZ", b"\x80\x04\x95", b"ftypheic", b"<svg onload='x()'/>", b"#!/bin/sh")
_TRICKS = (
    "../../etc/passwd",
    "a/../b",
    "..\\..\\x",
    "a\x00b",
    "a\r\nSet-Cookie: x",
    "\u202eexe.gpj",
    "a\u200bb",
    " a",
    "\ufeffa",
)
_WORDS = (
    "9" * 9_900,
    "5'" * 4_900,
    "1/" * 4_900,
    "cm " * 3_000,
    "一" * 9_900,
    "à̀̀" * 2_000,
    "-" * 9_900,
    "1.1." * 2_000,
    "３５" * 4_900,
)
_PATHS = (
    "/../../etc/passwd",
    "/web/%2e%2e/%2e%2e/config.py",
    "/web/..%2fapp.py",
    "//etc/passwd",
    "/%00",
    "/v1/predict/",
    "/.git/HEAD",
)


def _truncated(n: int) -> bytes:
    kind = pick(n, "JPEG", "PNG", "WEBP")
    whole = encoded(noise(n), kind)
    return whole[: len(whole) * (10 + n % 80) // 100]


def _long(n: int, *, counted: bool) -> Sent:
    def pieces() -> Iterator[bytes]:
        for _ in range(400):
            yield bytes([n % 256]) * 65_536

    told = {"Content-Length": str(400 * 65_536)} if counted else {}
    return Sent("/v1/recommendations", pieces(), {"Content-Type": "application/json"} | told)


def _deep(n: int) -> Sent:
    return asked(pick(n, b"[", b'{"shopper":', b'{"garments":[{"sizes":[') * (50_000 + n))


def _head(n: int, told: str, body: bytes = b"") -> bytes:
    return f"POST /v1/recommendations HTTP/1.1\r\nHost: x\r\nX-N: {n}\r\n{told}\r\n\r\n".encode() + body


KINDS = (
    Kind("an empty file", picture(lambda n: b""), (415,)),
    Kind("a text named as a picture", picture(lambda n: b"no picture %d" % n), (415,)),
    Kind("random bytes", picture(lambda n: random.Random(n).randbytes(50_000)), (415,)),
    Kind("other formats", picture(lambda n: encoded(noise(n), pick(n, "GIF", "BMP", "TIFF", "ICO", "PPM"))), (415,)),
    Kind("programs, documents, scripts", picture(lambda n: pick(n, *_HEADS) + b"%d" % n), (415,)),
    Kind("a picture cut off", picture(_truncated), (415,)),
    Kind("a picture with damaged bytes", picture(lambda n: shuffled(n, photo(), 1 + n % 40)), (200, 413, 415, 422)),
    Kind("sizes that are only claimed", picture(lambda n: claiming(n, 100_000)), (413,)),
    Kind("a PNG of 24 megapixels in 68 kB", picture(lambda n: numbered(flat(6000, 4000, "PNG"), n)), (200,)),
    Kind("a WebP of 24 megapixels in 34 bytes", picture(lambda n: flat(6000, 4000, "WEBP", lossless=True, method=0) + b"%d" % n), (200,)),
    Kind("a PNG of one megapixel more", picture(lambda n: numbered(flat(6250, 4000, "PNG"), n)), (413,)),
    Kind("a phone's 50 megapixels", picture(lambda n: commented(gradient(8160, 6120, exif=exif(6)), n)), (200,), heavy=True),
    Kind("a JPEG of 120 megapixels", picture(lambda n: commented(gradient(12_000, 10_000), n)), (200,), heavy=True),
    Kind("a panorama of 65,500 x 1,832", picture(lambda n: commented(gradient(65_500, 1_832), n)), (200,), heavy=True),
    Kind("a picture thin as a hair", picture(lambda n: numbered(flat(60_000, 32, "PNG"), n)), (200,)),
    Kind("a picture too small", picture(lambda n: encoded(noise(n, 1 + n % 31, pick(n, 1, 31, 3_000)), "PNG")), (422,)),
    Kind("a JPEG of 500 scans", picture(scans), (415,)),
    Kind("a million segments", picture(lambda n: commented(photo(), n, b"\xff\xfe\0\2" * 1_000_000)), (415,)),
    Kind("megabytes of filling bytes", picture(lambda n: commented(photo(), n, b"\xff" * 5_000_000)), (415,)),
    Kind("a million chunks", picture(lambda n: numbered(flat(64, 64, "PNG"), n, chunk(b"prVt", b"") * 500_000)), (415,)),
    Kind("EXIF that refers to itself", picture(lambda n: commented(photo(), n, segment(0xE1, b"Exif\0\0" + tiff(2_500, 30_000)))), (200,)),
    Kind("texts that inflate", picture(lambda n: numbered(flat(64, 64, "PNG"), n, _bomb(b"zTXt"))), (200,)),
    Kind("a profile that inflates", picture(lambda n: numbered(flat(64, 64, "PNG"), n, _bomb(b"iCCP"))), (200,)),
    Kind("a profile of garbage", picture(lambda n: encoded(noise(n), "JPEG", icc_profile=random.Random(n).randbytes(3_000))), (200,)),
    Kind("pictures that move", picture(moving), (415,)),
    Kind("two formats in one file", picture(polyglot), (200,)),
    Kind("CMYK", picture(lambda n: encoded(noise(n).convert("CMYK"), "JPEG")), (200,)),
    Kind("16 bits", picture(lambda n: encoded(Image.fromarray(np.full((64, 64), 600 * n, np.uint16)), "PNG")), (200,)),
    Kind("progressive", picture(lambda n: encoded(noise(n), "JPEG", progressive=True)), (200,)),
    Kind("rotated", picture(lambda n: encoded(noise(n), "JPEG", exif=exif(1 + n % 8))), (200,)),
    Kind("JSON fifty thousand deep", _deep, (400,)),
    Kind("a number of a million digits", lambda n: asked(b'{"top_k":' + b"1" * (10**6 + n) + b"}"), (400, 422)),
    Kind("numbers that are none", lambda n: asked(b'{"garments":[{"id":"%d","price":%b}]}' % (n, pick(n, b"NaN", b"Infinity", b"1e999"))), (400, 422)),
    Kind("text that is no UTF-8", lambda n: asked(b'{"garments":[{"id":"%d%b"}]}' % (n, pick(n, b"\xff", b"\\ud800", b"\xc0\xaf"))), (400,)),
    Kind("200,000 garments", lambda n: asked(b'{"garments":[' + b",".join([b'{"id":"%d"}' % n] * 200_000) + b"]}"), (422,)),
    Kind("a text of megabytes", lambda n: asked({"shopper": {"text": f"{n} " * 500_000}, "garments": [garment(n)]}), (422,)),
    Kind("ids with tricks", lambda n: asked({"garments": [garment(n, id=pick(n, *_TRICKS) + pick(n, "/..", "\u202e", "\x07"))]}), (422,)),
    Kind("names that climb", lambda n: asked({"garments": [garment(n)], pick(n, *_TRICKS): n}), (422,)),
    Kind("words that are hard to read", lambda n: asked({"shopper": {"text": f"{n} {pick(n, *_WORDS)}"}, "garments": [garment(n)]}), (200,)),
    Kind("every word explained", lambda n: asked({"shopper": {"text": " ".join(f"w{n}x{k}" for k in range(280))}, "garments": [garment(n)], "explain": True}), (200,)),
    Kind("base64 that is none", lambda n: asked({"garments": [garment(n, image_base64=pick(n, "!", "A", "AAAA=AAA", "data:image/png;base64,AAAA"))]}), (422,)),
    Kind("twenty bombs in a request", lambda n: asked({"garments": [garment(k, image_base64=_base64(n, k)) for k in range(20)]}), (413,)),
    Kind("a body that inflates", lambda n: asked(gzip.compress(bytes(10**7 + n), 1), **{"Content-Encoding": "gzip"}), (400,)),
    Kind("a body that is too long, and says so", lambda n: _long(n, counted=True), (413,)),
    Kind("a body that does not end", lambda n: _long(n, counted=False), (413,)),
    Kind("a multipart body cut short", lambda n: multipart(('name="text"', b"%d" % n), end=b""), (400,)),
    Kind("a thousand parts", lambda n: multipart(*[(f'name="text{k}"', b"%d" % n) for k in range(1_000)]), (400,)),
    Kind("parts that were not asked for", lambda n: multipart((f'name="{pick(n, "__proto__", "../image", "IMAGE", "")}"', b"%d" % n)), (400, 422)),
    Kind("a part's header of a megabyte", lambda n: multipart(('name="text"; x="' + "y" * 10**6 + f'{n}"', b"M")), (200, 400)),
    Kind("a boundary that is none", lambda n: multipart(('name="text"', b"%d" % n), kind=pick(n, "", "x" * 100, '"\\"')), (400,)),
    Kind("paths that climb", lambda n: Sent(raw=f"GET {pick(n, *_PATHS)} HTTP/1.1\r\nHost: {n}\r\n\r\n".encode()), (400, 404, 307)),
    Kind("other methods", lambda n: Sent(pick(n, "/v1/predict", "/livez", "/"), method=pick(n, "TRACE", "PUT", "PROPFIND", "DELETE")), (405,)),
    Kind("ids of requests with tricks", lambda n: Sent("/livez", headers={"X-Request-Id": pick(n, "a b", "<x>", "x" * 500, "${jndi:x}")}, method="GET"), (422,)),
    Kind("a thousand headers", lambda n: Sent("/livez", headers={f"X-{n}-{k}": "y" * 50 for k in range(1_000)}, method="GET"), (200, 400, 431)),
    Kind("no HTTP at all", lambda n: Sent(raw=pick(n, b"\x16\x03\x01\x02", b"SSH-2.0-x\r\n", b"\0" * 99) + b"%d\r\n\r\n" % n), (400, CLOSED)),
    Kind("two lengths", lambda n: Sent(raw=_head(n, "Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\nGET /x HTTP/1.1\r\n\r\n")), (400, CLOSED)),
    Kind("a chunk of a length that is none", lambda n: Sent(raw=_head(n, "Transfer-Encoding: chunked", b"-5\r\nxx")), (400, CLOSED)),
    Kind("a caller who stops in the middle", lambda n: Sent(raw=_head(n, "Content-Length: 1000", b'{"garments"')), (408,)),
    Kind("a caller who leaves in the middle", lambda n: Sent(raw=_head(n, "Content-Length: 1000", b'{"garments"'), then_close=True), (CLOSED,)),
)  # fmt: skip


@cache
def _bomb(kind: bytes) -> bytes:
    """A chunk of a few kB that inflates to 50 MB."""
    return chunk(kind, b"a\0\0" + zlib.compress(bytes(50_000_000), 9))


def _base64(n: int, k: int) -> str:
    return base64.b64encode(numbered(flat(6000, 4000, "PNG"), 1_000 * n + k)).decode()
