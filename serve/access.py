"""Which route may be called with which scope, on which port: one table, which the application and its documents read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from .keys import SCOPES, Scope

Port = Literal["public", "operations"]


@dataclass(frozen=True)
class Rule:
    """Who may call a route.

    Args:
        scopes: a key with any of them may, and it needs one where keys are configured; empty for a route that is open.
    """

    method: str
    path: str
    scopes: frozenset[Scope]
    port: Port = "public"

    @property
    def is_open(self) -> bool:
        """Whether it needs no key."""
        return not self.scopes


def _rule(route: str, *scopes: Scope, port: Port = "public") -> Rule:
    method, _, path = route.partition(" ")
    return Rule(method, path, frozenset(scopes), port)


TABLE: tuple[Rule, ...] = (
    _rule("POST /v1/predict", "shopper", "read"),
    _rule("POST /v1/recommendations", "shopper", "read"),
    _rule("POST /v1/shoppers", "shopper", "write"),
    _rule("GET /v1/shoppers/{id}", "shopper", "read"),
    _rule("DELETE /v1/shoppers/{id}", "shopper", "write"),
    _rule("GET /v1/garments", "read"),
    _rule("GET /v1/garments/{id}", "read"),
    _rule("PUT /v1/garments/{id}", "write"),
    _rule("PATCH /v1/garments/{id}", "write"),
    _rule("DELETE /v1/garments/{id}", "write"),
    _rule("POST /v1/garments/import", "write"),
    _rule("POST /v1/feedback", "write"),
    _rule("POST /v1/feedback/import", "write"),
    _rule("POST /v1/embeddings", "read"),
    _rule("GET /metrics", "admin"),
    _rule("GET /livez"),
    _rule("GET /readyz"),
    _rule("GET /"),
    _rule("GET /docs"),
    _rule("GET /openapi.json"),
    _rule("GET /web/{id}"),
    _rule("GET /metrics", port="operations"),
    _rule("GET /livez", port="operations"),
    _rule("GET /readyz", port="operations"),
)
"""Every route; `{id}` stands for the rest of a path, which may have slashes. What is not in it cannot be called."""
_PATTERNS = tuple(
    (re.compile(re.escape(rule.path).replace(r"\{id\}", ".+"), re.DOTALL), rule) for rule in TABLE if rule.port == "public"
)


def rules_of(path: str) -> dict[str, Rule]:
    """Return the rules of a path on the public port by method; none where there is no such path."""
    return {rule.method: rule for pattern, rule in reversed(_PATTERNS) if pattern.fullmatch(path)}


def describe(api: dict[str, Any], *, keys: bool) -> None:
    """Add to an OpenAPI document which scopes each operation takes, and where a key goes.

    Args:
        keys: whether any are configured.
    """
    scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "tryon_ID_SECRET"}
    api["components"].setdefault("securitySchemes", {})["key"] = scheme
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            rule = rules_of(path)[method.upper()]
            operation["x-scopes"] = [scope for scope in SCOPES if scope in rule.scopes]
            if keys and not rule.is_open:
                operation["security"] = [{"key": []}]


def as_markdown() -> str:
    """Return the table for people."""
    lines = ["| route | port | no key | " + " | ".join(SCOPES) + " |", "|---|---|---|" + "---|" * len(SCOPES)]
    for rule in TABLE:
        cells = ["yes" if rule.is_open else "–", *("yes" if rule.is_open or s in rule.scopes else "–" for s in SCOPES)]
        lines.append(f"| `{rule.method} {rule.path}` | {rule.port} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
