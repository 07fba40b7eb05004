"""Imports: lines and feeds as they come, what is wrong with them by number, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.garment_import import garment, pieces
from serve import garment_import as module
from serve.blobs import Blobs
from serve.feeds.source import Source
from serve.feeds.table import Table
from serve.feeds.xml import Xml
from serve.garment_import import GarmentImport
from serve.garment_intake import Links, NoLinks
from serve.records import GarmentRecord
from serve.schema_garments import GarmentImportOut
from serve.store import Store, open_store
from tests.drawn import garment_image
from tryon_core.errors import InputError

HEADER = (
    "id,title,item_group_id,color,gender,age_group,google_product_category,size,size_system,price,availability,image_link"
)


class KnownLinks:
    """Has one picture behind every link of its host."""

    def __init__(self) -> None:
        self.fetched: list[str] = []

    async def fetch(self, link: str, pointer: str = "") -> bytes:
        self.fetched.append(link)
        if not link.startswith("https://cdn.example/"):
            raise InputError("expected a link to a host that is listed", pointer)
        return garment_image(1)


async def whole(store: Store) -> dict[str, GarmentRecord]:
    records, _ = await store.garments.page("", 1000)
    return {record.id: record for record in records}


def imported(
    tmp_path: Path, *bodies: bytes, kind: str = "", links: Links | None = None, size: int = 7, max_bytes: int = 2**20
) -> tuple[list[GarmentImportOut], dict[str, GarmentRecord]]:
    """Import bodies one after another, each in pieces of a few bytes; return the answers and what is kept then."""

    async def pieces_of(body: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(body), size):
            yield body[at : at + size]

    async def test() -> tuple[list[GarmentImportOut], dict[str, GarmentRecord]]:
        store = await open_store(f"sqlite:///{tmp_path}/store.db")
        outs = []
        for body in bodies:
            own = GarmentImport(Source(kind, max_bytes), store.garments, Blobs(f"{tmp_path}/blobs"), links or NoLinks())
            outs.append(await own.run(pieces_of(body)))
        records = await whole(store)
        await store.close()
        return outs, records

    return asyncio.run(asyncio.wait_for(test(), 120))


def ndjson(*lines: Any) -> bytes:
    return b"\n".join(line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines)


def test_a_wrong_line_in_the_middle_is_told_by_number_and_nothing_else_is_lost(tmp_path: Path) -> None:
    body = b"".join(pieces(2500, wrong=1250))
    (out, again), kept = imported(tmp_path, body, body, size=65_536)
    assert (out.accepted, out.num_rejected) == (2499, 1)
    assert out.rejected[0].line == 1250
    assert "/sizes/2/chart/waist_cm" in out.rejected[0].detail
    assert "as inches" in out.rejected[0].detail
    assert again == out
    assert len(kept) == 1000
    told = garment(7)["sizes"]
    for size, own in zip(kept["sku-000007"].data["sizes"], told, strict=True):
        assert size == {**own, "chart": {"of": "body", **own["chart"]}}


def test_each_kind_of_wrong_line_is_told(tmp_path: Path) -> None:
    lines: list[tuple[Any, str]] = [
        ({"id": "a"}, ""),
        (b"{", "expected JSON"),
        (b"", ""),
        ({"title": "no id"}, "/id"),
        ({"id": "b", "colour": "red"}, "/colour"),
        (b'{"id": "\xff"}', "expected JSON"),
        ({"id": "c", "title": "x" * 3000}, "at most 2000 bytes"),
        ({"id": "d", "image_base64": "!"}, "expected base64"),
        ({"id": "e", "image_base64": base64.b64encode(b"GIF89a").decode()}, "expected a JPEG, PNG or WebP file"),
        ({"id": "f", "image_link": "https://cdn.example/1.jpg"}, "links are not followed"),
        ({"id": "g", "sizes": [{"label": "M", "chart": {"waist_cm": [76, 70]}}]}, "low <= high"),
        ({"id": "a", "title": "the last"}, ""),
    ]
    (out,), kept = imported(tmp_path, ndjson(*(line for line, _ in lines)) + b"\r\n", max_bytes=2000)
    wrong = {at: detail for at, (_, detail) in enumerate(lines, 1) if detail}
    assert [row.line for row in sorted(out.rejected, key=lambda row: row.line)] == list(wrong)
    for row in out.rejected:
        assert wrong[row.line] in row.detail
        assert row.detail.isprintable()
    assert out.accepted == 2
    assert kept["a"].data == {"title": "the last", "sizes": []}
    assert set(kept) == {"a"}


def test_pictures_are_kept_by_line_and_a_link_is_followed_once(tmp_path: Path) -> None:
    links = KnownLinks()
    linked = {"id": "a", "image_link": "https://cdn.example/1.jpg"}
    own = {"id": "b", "image_base64": base64.b64encode(garment_image(2)).decode()}
    elsewhere = {"id": "c", "image_link": "https://10.0.0.1/1.jpg"}
    body = ndjson(linked, own, elsewhere)
    (out, again), kept = imported(tmp_path, body, body, links=links, size=1000)
    assert (out.accepted, [row.line for row in out.rejected]) == (2, [3])
    assert again.accepted == 2
    assert links.fetched.count("https://cdn.example/1.jpg") == 1
    assert asyncio.run(Blobs(f"{tmp_path}/blobs").get(str(kept["a"].image))) == garment_image(1)
    assert asyncio.run(Blobs(f"{tmp_path}/blobs").get(str(kept["b"].image))) == garment_image(2)


ROWS = [
    'T1-L,"Shirt, ""slim"" cut",T1,Navy Blue,male,adult,212,L,EU,"1.049,90 EUR",in stock,https://cdn.example/1.jpg',
    "T1-S,Shirt S,T1,Navy Blue,male,adult,212,S,EU,49.90 EUR,out_of_stock,https://cdn.example/1.jpg",
    "T1-R,Shirt,T1,Red,male,adult,212,S,EU,49.90 EUR,preorder,https://cdn.example/2.jpg",
    "R1,Silver ring,,,,,Apparel & Accessories > Jewelry > Rings,,,12 USD,in_stock,",
    "T1-M,Shirt M,T1,Navy Blue,male,adult,212,M,EU,EUR 49.90,in stock,https://cdn.example/1.jpg",
    'K1,"Girl\'s dress\nwith a bow",,,female,kids,2271,"S,M,L",,30 EUR,in stock,',
]


def feed_of(kind: str) -> bytes:
    """The same feed as CSV, as TSV or as XML."""
    if kind == "csv":
        return "\ufeff".encode() + "\r\n".join([HEADER, *ROWS]).encode()
    import csv
    from xml.sax.saxutils import escape

    names, *rows = list(csv.reader("\n".join([HEADER, *ROWS]).splitlines(keepends=True)))
    if kind == "tsv":
        quoted = ["\t".join('"' + field.replace('"', '""') + '"' for field in row) for row in rows]
        return "\n".join(["\t".join(name.replace("_", " ") for name in names), *quoted]).encode()
    items = ("".join(f"<g:{n}>{escape(v)}</g:{n}>" for n, v in zip(names, row, strict=True) if v) for row in rows)
    shipped = "<g:shipping><g:price>3 EUR</g:price></g:shipping><link>https://shop.example</link>"
    inner = "".join(f"<item>{item}{shipped}</item>\n" for item in items)
    return f'<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>{inner}</channel></rss>'.encode()


@pytest.mark.parametrize("kind", ["csv", "tsv", "xml"])
def test_a_product_feed_is_taken_as_it_is_and_its_rows_become_sizes(tmp_path: Path, kind: str) -> None:
    links = KnownLinks()
    (out,), kept = imported(tmp_path, feed_of(kind), links=links)
    assert (out.accepted, out.rejected, out.without_picture) == (6, [], [])
    assert set(kept) == {"T1:navy-blue", "T1:red", "R1", "K1"}
    navy = kept["T1:navy-blue"].data
    assert [(size["label"], size["in_stock"], size["sku"]) for size in navy["sizes"]] == [
        ("S", False, "T1-S"),
        ("M", True, "T1-M"),
        ("L", True, "T1-L"),
    ]
    assert (navy["title"], navy["department"], navy["style_id"], navy["size_system"]) == (
        'Shirt, "slim" cut',
        "men",
        "T1",
        "eu",
    )
    assert (navy["price"], navy["currency"], navy["category"]) == (1049.90, "EUR", "shirts")
    assert navy["description"] == "Navy Blue"
    assert kept["T1:red"].data["sizes"] == [{"label": "S", "in_stock": True, "sku": "T1-R"}]
    assert kept["T1:red"].history_id == kept["T1:navy-blue"].history_id == "T1"
    assert [size["label"] for size in kept["K1"].data["sizes"]] == ["S", "M", "L"]
    assert kept["K1"].data["department"] == "girls"
    assert kept["R1"].data["category"] == "Rings"
    assert kept["T1:red"].image is not None
    assert sorted(links.fetched) == ["https://cdn.example/1.jpg", "https://cdn.example/2.jpg"]


def test_rows_of_one_garment_that_are_far_apart_in_a_feed_come_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH_ROWS", 2)
    links = KnownLinks()
    (out, again), kept = imported(tmp_path, feed_of("csv"), feed_of("csv"), links=links)
    assert again.accepted == out.accepted == 6
    assert [size["label"] for size in kept["T1:navy-blue"].data["sizes"]] == ["S", "M", "L"]
    assert kept["T1:navy-blue"].image is not None
    assert len(links.fetched) == 2


def test_sizes_that_a_feed_no_longer_has_are_gone_after_the_next_import(tmp_path: Path) -> None:
    whole_feed, without_m = feed_of("csv"), "\n".join([HEADER, *ROWS[:4]]).encode()
    _, kept = imported(tmp_path, whole_feed, without_m)
    assert [size["label"] for size in kept["T1:navy-blue"].data["sizes"]] == ["S", "L"]


def test_a_feed_is_taken_without_the_pictures_that_cannot_be_had(tmp_path: Path) -> None:
    row = "A,Shirt,,,male,adult,212,S,EU,49.90 EUR,in stock,https://elsewhere.example/1.jpg"
    body = f"{HEADER}\n{row}\n".encode()
    (out,), kept = imported(tmp_path, body, links=KnownLinks())
    assert out.accepted == 1
    assert (out.without_picture[0].line, out.without_picture[0].detail) == (
        2,
        "/image_link: expected a link to a host that is listed",
    )
    (out,), kept = imported(tmp_path / "other", body)
    assert (out.accepted, out.without_picture, kept["A"].image) == (1, [], None)


def test_wrong_rows_of_a_feed_are_told_by_the_line_on_which_they_begin(tmp_path: Path) -> None:
    rows = [
        ROWS[0],
        "T2,a,b,c,d,e,f,g,h,i,j,k,too many",
        *ROWS[5:],
        ROWS[1].replace("49.90 EUR", "cheap"),
        ",no id",
        ROWS[2],
    ]
    (out,), kept = imported(tmp_path, "\n".join([HEADER, *rows]).encode(), kind="text/csv")
    assert sorted((row.line, row.detail[:20]) for row in out.rejected) == [
        (3, "expected at most 12 "),
        (6, "expected a price as "),
        (7, "expected an id, got "),
    ]
    assert set(kept) == {"T1:navy-blue", "T1:red", "K1"}


def test_a_quote_that_never_ends_costs_its_own_row_only(tmp_path: Path) -> None:
    rows = [f"A{n},Shirt,,,male,adult,212,S,EU,49.90 EUR,in stock," for n in range(120)]
    rows[10] = 'A10,"Shirt,,,male,adult,212,S,EU,49.90 EUR,in stock,'
    (out,), kept = imported(tmp_path, "\n".join([HEADER, *rows]).encode(), size=1000)
    assert [row.line for row in out.rejected] == [12]
    assert len(kept) == 119


def test_an_array_and_a_table_without_a_column_for_ids_are_refused() -> None:
    with pytest.raises(InputError, match="got an array"):
        Source("", 1000).feed(b' [{"id": "a"}]')
    with pytest.raises(InputError, match="with id among them"):
        Table("", 1000).feed(b"sku,name\n1,a\n")


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ('<!DOCTYPE a [<!ENTITY b "bb">]><rss><item><id>1</id></item></rss>', "a document type"),
        ("<rss><item><id>1</id></rss>", "mismatched tag"),
        ("<rss><item><id>1</id></item>", "no element found"),
        ("<rss>" + "<a>" * 30, "nested more than 20 deep"),
    ],
)
def test_xml_that_is_none_or_that_could_do_harm_ends_the_import_and_keeps_what_was_before(text: str, detail: str) -> None:
    xml = Xml(10_000)
    rows = [*xml.feed(text.encode()), *xml.close()]
    assert isinstance(rows[-1][1], str)
    assert detail in rows[-1][1]
    assert sum(isinstance(row, str) for _, row in rows) == 1


def test_a_first_line_that_is_no_line_of_a_table_is_a_problem() -> None:
    source = Source("text/csv", 1000)
    with pytest.raises(InputError, match="a first line that names the columns"):
        source.feed(b"id,title\rg1,dress\n")
