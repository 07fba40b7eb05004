"""API keys: what is known of one, how it is made, and whether a secret is its own.

A key reads `tryon_<id>_<secret>`. The id is public; of the secret, 256 random bits, only a digest is kept. A guess is
hopeless whatever it costs, so the digest is a fast one: slow ones are for secrets that people choose.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, get_args

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from tryon_core.errors import ConfigError, expected_one_of

from .origins import origin_of

Scope = Literal["shopper", "read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
KEY = re.compile(r"tryon_([0-9a-f]{16})_([0-9a-f]{64})")
KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Count = Annotated[int, Field(gt=0, le=10**9)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Digest(_Record):
    """What is kept of a secret."""

    blake2b: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    until: AwareDatetime | None = None
    """When the secret stops being good, as after a rotation."""


class Key(_Record):
    """A caller who is known."""

    id: KeyId
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    """For people; it decides nothing."""
    scopes: frozenset[Scope]
    origins: frozenset[str] = frozenset()
    """The pages that may use a browser's key; empty for every other."""
    digests: tuple[Digest, ...]
    requests: Count | None = None
    """A minute, in place of the setting."""
    garments: Count | None = None
    """Scored a minute, in place of the setting."""
    created: AwareDatetime
    revoked: AwareDatetime | None = None

    @field_validator("name")
    @classmethod
    def _printable(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError("expected a name of printable characters")
        return name

    @field_validator("origins")
    @classmethod
    def _well_written(cls, origins: frozenset[str]) -> frozenset[str]:
        return frozenset(map(_origin, origins))

    @model_validator(mode="after")
    def _is_safe(self) -> Key:
        if not self.scopes:
            raise ValueError(f"expected a scope: {', '.join(SCOPES)}")
        if self.is_publishable and len(self.scopes) > 1:
            raise ValueError("expected shopper alone: its key stands in a page, where everybody sees it")
        if self.is_publishable != bool(self.origins):
            raise ValueError("expected the origins of the pages that use a shopper key, and of no other")
        return self

    @property
    def is_publishable(self) -> bool:
        """Whether everybody may see the key, because it stands in a page."""
        return "shopper" in self.scopes

    def opens_with(self, secret: str, now: datetime) -> bool:
        """Tell whether a secret is this key's; that takes as long for a wrong one."""
        asked = digest_of(self.id, secret)
        matches = [hmac.compare_digest(own.blake2b, asked) for own in self.digests]
        return any(same and _lasts(own, now) for same, own in zip(matches, self.digests, strict=True))

    def rotated(self, now: datetime, overlap: timedelta) -> tuple[Key, str]:
        """Return the key with a new secret beside those that are good for a while longer, and the whole key to hand out."""
        secret, end = secrets.token_hex(32), now + overlap
        old = [own.model_copy(update={"until": min(own.until or end, end)}) for own in self.digests if _lasts(own, now)]
        digests = (Digest(blake2b=digest_of(self.id, secret)), *(own for own in old if _lasts(own, now)))
        return self.model_copy(update={"digests": digests}), f"tryon_{self.id}_{secret}"


def digest_of(key_id: str, secret: str) -> str:
    """Return what is kept of a secret, in hexadecimal; it is bound to the id, so that it opens no other key."""
    return hashlib.blake2b(secret.encode(), key=key_id.encode(), digest_size=32, person=b"tryon-api-key").hexdigest()


def create_key(
    name: str,
    scopes: frozenset[str],
    origins: frozenset[str] = frozenset(),
    *,
    requests: int | None = None,
    garments: int | None = None,
    now: datetime | None = None,
) -> tuple[Key, str]:
    """Return a new key's record, and the whole key, which is kept nowhere.

    Args:
        origins: the pages that may use it; for the scope shopper, and for no other.

    Raises:
        ConfigError: a scope is unknown, shopper stands beside another one, or origins are wrong or in the wrong place.
    """
    for scope in sorted(scopes - set(SCOPES)):
        raise ConfigError(expected_one_of("a scope", scope, SCOPES))
    key_id, secret = secrets.token_hex(8), secrets.token_hex(32)
    digests = (Digest(blake2b=digest_of(key_id, secret)),)
    told: dict[str, object] = {"id": key_id, "name": name, "scopes": scopes, "origins": origins, "digests": digests}
    told |= {"requests": requests, "garments": garments, "created": now or datetime.now(UTC)}
    try:
        record = Key.model_validate(told)
    except ValidationError as err:
        wrong = err.errors(include_url=False, include_input=False)[0]
        where = "".join(f"{step}: " for step in wrong["loc"][:1])
        raise ConfigError(where + wrong["msg"].removeprefix("Value error, ")) from err
    return record, f"tryon_{key_id}_{secret}"


def _lasts(digest: Digest, now: datetime) -> bool:
    return digest.until is None or now < digest.until


def _origin(text: str) -> str:
    try:
        return origin_of(text)
    except ConfigError as err:
        raise ValueError(str(err)) from err
