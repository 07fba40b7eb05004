"""The service's settings: arguments of `build`, checked once."""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tryon_core.advice import BOUNDS
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.errors import ConfigError, expected_one_of

from .addresses import networks_of
from .environment import data_folder
from .link_hosts import Hosts
from .origins import origins_of

MAX_GARMENTS = 1000
"""In one request, whatever the settings say: what the schema takes."""
MAX_GARMENT_IDS = 10_000
"""The same of ids."""


NO_KEYS = ("off", "open")
"""Values of `keys` by which everybody may call."""
_MAY_BE_ZERO = ("address_requests", "address_garments", "key_requests", "key_garments", "operations_port", "holdout_share")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `serve run serve.graph:build NAME=VALUE …` may set."""

    checkpoint: str = SHIPPED_CHECKPOINT
    """A checkpoint folder: a path or fsspec URL that every node can read."""
    cache: str = "memory"
    """Where features are shared: `memory` (each ingress its own), or redis://, rediss:// or unix:// URL."""
    cache_bytes: int = 64 * 2**20
    """Bound of the local tier of each ingress."""
    cache_ttl_s: float = 24 * 3600.0
    """Life of a feature in the shared tier."""
    photo_ttl_s: float = 300.0
    """Life of an inline photo's embedding, in process memory only."""
    cache_timeout_ms: float = 50.0
    """Longest wait for the shared tier; then the answer is computed without it."""
    max_body_bytes: int = 24 * 2**20
    """Bound of one request's body."""
    max_inflight_bytes: int = 256 * 2**20
    """Bodies that one ingress reads or holds at the same time; more are refused with 503."""
    body_gap_s: float = 10.0
    """Longest wait for more of a body that is under way; then it is given up with 408. A phone that changes cells needs a
    few seconds; how long a whole body may take, the request's deadline says."""
    max_requests: int = 192
    """Requests at work in one ingress; more are refused with 503."""
    max_garments: int = 200
    """Garments given with one request, at most 1000."""
    max_pixels: int = 256_000_000
    """Of one request's PNG and WebP images together; a file of 70 kB may have 24 million."""
    image_hosts: str = ""
    """Hosts from which images are fetched by link, with commas, as `cdn.shop.com,*.images.shop.com`; empty refuses all
    links. Their addresses must be of the open internet."""
    max_garment_ids: int = 5000
    """Garments of the catalogue in one request, at most 10,000."""
    import_timeout_s: float = 3600.0
    """How long an import may take; it is read as it comes and never held whole."""
    max_line_bytes: int = 24 * 2**20
    """Bound of one line of an import, or of one product of a feed; longer ones are rejected by number."""
    encode_every_s: float = 60.0
    """How often it is looked whether garments are without what an encoder says of them; after a write, at once."""
    encode_slots: int = 8
    """Garments that one ingress lets encode at the same time beside requests."""
    timeout_ms: float = 30_000.0
    """A request's deadline unless its header X-Request-Timeout-Ms asks for a shorter one; and longest life of a call."""
    degrade_after_ms: float = 8_000.0
    """How long an answer waits for an encoder, and half of its own deadline at most; then it does without what that would
    have told, where something else is known, and says so."""
    none_fits_from: float = BOUNDS.none_fits
    """P(no size fits), at most 1, from which on the advice is that none does; see `tryon_core.advice.Bounds`."""
    modality_weights: str = ""
    """Factors on the weights that parts have in fusion, as `person_mask:2,garment_words:0.5`; parts that are not named keep
    theirs. For models whose fusion weighs parts: average, weighted or attention, not concat."""
    rollout_s: float = 60.0
    """How long, in a roll-out, the stages have to answer with the new model; then the old one stays."""
    image_batch: int = 32
    """Items in one call of the image encoder."""
    text_batch: int = 128
    fusion_batch: int = 32
    """Requests in one call of fusion."""
    max_queued: int = 512
    """Items that may wait for one stage in one ingress; more are refused with 503."""
    max_replicas: int = 4
    """Of each deployment; what the cluster's CPUs allow comes first."""
    store: str = ""
    """What must not be lost: sqlite:///PATH, for the processes of one machine (four slashes before an absolute path), or
    redis://, rediss:// or unix:// URL of a Redis that evicts nothing and writes an append-only file. Empty is an SQLite file
    in the data folder, TRYON_DATA, else the user's own."""
    blobs: str = ""
    """Garments' pictures: a path or fsspec URL; empty is a folder in the data folder."""
    keys: str = "off"
    """Where the keys of callers are kept, which `python -m serve keys` makes: the path of a file, on every node, or `store`.
    `off`: whoever reaches the port may call; `open`: the same, and it is meant, as where a gateway in front decides."""
    keys_every_s: float = 2.0
    """How often the keys are read again; a new or revoked one is known everywhere after at most twice as long."""
    keys_stale_s: float = 3600.0
    """How long the keys that were read last still count while they cannot be read; then callers get 503."""
    origins: str = ""
    """Pages that may call from a browser, as `https://shop.example,https://www.shop.example`, beside the service's own and
    those that keys are bound to."""
    trusted_proxies: str = ""
    """Networks of the proxies in front, as `10.0.0.0/8,127.0.0.1`: what they add to X-Forwarded-For is believed. With
    Serve's HAProxy the loopback and the nodes are among them; without any, clients behind it have no address."""
    address_requests: int = 300
    """Requests a minute of one client address, with browsers' keys and without one that is known; 0 for no limit. These four
    count only where keys are configured."""
    address_garments: int = 20_000
    """Garments scored a minute for one client address, by browsers' keys; 0 for no limit."""
    key_requests: int = 0
    """Requests a minute of one key; 0 for no limit. A key may have its own."""
    key_garments: int = 0
    """Garments scored a minute for one key; 0 for no limit. A key may have its own."""
    operations_port: int = 0
    """Where `python -m serve run` tells metrics and readiness, on the loopback; 0 is the port after the public one."""
    shopper_ttl_s: float = 7 * 24 * 3600.0
    """How long a shopper's words and profile are kept."""
    shopper_photo_ttl_s: float = 24 * 3600.0
    """How long what a shopper's photo told is kept, at most 24 hours; then they are answered from words."""
    advice_ttl_s: float = 120 * 24 * 3600.0
    """How long what was recommended to a shopper is kept where they agreed to it, at most 120 days."""
    forget_within_s: float = 2.0
    """How long a deletion waits at most for every replica to forget the shopper; one that cannot read the store's log of
    deletions for so long holds nobody in memory any more."""
    reasons: str = ""
    """What a shop's reasons for returns mean: path or fsspec URL of a JSON file, {"zu klein": "small", …}, as a table's is.
    Empty knows too small, too big, too large, damaged, and the meanings' own names."""
    holdout_share: float = 0.0
    """Share of the customers, by the key that a request names, whose answers say `holdout`: shown to nobody, they tell what
    advice does to returns, see `python -m serve effect`."""
    metrics_dir: str = ""
    """Folder of the metrics' files, one below it per node; empty chooses one in the temporary folder."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in _MAY_BE_ZERO and value == 0:
                continue
            if isinstance(value, (int, float)) and not 0 < value < math.inf:
                raise ConfigError(f"expected {field.name} over 0 and finite, got {value}")
        self.weights()
        Hosts.read(self.image_hosts)
        origins_of(self.origins)
        networks_of(self.trusted_proxies)
        if not self.keys:
            raise ConfigError("expected keys off, open, store or the path of a file, got nothing")
        for name, most in (("shopper_photo_ttl_s", 24 * 3600), ("advice_ttl_s", 120 * 24 * 3600)):
            if getattr(self, name) > most:
                raise ConfigError(f"expected {name} of at most {most}, got {getattr(self, name):g}")
        if self.cache != "memory" and not self.cache.startswith(("redis://", "rediss://", "unix://")):
            raise ConfigError(f"expected cache memory, redis://…, rediss://… or unix://…, got {self.cache!r}")
        if self.store and not self.store.startswith(("sqlite:///", "redis://", "rediss://", "unix://")):
            told = f"sqlite:///PATH, redis://…, rediss://… or unix://…, got {self.store!r}"
            raise ConfigError(f"expected store {told}")
        try:
            _ = urllib.parse.urlsplit(self.cache).port
        except ValueError as err:
            raise ConfigError(f"expected cache as a URL with a port from 0 to 65535, got {self.cache!r}") from err
        if self.holdout_share >= 1:
            raise ConfigError(f"expected holdout_share from 0 to below 1, got {self.holdout_share}")
        if self.none_fits_from > 1:
            raise ConfigError(f"expected none_fits_from of at most 1, got {self.none_fits_from}")
        for name, most in (("max_garments", MAX_GARMENTS), ("max_garment_ids", MAX_GARMENT_IDS)):
            if getattr(self, name) > most:
                raise ConfigError(f"expected {name} of at most {most}, got {getattr(self, name)}")

    def weights(self) -> dict[str, float]:
        """Return `modality_weights` as part name to factor.

        Raises:
            ConfigError: it is written otherwise, names a part twice, or a factor is not over 0 and finite.
        """
        pairs = [pair.partition(":") for pair in self.modality_weights.split(",") if pair.strip()]
        try:
            weights = {name.strip(): float(factor) for name, _, factor in pairs}
        except ValueError as err:
            raise ConfigError(f"expected modality_weights as PART:FACTOR,…, got {self.modality_weights!r}") from err
        if len(weights) < len(pairs) or not all(0 < factor < math.inf for factor in weights.values()):
            raise ConfigError(f"expected each part once, by a factor over 0 and finite, got {self.modality_weights!r}")
        return weights

    def placed(self) -> Settings:
        """Return the settings with the store, blobs and keys that are meant, wherever a process is started."""
        store, blobs = self.store or f"sqlite:///{data_folder()}/store.db", self.blobs or f"{data_folder()}/blobs"
        if store.startswith("sqlite:///"):
            store = f"sqlite:///{os.path.abspath(store.removeprefix('sqlite:///'))}"
        keys = self.keys if self.keys in (*NO_KEYS, "store") else os.path.abspath(self.keys)
        blobs = blobs if "://" in blobs else os.path.abspath(blobs)
        return dataclasses.replace(self, store=store, blobs=blobs, keys=keys)

    def require_shared(self, num_nodes: int) -> None:
        """Check that every node of a cluster sees the same store and blobs.

        Raises:
            ConfigError: they are on one node's disk; it says what mends it.
        """
        if num_nodes <= 1:
            return
        mend = "set store=redis://HOST:6379 to a Redis that evicts nothing and writes an append-only file"
        if not self.store or self.store.startswith("sqlite:"):
            raise ConfigError(f"expected one node for an SQLite store, got {num_nodes}: each would have its own; {mend}")
        if not self.blobs:
            mend = "set blobs=s3://BUCKET/FOLDER, or to a folder that is mounted on every node"
            raise ConfigError(f"expected one node for blobs in its data folder, got {num_nodes}: {mend}")

    @classmethod
    def from_args(cls, args: Mapping[str, Any]) -> Settings:
        """Return settings from the command line's or a Serve config's arguments.

        Raises:
            ConfigError: a name is unknown, or a value is not of the setting's type or out of range.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for name, value in args.items():
            if name not in fields:
                raise ConfigError(expected_one_of("a setting", name, fields))
            kind: type[Any] = type(fields[name].default)
            try:
                values[name] = kind(value)
            except (TypeError, ValueError) as err:
                raise ConfigError(f"expected {name} as {kind.__name__}, got {value!r}") from err
            if not isinstance(value, str) and values[name] != value:
                raise ConfigError(f"expected {name} as {kind.__name__}, got {value!r}")
        return cls(**values)

    @classmethod
    def from_pairs(cls, pairs: Iterable[str]) -> Settings:
        """Return settings from a command line's `NAME=VALUE`.

        Raises:
            ConfigError: one is written otherwise, or as `from_args` does.
        """
        parted = [pair.partition("=") for pair in pairs]
        for name, equals, _ in parted:
            if not equals:
                raise ConfigError(f"expected NAME=VALUE, got {name!r}")
        return cls.from_args({name: value for name, _, value in parted})

    def to_args(self) -> dict[str, Any]:
        """Return the settings as plain data, which `from_args` reads back."""
        return dataclasses.asdict(self)


def metrics_folder(settings: Settings, node: str) -> str:
    """Return the folder of a node's metrics files."""
    root = settings.metrics_dir or os.path.join(tempfile.gettempdir(), f"tryon-metrics-{os.getuid()}")
    return os.path.join(root, node)
