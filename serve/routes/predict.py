"""`POST /v1/predict`: one photo and one sentence in, one number out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tryon_core.errors import InputError, TooLargeError
from tryon_core.garment import LETTERS, Garment, Size
from tryon_core.words import MAX_CHARACTERS

from ..ask import Ask, Candidate
from ..body import Form, read_form
from ..envelope import patience_s
from ..guard import charge_garments
from ..languages import mark_language, read_language
from ..problems import PROBLEMS
from ..schema import ChoiceOut, PredictOut

router = APIRouter()
_FILES, _TEXTS = ("image", "garment_image"), ("text", "garment_text")
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "anyOf": [{"required": ["image"]}, {"required": ["text"]}],
                "properties": {
                    "image": {"type": "string", "contentMediaType": "image/*", "description": "the shopper's photo"},
                    "text": {"type": "string", "maxLength": MAX_CHARACTERS, "description": "the shopper's words"},
                    "garment_image": {"type": "string", "contentMediaType": "image/*"},
                    "garment_text": {"type": "string", "maxLength": MAX_CHARACTERS},
                },
            }
        }
    },
}


@router.post("/v1/predict", openapi_extra={"requestBody": _BODY}, responses=PROBLEMS)
async def predict(request: Request, response: Response) -> PredictOut:
    """Tell how well the garment, or the best of the sample catalogue, suits the shopper."""
    service = request.app.state.service
    form = await read_form(request, service.settings.max_body_bytes, _FILES, _TEXTS)
    words = _text_of(form, "text")
    if words is None and "image" not in form.files:
        raise InputError("expected an image or a text of the shopper, got neither", "/image")
    own = _own_garment(form)
    candidates = [own] if own else service.recommender.catalogue
    language = read_language(request.headers)
    photo, waits = form.files.get("image"), patience_s(request)
    ask = Ask(candidates, words, photo, "/image", top_k=1, language=language, patience_s=waits)
    await charge_garments(request, len(candidates))
    answer = await service.recommender.recommend(ask, request.state.timings)
    best = answer.recommendations[0]
    service.metrics.count_degraded(answer.degraded_codes)
    mark_language(response.headers, language)
    return PredictOut(
        prediction=best.match,
        fit=best.fit,
        recommendation=ChoiceOut(garment_id=None if own else best.garment_id, size=best.size),
        photo=answer.photo,
        degraded=answer.degraded,
        degraded_reasons=answer.degraded_reasons,
        degraded_codes=answer.degraded_codes,
        model=answer.model,
    )


def _text_of(form: Form, name: str) -> str | None:
    """Return a text part, None where it is missing or empty."""
    text = form.texts.get(name, "").strip()
    if len(text) > MAX_CHARACTERS:
        raise TooLargeError(f"expected a text of at most {MAX_CHARACTERS} characters, got {len(text)}", f"/{name}")
    return text or None


def _own_garment(form: Form) -> Candidate | None:
    """Return the garment that the caller brought, in letter sizes; None where there is none."""
    text = _text_of(form, "garment_text") or ""
    image = form.files.get("garment_image")
    if not text and image is None:
        return None
    sizes = tuple(Size(label) for label in LETTERS)
    return Candidate(Garment("garment", description=text, sizes=sizes), image, "/garment_image")
