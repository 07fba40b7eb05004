"""`/v1/garments/{id}` and `/v1/garments`: the catalogue as shops write and read it."""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import TypeAdapter, ValidationError

from tryon_core.errors import InputError

from ..body import checked, read_form, read_json
from ..errors import NotFoundError
from ..garment_answers import answered
from ..garment_writing import written
from ..identifiers import MAX_LENGTH, PATTERN, Identifier
from ..preconditions import is_known, required, tag
from ..problems import PROBLEMS
from ..records import GarmentRecord
from ..schema_garments import EXAMPLE, GarmentOut, GarmentPageOut, GarmentPatch, GarmentPut, from_base64

router = APIRouter()
_ID = TypeAdapter(Identifier)
GarmentId = Annotated[str, Path(json_schema_extra={"pattern": PATTERN, "minLength": 1, "maxLength": MAX_LENGTH})]
"""Told on the OpenAPI page; `_checked_id` checks it."""
_PUT = {"$ref": "#/components/schemas/GarmentPut"}
_PUT_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": _PUT, "example": EXAMPLE},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["garment"],
                "additionalProperties": False,
                "properties": {
                    "garment": {**_PUT, "description": "the garment's JSON"},
                    "image": {"type": "string", "contentMediaType": "image/*", "description": "its picture"},
                },
            },
            "encoding": {"garment": {"contentType": "application/json"}},
        },
    },
}
_PATCH_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/GarmentPatch"},
            "example": {"price": 39.9, "in_stock": {"S": False, "M": True}},
        }
    },
}
_ETAG = {"ETag": {"description": "A hash of the garment and its picture.", "schema": {"type": "string"}}}
_KEPT = {"headers": _ETAG, "model": GarmentOut, "description": "The garment as it is kept."}


