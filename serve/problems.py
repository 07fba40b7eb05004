"""The problem documents that every route may answer with, as the OpenAPI page shows them."""

from __future__ import annotations

from typing import Any

from .errors import STATUS

_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"description": title, "content": _CONTENT} | ({"headers": _RETRY} if status in (429, 503) else {})
    for _, status, title in STATUS
}
"""Status to what OpenAPI says of it; `app` adds the schema that they refer to."""
