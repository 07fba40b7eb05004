"""How one garment is kept: its picture looked at first, then the garment whole, then what encoders say of it."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request

from .errors import StoreError, UnavailableError
from .features import Asset
from .garment_features import GarmentFeatures, Lacking
from .garment_intake import record_of, require_image
from .metrics import Timings
from .preconditions import required
from .records import GarmentRecord, content_hash
from .schema_garments import GarmentBody
from .wire import Feature


async def written(
    request: Request, garment_id: str, body: GarmentBody, image: bytes | None, pointer: str
) -> tuple[GarmentRecord, bool]:
    """Return the garment as it is kept now, and whether it is new.

    Args:
        request: whose preconditions hold.
        pointer: where the picture stands.

    Raises:
        InputError: the picture does not read, or the chart cannot be meant.
        PreconditionError: what is kept is not what the caller takes it for.
        StoreError: the store or the pictures' folder does not answer.
    """
    service, timings = request.app.state.service, request.state.timings
    picture = None if image is None else content_hash(require_image(image, pointer))
    record = record_of(garment_id, body, picture, time.time())
    kept: GarmentRecord | None = (await service.store.garments.get_many([garment_id])).get(garment_id)
    if_match = required(request.headers, kept.etag if kept else None)
    if kept is not None and kept.etag == record.etag:
        return kept, False
    seen = await _seen(service, image, pointer, timings) if kept is None or kept.image != picture else None
    if image is not None:
        await service.blobs.put(image)
    outcome = await service.store.garments.put(record, if_match=if_match)
    await _encoded(request, record, seen, timings)
    return record, outcome == "created"


async def _seen(service: Any, image: bytes | None, pointer: str, timings: Timings) -> Feature | None:
    """Return what the encoder says of a picture; None where there is none, or no encoder now.

    Raises:
        InputError: it is no picture, too large or too small.
    """
    features = service.recommender.features
    if image is None or "garment_image" not in features.parts:
        return None
    asset = Asset("garment_image", image)
    try:
        feature: Feature = (await features.get([asset], timings))[asset]
    except UnavailableError:
        return None  # the garment is kept all the same, and encoded later
    feature.check(pointer)
    return feature


async def _encoded(request: Request, record: GarmentRecord, seen: Feature | None, timings: Timings) -> None:
    """Keep what encoders say of a garment that is kept already; what fails is left to the background."""
    own: GarmentFeatures = request.app.state.garment_features
    features = request.app.state.service.recommender.features

    async def encode(asset: Asset) -> Feature:
        found: Feature = (await features.get([asset], timings))[asset]
        return found

    try:
        if seen is not None:
            await own.keep([(Lacking(record, "garment_image"), seen)], features)
        found, lacking = await own.known([record], features)
        _, failed = await own.made(lacking, features, encode) if lacking else (found, None)
    except (StoreError, UnavailableError) as err:
        failed = err
    if failed is not None:
        request.app.state.encoding.wake()
