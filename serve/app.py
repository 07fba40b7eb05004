"""The HTTP application: its routes as a table, its errors, its OpenAPI page. It knows the ingress only by protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from tryon_core.errors import TryonError

from .access import describe
from .admission import Admission
from .blobs import Blobs
from .browsers import Browsers
from .config import NO_KEYS, Settings
from .envelope import Envelope, problem
from .errors import RouteError
from .garment_encoding import GarmentEncoding
from .garment_features import GarmentFeatures
from .garment_intake import Links
from .guard import Gate, Guard
from .intake import Intake
from .metrics import Metrics
from .recommender import Recommender
from .routes import embeddings, feedback, garment_import, garments, health, pages, predict, recommendations, shoppers
from .routes.health import Probe
from .schema import ProblemOut, ProfileIn, RecommendationsIn
from .schema_embeddings import EmbeddingsIn
from .schema_feedback import FeedbackIn
from .schema_garments import GarmentLine, GarmentPatch, GarmentPut
from .schema_shoppers import ConsentIn
from .shoppers import Shoppers
from .store import Store

_ROUTES = (predict, shoppers, recommendations, garment_import, garments, feedback, embeddings, health, pages)
_MODELS = (
    RecommendationsIn,
    ProfileIn,
    ConsentIn,
    EmbeddingsIn,
    GarmentPut,
    GarmentPatch,
    GarmentLine,
    FeedbackIn,
    ProblemOut,
)
"""Bodies that are read, and problems that are written, by hand."""


class Service(Protocol):
    """What the routes need of the ingress."""

    settings: Settings
    metrics: Metrics
    admission: Admission
    guard: Guard
    blobs: Blobs

    @property
    def store(self) -> Store:
        """Garments, shoppers, order lines and keys."""
        ...

    @property
    def links(self) -> Links:
        """What fetches pictures by link."""
        ...

    @property
    def shoppers(self) -> Shoppers:
        """Shoppers who are kept."""
        ...

    @property
    def intake(self) -> Intake:
        """Takes order lines."""
        ...

    @property
    def recommender(self) -> Recommender:
        """The recommender of the loaded model."""
        ...


def build_app(service: Service) -> FastAPI:
    """Return the application; it starts the readiness probe and the catalogue's encoding with itself."""
    probe = Probe(service)
    own = GarmentFeatures(lambda: service.store, service.blobs, service.settings.cache_bytes)
    encoding = GarmentEncoding(service, own)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(own.run()) for own in (probe, encoding)]
        yield
        for task in tasks:
            task.cancel()

    app = FastAPI(
        title="tryon",
        version="1",
        summary="Size and style recommendation from a shopper's photo and words.",
        lifespan=lifespan,
        docs_url=None,  # its own page, which asks no third party for scripts
        redoc_url=None,
        middleware=[
            Middleware(Browsers, is_listed=service.guard.is_listed),
            _envelope(service),
            Middleware(Gate, guard=service.guard),
        ],
    )
    app.state.service, app.state.probe = service, probe
    app.state.garment_features, app.state.encoding = own, encoding
    for routes in _ROUTES:
        app.include_router(routes.router)
    app.add_exception_handler(TryonError, _on_error)
    app.add_exception_handler(HTTPException, _on_route_error)
    _describe(app)
    describe(app.openapi(), keys=service.settings.keys not in NO_KEYS)
    return app


def _envelope(service: Service) -> Middleware:
    own = service.settings
    return Middleware(
        Envelope,
        metrics=service.metrics,
        admission=service.admission,
        timeout_ms=own.timeout_ms,
        import_timeout_ms=1000 * own.import_timeout_s,
    )


async def _on_error(request: Request, err: Exception) -> Response:
    return problem(err, request.state.request_id)


async def _on_route_error(request: Request, err: Exception) -> Response:
    assert isinstance(err, HTTPException)
    return problem(RouteError(err.status_code, str(err.detail)), request.state.request_id, err.headers)


def _describe(app: FastAPI) -> None:
    """Add the bodies that are read and the problems that are written by hand to the generated OpenAPI page."""
    generated = app.openapi()
    for model in _MODELS:
        schema: dict[str, Any] = model.model_json_schema(ref_template="#/components/schemas/{model}")
        generated["components"]["schemas"] |= schema.pop("$defs", {}) | {model.__name__: schema}
