"""`POST /v1/feedback` and `/v1/feedback/import`: order lines and what became of them, one or a stream of them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from tryon_core.errors import InputError

from ..body import checked, paced, read_json
from ..errors import FieldsError
from ..feeds.lines import numbered_lines
from ..problems import PROBLEMS
from ..schema_feedback import EXAMPLE, FeedbackIn, FeedbackOut
from ..schema_types import ImportOut, RejectedOut

router = APIRouter()
_MAX_LINE_BYTES = 16 * 1024
_TOGETHER = 500
"""Lines that are kept at once."""
_MOST_TOLD = 1000
_REFERENCE = {"$ref": "#/components/schemas/FeedbackIn"}
_ONE = {"required": True, "content": {"application/json": {"schema": _REFERENCE, "example": EXAMPLE}}}
_LINES = f"{FeedbackIn.model_validate(EXAMPLE).model_dump_json(exclude_none=True)}\n"
_MANY = {
    "required": True,
    "content": {
        "application/x-ndjson": {
            "schema": {"type": "string", "description": "One FeedbackIn a line, of 16 KiB at most; any number of lines."},
            "example": _LINES,
        }
    },
}
_CREATED: dict[int | str, dict[str, Any]] = {
    200: {"model": FeedbackOut, "description": "The line was known; it counts once."},
    201: {"model": FeedbackOut, "description": "The line is durable, and counts."},
}


@router.post("/v1/feedback", openapi_extra={"requestBody": _ONE}, responses={**PROBLEMS, **_CREATED}, status_code=201)
async def feedback(request: Request, response: Response) -> FeedbackOut:
    """Tell what became of an order line."""
    service = request.app.state.service
    told = await read_json(request, FeedbackIn, _MAX_LINE_BYTES)
    service.intake.check(told)
    (status,) = await service.intake.take([told])
    response.status_code = 201 if status == "new" else 200
    return FeedbackOut(order_line_id=told.order_line_id, status=status)


@router.post("/v1/feedback/import", openapi_extra={"requestBody": _MANY}, responses=PROBLEMS)
async def feedback_import(request: Request) -> ImportOut:
    """Tell what became of many order lines; a wrong one is told by its number, and the others are kept.

    Lines are durable as they come. Where it ends early, the same import may be sent again: what is known counts once.
    """
    service, waiting = request.app.state.service, list[FeedbackIn]()
    done = ImportOut(accepted=0, rejected=[], num_rejected=0)

    async def keep() -> None:
        done.accepted += len(await service.intake.take(waiting))
        waiting.clear()

    async for number, content in numbered_lines(paced(request.stream(), service.settings.body_gap_s), _MAX_LINE_BYTES):
        try:
            told = _checked(service, content)
        except InputError as err:
            _reject(done, number, err)
            service.metrics.order_lines.labels("rejected").inc()
            continue
        waiting.append(told)
        if len(waiting) >= _TOGETHER:
            await keep()
    if waiting:
        await keep()
    return done


def _checked(service: Any, content: bytes | None) -> FeedbackIn:
    """Return a line of an import.

    Raises:
        InputError: it is too long, no JSON, or a field is wrong.
    """
    if content is None:
        raise InputError(f"expected a line of at most {_MAX_LINE_BYTES} bytes, got more")
    told = checked(content, FeedbackIn)
    service.intake.check(told)
    return told


def _reject(done: ImportOut, number: int, err: InputError) -> None:
    done.num_rejected += 1
    if len(done.rejected) < _MOST_TOLD:
        fields = err.fields if isinstance(err, FieldsError) else [(err.pointer, err.detail)]
        detail = "; ".join(f"{pointer}: {text}" if pointer else text for pointer, text in fields)
        done.rejected.append(RejectedOut(line=number, detail=detail))
