"""`POST /v1/recommendations`: a shopper and garments in, sizes and probabilities out, best first."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tryon_core.errors import InputError
from tryon_core.shopper import shopper_words

from ..body import read_json
from ..effect import held_out
from ..envelope import patience_s
from ..languages import mark_language, read_language
from ..problems import PROBLEMS
from ..recommender import Ask, Candidate
from ..schema import RecommendationsIn, RecommendationsOut, from_base64

router = APIRouter()
_BODY = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RecommendationsIn"}}}}


@router.post("/v1/recommendations", openapi_extra={"requestBody": _BODY}, responses=PROBLEMS)
async def recommend(request: Request, response: Response) -> RecommendationsOut:
    """Compare garments for a shopper and recommend a size of each."""
    service = request.app.state.service
    wanted = await read_json(request, RecommendationsIn, service.settings.max_body_bytes)
    if len(wanted.garments) > service.settings.max_garments:
        most = service.settings.max_garments
        raise InputError(f"expected at most {most} garments, got {len(wanted.garments)}", "/garments")
    customer = service.intake.customer(wanted.customer_key)
    asked = _ask(request, wanted, customer)
    answer: RecommendationsOut = await service.recommender.recommend(asked, request.state.timings)
    answer.holdout = held_out(customer, service.settings.holdout_share)
    service.metrics.count_degraded(answer.degraded_codes)
    mark_language(response.headers, read_language(request.headers))
    return answer


def _ask(request: Request, wanted: RecommendationsIn, customer: str) -> Ask:
    shopper = wanted.shopper
    profile = shopper.profile.to_profile() if shopper.profile else None
    words = shopper_words(shopper.text or "", profile)
    owned = profile.owned if profile else ()
    pointer = "/shopper/photo_base64"
    photo = from_base64(shopper.photo_base64, pointer)
    return Ask(
        _candidates(wanted),
        words,
        photo,
        pointer,
        wanted.top_k,
        bool(wanted.explain),
        owned,
        customer,
        language=read_language(request.headers),
        patience_s=patience_s(request),
    )


def _candidates(wanted: RecommendationsIn) -> list[Candidate]:
    candidates, seen = [], set()
    for position, garment in enumerate(wanted.garments):
        if garment.id in seen:
            raise InputError(f"expected each garment once, got {garment.id!r} twice", f"/garments/{position}/id")
        seen.add(garment.id)
        pointer = f"/garments/{position}/image_base64"
        image = from_base64(garment.image_base64, pointer)
        candidates.append(Candidate(garment.to_garment(), image, pointer, f"/garments/{position}"))
    return candidates
