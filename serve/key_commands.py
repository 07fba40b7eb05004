"""`python -m serve keys …`: makes, lists, rotates and revokes keys, while the service runs."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tryon_core.errors import ConfigError

from .config import Settings
from .key_source import FileKeys, KeySource, StoreKeys
from .keys import KEY, SCOPES, Key, create_key
from .store import Keys, open_store

_ID = re.compile(r"[0-9a-f]{16}")


def add_key_commands(commands: Any) -> None:
    """Add the commands to a parser's sub-commands."""
    keys = commands.add_parser("keys", help="make, list, rotate and revoke the keys of callers")
    verbs = keys.add_subparsers(dest="verb", required=True)
    create = _add(verbs, "create", "make a key and print it, once")
    create.add_argument("name", help="for people, as 'product pages'")
    create.add_argument("--scope", action="append", required=True, choices=SCOPES, help="what it is for; may repeat")
    create.add_argument("--origin", action="append", default=[], help="https://shop.example, of a shopper key; may repeat")
    create.add_argument("--requests", type=int, help="a minute, in place of the setting key_requests")
    create.add_argument("--garments", type=int, help="scored a minute, in place of the setting key_garments")
    _add(verbs, "list", "list what is known of the keys")
    rotate = _add(verbs, "rotate", "give a key a new secret and print it, once; the old one stays good for a while")
    rotate.add_argument("id", type=_id)
    rotate.add_argument("--overlap-hours", type=float, default=24.0, help="how long (default %(default)g)")
    _add(verbs, "revoke", "let a key open nothing any more").add_argument("id", type=_id)


def _add(verbs: Any, name: str, what: str) -> Any:
    verb = verbs.add_parser(name, help=what)
    verb.add_argument(
        "--keys", required=True, metavar="PLACE", help="the file of keys, the URL of the store, or store for its usual place"
    )
    return verb


def _id(text: str) -> str:
    if KEY.fullmatch(text):
        raise argparse.ArgumentTypeError("expected the id of a key, the part after tryon_, got a whole key")
    if not _ID.fullmatch(text):
        raise argparse.ArgumentTypeError(f"expected the id of a key, 16 hexadecimal digits, got {text!r}")
    return text


def run_key_command(options: argparse.Namespace) -> int:
    """Run a command; a new secret is all that standard output shows of it.

    Raises:
        TryonError: the keys cannot be read or written, there is no such key, or a new one is not as it may be.
    """
    sys.stdout.write(asyncio.run(_done(options)))
    return 0


async def _done(options: argparse.Namespace) -> str:
    verb = _VERBS[options.verb]
    if options.keys != "store" and "://" not in options.keys:
        return await verb(FileKeys(Path(options.keys)), options)
    store = await open_store(Settings().placed().store if options.keys == "store" else options.keys)

    async def keys() -> Keys:
        return store.keys

    try:
        return await verb(StoreKeys(keys), options)
    finally:
        await store.close()


async def _create(source: KeySource, options: argparse.Namespace) -> str:
    limits = {"requests": options.requests, "garments": options.garments}
    key, whole = create_key(options.name, frozenset(options.scope), frozenset(options.origin), **limits)
    await source.change(key.id, lambda _: key)
    sys.stderr.write(f"key {key.id} for {key.name}: it is shown here only\n")
    return whole + "\n"


async def _list(source: KeySource, options: argparse.Namespace) -> str:
    now = datetime.now(UTC)
    keys = sorted(await source.read(), key=lambda key: key.created)
    return "".join(_line(key, now) + "\n" for key in keys)


async def _rotate(source: KeySource, options: argparse.Namespace) -> str:
    if not 0 <= options.overlap_hours <= 24 * 365:
        raise ConfigError(f"expected an overlap of 0 to 8760 hours, got {options.overlap_hours:g}")
    now, made = datetime.now(UTC), [""]

    def rotated(key: Key | None) -> Key:
        key, made[0] = _living(key, options.id).rotated(now, timedelta(hours=options.overlap_hours))
        return key

    await source.change(options.id, rotated)
    sys.stderr.write(f"key {options.id}: its old secret is good for {options.overlap_hours:g} hours\n")
    return made[0] + "\n"


async def _revoke(source: KeySource, options: argparse.Namespace) -> str:
    now = datetime.now(UTC)
    await source.change(options.id, lambda key: _living(key, options.id).model_copy(update={"revoked": now}))
    sys.stderr.write(f"key {options.id} opens nothing any more\n")
    return ""


_VERBS = {"create": _create, "list": _list, "rotate": _rotate, "revoke": _revoke}


def _living(key: Key | None, key_id: str) -> Key:
    if key is None:
        raise ConfigError(f"expected the id of a key, got {key_id}, which is nobody's")
    if key.revoked is not None:
        raise ConfigError(f"expected a key that is good, got {key_id}, which was revoked {key.revoked:%Y-%m-%d %H:%M} UTC")
    return key


def _line(key: Key, now: datetime) -> str:
    state = f"revoked {key.revoked:%Y-%m-%d}" if key.revoked else "good"
    ends = [own.until for own in key.digests if own.until and own.until > now]
    if ends and not key.revoked:
        state += f", an old secret until {max(ends):%Y-%m-%d %H:%M} UTC"
    limits = [f"{num} {unit}/min" for unit, num in (("requests", key.requests), ("garments", key.garments)) if num]
    told = [" ".join(sorted(key.scopes)), " ".join(sorted(key.origins)), ", ".join(limits), f"since {key.created:%Y-%m-%d}"]
    return "\t".join([key.id, key.name, *filter(None, told), state])
