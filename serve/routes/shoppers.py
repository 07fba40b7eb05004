"""`/v1/shoppers`: who is kept for a while, so that every page can ask by their id."""

from __future__ import annotations

import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from tryon_core.errors import InputError, TooLargeError
from tryon_core.words import MAX_CHARACTERS

from ..body import checked, read_form
from ..metrics import Timings
from ..problems import PROBLEMS
from ..records import Consent
from ..schema import ProfileIn
from ..schema_shoppers import SHOPPER_ID, ConsentIn, ConsentOut, ShopperOut, ShopperPhotoOut, moment
from ..shopper_encoding import Sight, measure
from ..shopper_parts import Kept
from ..shoppers import Told

router = APIRouter()
ShopperId = Annotated[str, Path(json_schema_extra={"pattern": SHOPPER_ID})]
"""Told on the OpenAPI page; of another nobody is found."""
_FILES, _TEXTS = ("photo", "mask"), ("text", "profile", "consent")
_CLOCKS_DIFFER_S = 300.0
_KEY = re.compile(r"[!-~]{16,200}")
_EXAMPLE = {
    "text": "likes loose blue dresses",
    "profile": {"height_cm": 165, "weight_kg": 55, "usual_size": "M"},
}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "photo": {
                        "type": "string",
                        "contentMediaType": "image/*",
                        "description": "the shopper, head to feet; needs consent, is never kept",
                    },
                    "mask": {
                        "type": "string",
                        "contentMediaType": "image/png",
                        "description": "in place of a photo: 1 bit a pixel, white where the shopper is; needs consent",
                    },
                    "text": {"type": "string", "maxLength": MAX_CHARACTERS, "description": "the shopper's words"},
                    "profile": {"$ref": "#/components/schemas/ProfileIn"},
                    "consent": {"$ref": "#/components/schemas/ConsentIn"},
                },
            },
            "encoding": {name: {"contentType": "application/json"} for name in ("profile", "consent")},
            "example": _EXAMPLE,
        }
    },
}
_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "16 to 200 visible ASCII characters nobody guesses, as a UUID. Sent again with the same parts, it gives "
    "the same shopper as long as they are kept; no part of the photo is kept for that, so another photo is not noticed.",
    "schema": {"type": "string", "pattern": f"^{_KEY.pattern}$"},
}
_EXTRA = {"requestBody": _BODY, "parameters": [_IDEMPOTENCY]}


@router.post("/v1/shoppers", status_code=201, openapi_extra=_EXTRA, responses=PROBLEMS)
async def create(request: Request, response: Response) -> ShopperOut:
    """Keep a shopper: what they tell for a week, what a photo tells for a day, unless set otherwise; no photo itself."""
    service = request.app.state.service
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise InputError("expected Idempotency-Key of 16 to 200 visible ASCII characters")
    form = await read_form(request, service.settings.max_body_bytes, _FILES, _TEXTS)
    kept = await service.shoppers.create(_told(form.files, form.texts), key, request.state.timings)
    response.headers["Location"] = f"/v1/shoppers/{kept.told.id}"
    return await _answer(service, kept, response, request.state.timings)


@router.get("/v1/shoppers/{id:path}", responses=PROBLEMS)
async def get(id: ShopperId, request: Request, response: Response) -> ShopperOut:
    """Tell all that is kept of a shopper; of a photo, what the body is taken for."""
    service = request.app.state.service
    return await _answer(service, await service.shoppers.get(id), response, request.state.timings)


@router.delete("/v1/shoppers/{id:path}", status_code=204, responses=PROBLEMS)
async def delete(id: ShopperId, request: Request) -> None:
    """Forget a shopper, what was recommended to them, and the orders that came from it, everywhere before this answers."""
    await request.app.state.service.shoppers.delete(id)


async def _answer(service: Any, kept: Kept, response: Response, timings: Timings) -> ShopperOut:
    response.headers["Cache-Control"] = "no-store"
    model = service.recommender
    known = await service.shoppers.known_to(model, kept, timings)
    told = kept.told
    until = moment(kept.seen.expires_at) if kept.seen is not None else None
    return ShopperOut(
        shopper_id=told.id,
        expires_at=moment(told.expires_at),
        text=told.words,
        profile=dict(told.profile),
        consent=_consent_out(told.consent),
        measurements=await measure(model, known, timings),
        photo=ShopperPhotoOut(**known.photo.model_dump(), expires_at=until),
        model=model.manifest.fingerprint,
    )


def _consent_out(consent: Consent | None) -> ConsentOut | None:
    if consent is None:
        return None
    return ConsentOut(version=consent.version, at=moment(consent.at), advice=consent.advice)


def _told(files: dict[str, bytes], texts: dict[str, str]) -> Told:
    sight = Sight(files.get("photo"), files.get("mask"))
    if len(files) > 1:
        raise InputError("expected a photo or a mask, got both", "/mask")
    text = texts.get("text", "").strip() or None
    if text is not None and len(text) > MAX_CHARACTERS:
        raise TooLargeError(f"expected a text of at most {MAX_CHARACTERS} characters, got {len(text)}", "/text")
    profile = checked(texts["profile"], ProfileIn, "/profile") if "profile" in texts else None
    if not sight and text is None and profile is None:
        raise InputError("expected a photo, a mask, a text or a profile of the shopper, got none", "/text")
    consent = _consent(texts)
    if sight and consent is None:
        raise InputError(f"expected consent with a {sight.pointer[1:]}, as {{version, at}}, got none", "/consent")
    return Told(text, profile.model_dump(exclude_unset=True) if profile else {}, sight, consent)


def _consent(texts: dict[str, str]) -> Consent | None:
    if "consent" not in texts:
        return None
    told = checked(texts["consent"], ConsentIn, "/consent")
    if told.at.timestamp() > time.time() + _CLOCKS_DIFFER_S:
        raise InputError(
            f"expected a consent that was given, got one at {told.at.isoformat()}, which is to come", "/consent/at"
        )
    if told.at.timestamp() < 0:
        raise InputError(f"expected a consent given since 1970, got one at {told.at.isoformat()}", "/consent/at")
    return Consent(told.version, told.at.timestamp(), told.advice)
