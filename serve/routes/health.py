"""`/livez`, `/readyz` and `/metrics`: is the process there, does the graph answer, how is it doing."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from tryon_core.errors import TryonError

from ..errors import OverloadedError, UnavailableError
from ..problems import PROBLEMS
from ..trial import Trial

logger = logging.getLogger(__name__)
router = APIRouter()
_EVERY_S = 2.0
_WITHIN_S = 5.0
_FAILURES = 3


class Probe:
    """A tiny inference through the whole graph, run again and again in the background."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self._stopped = False
        self._failed, self._reason = _FAILURES, "the first inference has not finished"

    @property
    def reason(self) -> str:
        """Why the graph is not ready; empty when it is."""
        return self._reason if self._failed >= _FAILURES else ""

    async def run(self) -> None:
        """Probe until cancelled or stopped."""
        while not self._stopped:
            await self.once()
            await asyncio.sleep(_EVERY_S)

    def stop(self) -> None:
        """End after the probe under way."""
        self._stopped = True

    async def once(self) -> None:
        """Probe once and remember how it went; three failures in a row make the graph not ready."""
        trial: Trial | None = None
        try:
            async with asyncio.timeout(_WITHIN_S):
                trial = Trial(self._service.recommender)
                await trial.run()
        except OverloadedError:
            return  # busy is not broken
        except Exception as err:
            if isinstance(err, TimeoutError) and trial and trial.is_waiting():
                return  # busy, too: others wait for that stage as well
            self._failed += 1
            self._reason = f"{trial.stage if trial else 'ingress'}: {_sentence_of(err)}"
            logger.warning("probe failed: %s", self._reason)
            logger.debug("what failed", exc_info=True)
            return
        self._failed = 0


def _sentence_of(err: Exception) -> str:
    """Return an error's sentence where it is fit to be shown, else its kind."""
    return (str(err) if isinstance(err, TryonError) else "") or type(err).__name__


@router.get("/livez")
async def livez() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={503: PROBLEMS[503]})
async def readyz(request: Request) -> dict[str, str]:
    """Tell whether the whole graph answers; it is probed in the background, not by this request."""
    reason = request.app.state.probe.reason
    if reason:
        raise UnavailableError(reason)
    return {"status": "ready", "model": request.app.state.service.recommender.manifest.fingerprint}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Tell this node's totals in Prometheus text."""
    content, content_type = await asyncio.to_thread(request.app.state.service.metrics.exposition)
    return Response(content, media_type=content_type)
