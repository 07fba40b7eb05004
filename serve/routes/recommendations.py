"""`POST /v1/recommendations`: a shopper and garments in, sizes and probabilities out, best first."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from tryon_core.shopper import shopper_words

from ..ask import Ask
from ..body import read_json
from ..effect import held_out
from ..envelope import patience_s
from ..guard import charge_garments, require_back_end
from ..languages import mark_language, read_language
from ..problems import PROBLEMS
from ..schema import RecommendationsIn, RecommendationsOut
from ..schema_garments import from_base64
from ..selection import Selection, selected

router = APIRouter()
_BODY = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RecommendationsIn"}}}}


@router.post("/v1/recommendations", openapi_extra={"requestBody": _BODY}, responses=PROBLEMS)
async def recommend(request: Request, response: Response) -> RecommendationsOut:
    """Compare garments for a shopper and recommend a size of each."""
    service = request.app.state.service
    wanted = await read_json(request, RecommendationsIn, service.settings.max_body_bytes)
    if wanted.customer_key is not None:
        require_back_end(request, "customer_key")
    await charge_garments(request, len(wanted.garments) + len(wanted.garment_ids), "/garments")
    state, model, timings = request.app.state, service.recommender, request.state.timings
    kept = None if wanted.shopper_id is None else await service.shoppers.get(wanted.shopper_id)
    selection = await selected(wanted, service, state.garment_features, timings)
    customer = service.intake.customer(wanted.customer_key)
    ask = _ask(request, wanted, selection, customer)
    if kept is not None:
        known = await service.shoppers.known_to(model, kept, timings)
        ask = replace(ask, words=kept.words, owned=kept.profile.owned if kept.profile else (), known=known)
    answer: RecommendationsOut = await model.recommend(ask, timings)
    if kept is not None:
        service.shoppers.advised(kept, answer)
    service.metrics.count_degraded(answer.degraded_codes)
    mark_language(response.headers, ask.language)
    answer.unknown, answer.without_advice = selection.unknown, selection.without_advice
    answer.holdout = held_out(customer, service.settings.holdout_share)
    return answer


def _ask(request: Request, wanted: RecommendationsIn, selection: Selection, customer: str) -> Ask:
    shopper = wanted.shopper
    profile = shopper.profile.to_profile() if shopper.profile else None
    words = shopper_words(shopper.text or "", profile)
    owned = profile.owned if profile else ()
    pointer = "/shopper/photo_base64"
    photo = from_base64(shopper.photo_base64, pointer)
    return Ask(
        selection.candidates,
        words,
        photo,
        pointer,
        wanted.top_k,
        bool(wanted.explain),
        owned,
        customer,
        language=read_language(request.headers),
        patience_s=patience_s(request),
        notes=selection.notes,
    )