def _header(name: str, told: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": told}


_IF_MATCH = _header("If-Match", "Etags; a garment with another is left alone (412).")
_IF_NONE = _header("If-None-Match", "Etags that the caller has: then 304. On a write, * is: only where there is none.")
_PAGE = [
    {
        "name": "limit",
        "in": "query",
        "required": False,
        "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        "description": "Garments on a page.",
    },
    {
        "name": "cursor",
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": "`next` of the page before.",
    },
]


@router.put(
    "/v1/garments/{id:path}",
    responses={**PROBLEMS, 200: _KEPT, 201: {**_KEPT, "description": "The garment is new."}},
    openapi_extra={"requestBody": _PUT_BODY, "parameters": [_IF_MATCH, _IF_NONE]},
)
async def put(request: Request, response: Response, id: GarmentId) -> GarmentOut:
    """Keep a garment in the place of the one that has the id, picture and all; the same once more changes nothing."""
    garment_id = _checked_id(id)
    body, image, pointer = await _read(request)
    if body.id not in (None, garment_id):
        raise InputError(f"expected the id of the path or none, got {body.id!r}", "/id")
    record, is_new = await written(request, garment_id, body, image, pointer)
    response.status_code = 201 if is_new else 200
    return _told(response, record)


@router.get(
    "/v1/garments/{id:path}",
    responses={**PROBLEMS, 200: _KEPT, 304: {"description": "The caller has it.", "headers": _ETAG}},
    openapi_extra={"parameters": [_IF_NONE]},
    response_model=GarmentOut,
)
async def get(request: Request, response: Response, id: GarmentId) -> GarmentOut | Response:
    """Tell of a garment."""
    record = await _kept(request, _checked_id(id))
    if is_known(request.headers, record.etag):
        return Response(status_code=304, headers={"ETag": tag(record.etag)})
    return _told(response, record)


@router.patch(
    "/v1/garments/{id:path}",
    responses={**PROBLEMS, 200: _KEPT},
    openapi_extra={"requestBody": _PATCH_BODY, "parameters": [_IF_MATCH, _IF_NONE]},
)
async def patch(request: Request, response: Response, id: GarmentId) -> GarmentOut:
    """Change a garment's stock and price; nothing is encoded anew."""
    garment_id, service = _checked_id(id), request.app.state.service
    change = await read_json(request, GarmentPatch, service.settings.max_body_bytes)
    if_match = required(request.headers, (await _kept(request, garment_id)).etag)
    record = await service.store.garments.patch(
        garment_id, in_stock=change.in_stock, price=change.price, if_match=if_match, now=time.time()
    )
    if record is None:
        raise _missing(garment_id)
    return _told(response, record)


@router.delete(
    "/v1/garments/{id:path}",
    status_code=204,
    response_class=Response,
    responses={**PROBLEMS, 204: {"description": "It is gone."}},
    openapi_extra={"parameters": [_IF_MATCH, _IF_NONE]},
)
async def delete(request: Request, id: GarmentId) -> Response:
    """Forget a garment, what encoders said of it and, once nothing has it, its picture; the history of its orders stays."""
    garment_id = _checked_id(id)
    if_match = required(request.headers, (await _kept(request, garment_id)).etag)
    if not await request.app.state.service.store.garments.delete(garment_id, if_match=if_match):
        raise _missing(garment_id)
    return Response(status_code=204)


@router.get("/v1/garments", responses=PROBLEMS, openapi_extra={"parameters": _PAGE})
async def page(request: Request) -> GarmentPageOut:
    """Tell of the garments by ascending id, a page at a time."""
    query = request.query_params
    records, following = await request.app.state.service.store.garments.page(
        _cursor(query.get("cursor", "")), _limit(query.get("limit", "100"))
    )
    opaque = base64.urlsafe_b64encode(following.encode()).decode() if following else None
    return GarmentPageOut(garments=[answered(record) for record in records], next=opaque)


async def _read(request: Request) -> tuple[GarmentPut, bytes | None, str]:
    """Return the garment of a request's body, its picture, and where that stands."""
    most = request.app.state.service.settings.max_body_bytes
    if request.headers.get("content-type", "").lower().startswith("multipart/"):
        form = await read_form(request, most, ("image",), ("garment",))
        body = checked(form.texts.get("garment") or "{}", GarmentPut, "/garment")
        pictures = [form.files.get("image"), body.image_base64, body.image_link]
        image, pointer = form.files.get("image"), "/image"
    else:
        body = await read_json(request, GarmentPut, most)
        pictures, image, pointer = [body.image_base64, body.image_link], None, "/image_base64"
    if sum(picture is not None for picture in pictures) > 1:
        raise InputError("expected one picture, got several", pointer)
    if body.image_link is not None:
        pointer = "/image_link"
        image = await request.app.state.service.links.fetch(body.image_link, pointer)
    elif body.image_base64 is not None:
        pointer = "/image_base64"
        image = from_base64(body.image_base64, pointer)
    return body, image, pointer


async def _kept(request: Request, garment_id: str) -> GarmentRecord:
    record: GarmentRecord | None = (await request.app.state.service.store.garments.get_many([garment_id])).get(garment_id)
    if record is None:
        raise _missing(garment_id)
    return record


def _missing(garment_id: str) -> NotFoundError:
    return NotFoundError(f"expected the id of a garment, got {garment_id!r}, which is not known")


def _told(response: Response, record: GarmentRecord) -> GarmentOut:
    response.headers["ETag"] = tag(record.etag)
    return answered(record)


def _checked_id(text: str) -> str:
    try:
        return _ID.validate_python(text)
    except ValidationError as err:
        raise InputError(f"expected the id of a garment: {err.errors()[0]['msg']}", "/id") from err


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 4 or not 1 <= int(text) <= 1000:
        raise InputError(f"expected limit from 1 to 1000, got {json.dumps(text[:40])}", "/limit")
    return int(text)


def _cursor(text: str) -> str:
    try:
        return base64.b64decode(text, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as err:
        raise InputError("expected cursor as the page before told it", "/cursor") from err
