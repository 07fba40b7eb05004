"""`POST /v1/embeddings`: texts or pictures of garments in, the vectors by which the model knows them out."""

from __future__ import annotations

from fastapi import APIRouter, Request

from tryon_core.errors import InputError, TooLargeError
from tryon_core.words import MAX_CHARACTERS

from ..body import read_json
from ..features import Asset
from ..problems import PROBLEMS
from ..schema_embeddings import EmbeddingOut, EmbeddingsIn, EmbeddingsOut
from ..schema_garments import from_base64

router = APIRouter()
_BODY = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/EmbeddingsIn"}}}}
_PARTS = {"text": "garment_words", "image": "garment_image"}


@router.post("/v1/embeddings", openapi_extra={"requestBody": _BODY}, responses=PROBLEMS)
async def embed(request: Request) -> EmbeddingsOut:
    """Return an embedding of each text or picture of a garment."""
    service = request.app.state.service
    wanted = await read_json(request, EmbeddingsIn, service.settings.max_body_bytes)
    recommender, part = service.recommender, _PARTS[wanted.modality]
    manifest = recommender.manifest
    if part not in manifest.config.parts:
        raise InputError(f"expected a modality that this model knows, got {wanted.modality!r}", "/modality")
    assets = _assets(wanted, part)
    features = await recommender.features.get(assets, request.state.timings)
    data = []
    for index, asset in enumerate(assets):
        features[asset].check(f"/input/{index}")
        embedding = features[asset].embedding
        assert embedding is not None  # only a shopper's photo is refused without an error
        data.append(EmbeddingOut(index=index, embedding=embedding.astype(float).tolist()))
    tower = manifest.config.parts[part]
    dim = manifest.config.towers[tower].embedding_dim
    return EmbeddingsOut(data=data, model=manifest.fingerprint, encoder=manifest.towers[tower], dim=dim)


def _assets(wanted: EmbeddingsIn, part: str) -> list[Asset]:
    if wanted.modality == "image":
        files = [from_base64(text, f"/input/{index}") for index, text in enumerate(wanted.input)]
        return [Asset(part, file) for file in files if file is not None]
    for index, text in enumerate(wanted.input):
        if len(text) > MAX_CHARACTERS:
            told = f"expected a text of at most {MAX_CHARACTERS} characters, got {len(text)}"
            raise TooLargeError(told, f"/input/{index}")
    return [Asset(part, text) for text in wanted.input]
