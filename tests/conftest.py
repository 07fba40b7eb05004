"""Fixtures that several tests share: small models and examples, made from seeds and never changed by a test."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from serve.environment import fast_flags
from tests.redis_server import RedisServer
from tests.store_cases import Places
from tryon_core.batch import HISTORY_FIELDS, SIZE_FIELDS, Column, distinct, part_named
from tryon_core.config import ImageTower, ModelConfig, NumbersTower
from tryon_core.model import Model
from tryon_core.presets import preset

# Without HAProxy, which only a whole node has one of; the flag that goes with it forbids the tests' waiting for results.
_NODE_FLAGS = ("RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_THROUGHPUT_OPTIMIZED")
os.environ |= {name: value for name, value in fast_flags().items() if name not in _NODE_FLAGS}
os.environ |= {"RAY_worker_niceness": "0"}
# What a test's service keeps where it names no store of its own; a run that is killed leaves it behind.
_DATA = tempfile.TemporaryDirectory(prefix="tryon-test-")
os.environ |= {"TRYON_DATA": _DATA.name}
torch.set_num_threads(1)
# How long an example takes is the machine's affair; a first one pays for imports, too.
hypothesis_settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("suite")

Batch = dict[str, Column[Any]]

_SHOPPERS = ("165 cm, 55 kg, usually M", "5'11\" 180 lb loose fit", "身高一米六五，体重一百一十斤", "wide hips, long arms")
_GARMENTS = ("blue linen dress", "Jeans. Acme. slim cut, high waist", "黑色外套", "red t-shirt, runs small")


def _example(config: ModelConfig, row: int) -> dict[str, Any]:
    rng = np.random.default_rng(row)
    example: dict[str, Any] = {"shopper_words": _SHOPPERS[row % 4], "garment_words": _GARMENTS[row % 4]}
    for name, tower in config.parts.items():
        settings = config.towers[tower]
        if isinstance(settings, ImageTower):
            shape = (settings.height, settings.width) + ((3,) if settings.channels == 3 else ())
            pixels = rng.integers(0, 256, shape, dtype=np.uint8)
            example[name] = np.where(pixels > 128, 255, 0).astype(np.uint8) if settings.channels == 1 else pixels
        elif isinstance(settings, NumbersTower) and part_named(name).owner != "derived":
            example[name] = rng.normal(size=part_named(name).width).astype(np.float32)
    if "size" in config.parts:
        size = np.full(len(SIZE_FIELDS), np.nan, dtype=np.float32)
        size[SIZE_FIELDS.index("letter")] = row % 3 - 1
        low = SIZE_FIELDS.index("chest_cm_low")
        size[low : low + 2] = 84 + 4 * (row % 5), 90 + 4 * (row % 5)
        example["size"] = size
    if "history" in config.parts:
        example["history"] = rng.uniform(0, 1, len(HISTORY_FIELDS)).astype(np.float32)
    return {name: value for name, value in example.items() if name in config.parts}


def _batch(examples: Sequence[Mapping[str, Any]]) -> Batch:
    names = dict.fromkeys(name for example in examples for name in example)
    batch: Batch = {}
    for name in names:
        values, index = distinct([example.get(name) for example in examples])
        if values:
            batch[name] = Column(values if part_named(name).kind == "text" else np.stack(values), index)
    return batch


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_terminal() -> None:
    """Let what tests start inherit no ignored signal: a script's `&` ignores Ctrl-C, and nohup the terminal's end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def make_examples() -> Callable[[ModelConfig, int], list[dict[str, Any]]]:
    """Return a maker of whole examples for a config's parts, the same on every call."""
    return lambda config, num: [_example(config, row) for row in range(num)]


@pytest.fixture(scope="session")
def make_batch() -> Callable[[Sequence[Mapping[str, Any]]], Batch]:
    """Return a maker of a batch of examples; a part that an example leaves out or that is None is missing."""
    return _batch


@pytest.fixture(scope="session")
def tiny_model() -> Model:
    """The tiny preset in evaluation mode, with statistics that differ from the initial ones."""
    torch.manual_seed(0)
    model = Model(preset("tiny")).train()
    with torch.no_grad():
        for _ in range(3):
            model(_batch([_example(model.config, row) for row in range(8)]))
    return model.eval()


@pytest.fixture(scope="session")
def example_batch(tiny_model: Model) -> Batch:
    """Six whole examples of the tiny preset."""
    return _batch([_example(tiny_model.config, row) for row in range(6)])


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """The one Ray of the whole run; it declares more CPUs than there are, so that small graphs and trainers fit."""
    import ray

    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def store_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Where empty stores of every kind can be opened; its Redis keeps what it is told."""
    server = RedisServer(tmp_path_factory.mktemp("store-redis"), "--appendonly", "yes", "--appendfsync", "always")
    yield Places(tmp_path_factory.mktemp("stores"), server)
    server.kill()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis on a free port, for the whole run."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()
