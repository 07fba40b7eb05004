"""Runs the training loop on Ray Train's workers and writes what they made as a checkpoint folder."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from ray.util.queue import Empty, Queue
from safetensors.torch import load_file, save_file

from tryon_core.cli import root_line
from tryon_core.errors import ConfigError
from tryon_core.model import Model

from .backbones import PACKAGED
from .config import TrainConfig
from .export import check_free, export
from .loop import Place, build_model, fit
from .progress import Epoch, Event, Listener, thinned
from .rows import Rows
from .sources import Data

log = logging.getLogger(__name__)
_WEIGHTS = "weights.safetensors"
_POLL_S = 0.2
_STEP_EVERY_S = 0.5


class RunError(Exception):
    """A run failed; its text says in one sentence why."""


def train_checkpoint(config: TrainConfig, data: Data, out: str, *, command: str, listener: Listener) -> Mapping[str, Any]:
    """Fit a model on the cluster, calibrate it, write it to a new folder, and return its scores.

    Args:
        out: a path or fsspec URL where nothing is yet.
        command: what the model card calls the run.
        listener: is told of steps and epochs in this process.

    Raises:
        ConfigError: `out` is taken.
        RunError: a worker failed.
        OSError: the folder could not be written; as in any failure, the last epoch's weights are kept, and it is told where.
    """
    check_free(out)
    model, storage = Model(config.model), tempfile.mkdtemp(prefix="tryon-train-")
    try:
        model.load_state_dict(_run(config, data, listener, storage))
        scores = export(out, model, data, command=command, date=date.today().isoformat())
    except BaseException:
        if any(Path(storage).rglob(_WEIGHTS)):
            log.error("the weights of the last whole epoch are kept in %s", storage)
        else:
            shutil.rmtree(storage, ignore_errors=True)
        raise
    shutil.rmtree(storage, ignore_errors=True)
    return scores


def check_resources(config: TrainConfig, resources: Mapping[str, float]) -> None:
    """Refuse a run that would wait for ever.

    Raises:
        ConfigError: the cluster has fewer CPUs, or GPUs where they are asked for, than workers.
    """
    for name in ("CPU", "GPU") if config.use_gpu else ("CPU",):
        has = int(resources.get(name, 0))
        if has < config.num_workers:
            raise ConfigError(f"expected at most {has} workers on a cluster of {has} {name}s, got {config.num_workers}")


def as_seen_by_workers(config: TrainConfig) -> TrainConfig:
    """Return a config whose paths lead to the same files from a worker, which runs in a folder of its own."""

    def whole(path: str) -> str:
        return os.path.abspath(path) if path and "://" not in path else path

    pretrained = config.pretrained if config.pretrained == PACKAGED else whole(config.pretrained)
    return replace(config, init=whole(config.init), pretrained=pretrained)


@contextmanager
def cluster(config: TrainConfig) -> Iterator[None]:
    """Join the cluster that this process is in, or start one for as long as it is needed.

    Raises:
        ConfigError: the cluster has too little for the config.
    """
    joined = ray.is_initialized()
    if not joined:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        check_resources(config, ray.cluster_resources())
        yield
    finally:
        if not joined:
            ray.shutdown()


def _run(config: TrainConfig, data: Data, listener: Listener, storage: str) -> dict[str, torch.Tensor]:
    events = Queue(actor_options={"num_cpus": 0})
    loop_config = {
        "config": as_seen_by_workers(config),
        "train": ray.put(data.splits["train"]),
        "val": ray.put(data.splits["val"]),
        "events": events,
    }
    trainer = ray.train.torch.TorchTrainer(
        _worker,
        train_loop_config=loop_config,
        scaling_config=ray.train.ScalingConfig(num_workers=config.num_workers, use_gpu=config.use_gpu),
        run_config=ray.train.RunConfig(
            name="fit", storage_path=storage, checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1)
        ),
    )
    try:
        with _relayed(events, listener):
            result = trainer.fit()
        return _weights(result.checkpoint)
    except ray.train.TrainingFailedError as err:
        raise RunError(f"expected every worker to finish, got {root_line(err)}") from err
    finally:
        events.shutdown(force=True)


def _worker(loop_config: Mapping[str, Any]) -> None:
    """Fit on one worker; the first one tells how it goes and hands over the weights of every epoch."""
    config: TrainConfig = loop_config["config"]
    rows: Rows = ray.get(loop_config["train"])
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // context.get_local_world_size()))
    model = build_model(config, rows).to(ray.train.torch.get_device())
    tell = thinned(loop_config["events"].put, _STEP_EVERY_S) if rank == 0 else _silent

    def listen(event: Event) -> None:
        tell(event)
        if isinstance(event, Epoch):
            _report(event, model if rank == 0 else None)

    val = ray.get(loop_config["val"]) if rank == 0 else None
    fit(model, rows, config, listen, val=val, place=Place(rank, world, _shared if world > 1 else lambda model: model))


def _shared(model: Model) -> torch.nn.Module:
    """Let the workers' gradients be one; a part that a batch lacks leaves its encoder without any."""
    device = next(model.parameters()).device
    ids = [device] if device.type == "cuda" else None
    return torch.nn.parallel.DistributedDataParallel(model, device_ids=ids, find_unused_parameters=True)


def _report(epoch: Epoch, model: Model | None) -> None:
    told = {"epoch": epoch.epoch, "loss": epoch.loss, **epoch.metrics}
    if model is None:
        ray.train.report(told)
        return
    with tempfile.TemporaryDirectory() as folder:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
        save_file(tensors, Path(folder) / _WEIGHTS)
        ray.train.report(told, checkpoint=ray.train.Checkpoint.from_directory(folder))


def _weights(checkpoint: Any) -> dict[str, torch.Tensor]:
    if checkpoint is None:
        raise RunError("expected the weights of the last epoch, got none")
    with checkpoint.as_directory() as folder:
        return load_file(Path(folder) / _WEIGHTS)


@contextmanager
def _relayed(events: Queue, listener: Listener) -> Iterator[None]:
    """Tell the listener, in this process, of what the first worker puts into the queue."""
    done = threading.Event()

    def relay() -> None:
        while not (done.is_set() and events.empty()):
            try:
                listener(events.get(timeout=_POLL_S))
            except Empty:
                time.sleep(0)

    thread = threading.Thread(target=relay, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _silent(event: Event) -> None:
    """Tell nobody."""
