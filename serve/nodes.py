"""The cluster that this process is in; without Ray it is this machine."""

from __future__ import annotations

import ray


def num_nodes() -> int:
    """Return how many nodes are alive, a head that runs nothing included."""
    return sum(1 for node in ray.nodes() if node["Alive"]) if ray.is_initialized() else 1
