"""Every metric's name, labels and buckets, and how processes of one node put their numbers together.

prometheus-client's multiprocess mode: each process writes files in the node's folder, whoever is asked adds them up.
Labels are few and bounded: routes, statuses, stages, tiers, outcomes, reasons that the code names, one fingerprint.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from tryon_core.errors import ConfigError

from .environment import tell_metrics_folder

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_FILE = re.compile(r"_(\d+)\.db$")
STAGES = ("queue", "cache", "image", "text", "fusion")


class Metrics:
    """The service's metrics in one process.

    Args:
        folder: the node's folder of metric files; made where missing. Empty keeps the numbers in this process.

    Raises:
        ConfigError: the folder is another user's.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        if folder:
            for own in (os.path.dirname(folder), folder):
                _own(own)
            tell_metrics_folder(folder)
        # Not left to prometheus-client, which looks for a folder when it is imported, or to who was here before.
        values.ValueClass = values.MultiProcessValue() if folder else values.MutexValue
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("tryon_requests_total", "Requests answered.", ("route", "status"), registry=registry)
        self.request_seconds = Histogram(
            "tryon_request_seconds", "Time to answer.", ("route",), buckets=SECONDS, registry=registry
        )
        self.stage_seconds = Histogram(
            "tryon_stage_seconds", "Time of a request in a stage.", ("stage",), buckets=SECONDS, registry=registry
        )
        self.batch_items = Histogram(
            "tryon_batch_items", "Items in a call of a stage.", ("stage",), buckets=ITEMS, registry=registry
        )
        self.cache_lookups = Counter(
            "tryon_cache_lookups_total", "Features looked up.", ("tier", "outcome"), registry=registry
        )
        self.degraded = Counter(
            "tryon_degraded_answers_total", "Answers given without a part.", ("reason",), registry=registry
        )
        self.refused = Counter(
            "tryon_refused_requests_total", "Requests of callers who may not.", ("reason",), registry=registry
        )
        self.key_reads = Counter("tryon_key_reads_total", "Readings of the keys.", ("outcome",), registry=registry)
        self.order_lines = Counter(
            "tryon_order_lines_total", "Order lines told, by what became of them.", ("outcome",), registry=registry
        )
        self.model_info = Gauge(
            "tryon_model_info",
            "1 for the model that serves, 0 for one that did.",
            ("model",),
            registry=registry,
            multiprocess_mode="livemax",
        )

    def count_degraded(self, codes: Sequence[str]) -> None:
        """Count an answer that was given without a part, by each code that it tells."""
        for code in codes:
            self.degraded.labels(code).inc()

    def exposition(self) -> tuple[bytes, str]:
        """Return this node's totals as Prometheus text and its content type."""
        registry = self._registry
        if self._folder:
            _forget_the_dead(self._folder)
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=self._folder)
        return prometheus_client.generate_latest(registry), prometheus_client.CONTENT_TYPE_LATEST


class _Files:
    """Adds up the numbers in files of several processes, or of several nodes' folders."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files

    def collect(self) -> Iterable[Metric]:
        """Return the sums."""
        metrics: Iterable[Metric] = MultiProcessCollector.merge(self._files)
        return metrics


def exposition_below(root: str) -> tuple[bytes, str]:
    """Return the totals of all files in a folder and in those right below it, for a process that has no metrics itself.

    Unlike `Metrics.exposition` it takes nothing away: it may not see which processes live, as from another container.
    """
    files = [file for depth in ("*.db", "*/*.db") for file in glob.glob(os.path.join(glob.escape(root), depth))]
    registry = CollectorRegistry()
    registry.register(_Files(files))
    return prometheus_client.generate_latest(registry), prometheus_client.CONTENT_TYPE_LATEST


def _own(folder: str) -> None:
    """Make a folder that only this user sees.

    Raises:
        ConfigError: another user, who is not root, has made it first.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    owner = os.lstat(folder).st_uid
    if owner not in (0, os.getuid()):
        raise ConfigError(f"expected a metrics folder of this user's, got {folder} of user {owner}")


def _forget_the_dead(folder: str) -> None:
    """Take what only holds while a process lives from the processes that are gone; their counts stay."""
    for pid in {int(found[1]) for name in os.listdir(folder) if (found := _FILE.search(name))}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, folder)
        except PermissionError:
            continue  # it lives, as another user's


class Timings:
    """How long one request spent in each stage, in ms, and as a Server-Timing header; until when it may, and whose it is.

    Args:
        deadline: moment of the event loop's clock at which the answer is of no use any more; None where there is none.
        caller: whose request it is, for fairness between callers: a key's id, else an address; empty where unknown.
    """

    def __init__(self, deadline: float | None = None, caller: str = "") -> None:
        self.ms = dict.fromkeys(STAGES, 0.0)
        self.deadline, self.caller = deadline, caller

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        begun = perf_counter()
        try:
            yield
        finally:
            self.add(name, 1000 * (perf_counter() - begun))

    def add(self, name: str, ms: float) -> None:
        """Add to a stage."""
        self.ms[name] += ms

    def waited(self, ms: float) -> None:
        """Note a wait for a free slot; of several at the same time the longest counts."""
        self.ms["queue"] = max(self.ms["queue"], ms)

    def header(self) -> str:
        """Return the value of Server-Timing."""
        return ", ".join(f"{name};dur={ms:.2f}" for name, ms in self.ms.items())
