"""An import of garments: rows are taken as they come, checked, and kept some thousand at a time; nothing waits for encoders.

Whatever has been kept stays, whatever becomes of the rest; the same import again changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tryon_core.errors import InputError

from .body import checked
from .errors import FieldsError, StoreError
from .feeds.products import garment_of, merged
from .feeds.source import Row, Source
from .garment_intake import Blobs, Links, NoLinks, record_of, require_image
from .records import GarmentRecord, dumps
from .schema_garments import GarmentImportOut, GarmentLine, from_base64
from .schema_types import RejectedOut
from .store import Garments

_BATCH_ROWS, _BATCH_BYTES = 1000, 8 * 2**20
HELD_BYTES = 4 * _BATCH_BYTES
"""What an import holds at once, about."""
_TOLD = 1000
_PICTURES_AT_ONCE = 8


@dataclass
class _Draft:
    """A garment that may be kept, and the rows it came from."""

    lines: list[int]
    body: GarmentLine
    image: bytes | None = field(default=None, repr=False)
    picture: str | None = None


class GarmentImport:
    """One import.

    Args:
        garments: where they are kept.
    """

    def __init__(self, source: Source, garments: Garments, blobs: Blobs, links: Links) -> None:
        self._source, self._garments, self._blobs, self._links = source, garments, blobs, links
        self._seen = set[int]()
        self._slots = asyncio.Semaphore(_PICTURES_AT_ONCE)
        self._out = GarmentImportOut(accepted=0, num_rejected=0, rejected=[], without_picture=[])
        self._kept_to = 0

    async def run(self, body: AsyncIterator[bytes]) -> GarmentImportOut:
        """Return what became of the rows of a body, once they are kept.

        Raises:
            InputError: it is a table whose first line names no column `id`.
            StoreError: the store or the pictures' folder does not answer; it says from which line on nothing is kept.
        """
        pending: list[Row] = []
        num_bytes = 0
        async for piece in body:
            pending += self._source.feed(piece)
            num_bytes += len(piece)
            if len(pending) >= _BATCH_ROWS or (pending and num_bytes >= _BATCH_BYTES):
                await self._keep(pending)
                pending, num_bytes = [], 0
        pending += self._source.close()
        await self._keep(pending)
        self._out.rejected.sort(key=lambda row: row.line)
        return self._out

    async def _keep(self, rows: Sequence[Row]) -> None:
        try:
            for start in range(0, len(rows), _BATCH_ROWS):
                await self._keep_some(rows[start : start + _BATCH_ROWS])
                self._kept_to = rows[min(start + _BATCH_ROWS, len(rows)) - 1][0]
        except StoreError as err:
            told = f"lines up to {self._kept_to} are done, and importing them again changes nothing"
            raise StoreError(f"{err}; {told}") from err

    async def _keep_some(self, rows: Sequence[Row]) -> None:
        if self._source.is_feed:
            drafts = await self._of_feed(rows)
        else:
            drafts = await asyncio.to_thread(self._of_lines, rows)
        drafts = await self._with_pictures(drafts)
        records = await asyncio.to_thread(self._records, drafts)
        if records:
            await self._garments.put_many([record for record, _ in records])
        self._out.accepted += sum(len(lines) for _, lines in records)

    def _of_lines(self, rows: Sequence[Row]) -> list[_Draft]:
        drafts = []
        for number, content in rows:
            if isinstance(content, bytes) and not content.strip():
                continue
            try:
                if not isinstance(content, bytes):
                    raise InputError(str(content))
                body = checked(content, GarmentLine)
                if body.image_base64 is not None and body.image_link is not None:
                    raise InputError("expected one picture, got two", "/image_link")
                drafts.append(_Draft([number], body, from_base64(body.image_base64, "/image_base64")))
            except InputError as err:
                self._reject([number], err)
        return drafts

    async def _of_feed(self, rows: Sequence[Row]) -> list[_Draft]:
        """Return garments of a feed's rows, put together with what came of earlier rows of the same ones."""
        own: dict[str, tuple[list[int], list[Mapping[str, Any]]]] = {}
        for number, fields in rows:
            try:
                if not isinstance(fields, Mapping):
                    raise InputError(str(fields))
                garment = garment_of(fields)
                lines, garments = own.setdefault(garment["id"], ([], []))
                lines.append(number)
                garments.append(garment)
            except InputError as err:
                self._reject([number], err)
        before = await self._garments.get_many([garment_id for garment_id in own if hash(garment_id) in self._seen])
        self._seen |= {hash(garment_id) for garment_id in own}
        return await asyncio.to_thread(self._grouped, own, before)

    def _grouped(
        self, own: Mapping[str, tuple[list[int], list[Mapping[str, Any]]]], before: Mapping[str, GarmentRecord]
    ) -> list[_Draft]:
        drafts = []
        for garment_id, (lines, garments) in own.items():
            kept = [before[garment_id].data] if garment_id in before else []
            try:
                drafts.append(_Draft(lines, checked(dumps({**merged([*kept, *garments]), "id": garment_id}), GarmentLine)))
            except InputError as err:
                self._reject(lines, err)
        return drafts

    async def _with_pictures(self, drafts: Sequence[_Draft]) -> list[_Draft]:
        """Return those garments whose pictures are kept, or that have none."""
        linked = [draft.body.id for draft in drafts if draft.body.image_link]
        before = await self._garments.get_many(linked) if linked else {}
        some = [draft for draft in drafts if draft.body.image_link or draft.image is not None]
        taken = await asyncio.gather(*(self._pictured(draft, before.get(draft.body.id)) for draft in some))
        refused = {id(draft) for draft, is_taken in zip(some, taken, strict=True) if not is_taken}
        return [draft for draft in drafts if id(draft) not in refused]

    async def _pictured(self, draft: _Draft, before: GarmentRecord | None) -> bool:
        """Keep a garment's picture; return whether the garment can be taken.

        A link that was followed in an earlier import is not followed again. A feed names a picture for everything, so that
        one which cannot be had leaves the garment without; whoever writes a link into a line of JSON means it.
        """
        link, pointer = draft.body.image_link, "/image_link" if draft.body.image_link else "/image_base64"
        if link and before is not None and before.image and before.data.get("image_link") == link:
            draft.picture = before.image
            return True
        try:
            async with self._slots:
                image = await self._links.fetch(link, pointer) if link else draft.image
                draft.image = None
                draft.picture = await self._blobs.put(require_image(image or b"", pointer))
            return True
        except InputError as err:
            if not self._source.is_feed:
                self._reject(draft.lines, err)
                return False
            if len(self._out.without_picture) < _TOLD and not isinstance(self._links, NoLinks):
                self._out.without_picture.append(RejectedOut(line=draft.lines[0], detail=_told(err)))
            return True

    def _records(self, drafts: Sequence[_Draft]) -> list[tuple[GarmentRecord, list[int]]]:
        records, now = [], time.time()
        for draft in drafts:
            try:
                records.append((record_of(draft.body.id, draft.body, draft.picture, now), draft.lines))
            except InputError as err:
                self._reject(draft.lines, err)
        return records

    def _reject(self, lines: Sequence[int], err: InputError) -> None:
        self._out.num_rejected += len(lines)
        detail = _told(err)
        for line in lines[: max(0, _TOLD - len(self._out.rejected))]:
            self._out.rejected.append(RejectedOut(line=line, detail=detail))


def _told(err: InputError) -> str:
    """Return what is wrong in one line, with where; of many fields the first few."""
    fields = err.fields if isinstance(err, FieldsError) else [(err.pointer, err.detail)]
    told = "; ".join(f"{pointer}: {detail}" if pointer else detail for pointer, detail in fields[:3])
    return " ".join(told.split())[:500]
