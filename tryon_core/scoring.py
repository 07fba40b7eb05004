"""Computes the scores of jobs with a loaded model; many jobs of many requests are one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .batch import Column
from .checkpoint import Checkpoint
from .offers import ScoreJob, Scores
from .tasks import TASKS

_NONE = np.zeros((0, 0), dtype=np.float32)


@torch.inference_mode()
def score(checkpoint: Checkpoint, jobs: Sequence[ScoreJob]) -> list[Scores]:
    """Return each job's scores; no job depends on the others."""
    model, manifest = checkpoint.model, checkpoint.manifest
    num_rows = sum(job.num_rows for job in jobs)
    device = next(model.parameters()).device
    embedded = {}
    for part in model.config.parts:
        column = _joined([(job.embeddings.get(part) or job.numbers.get(part), job.num_rows) for job in jobs])
        if column is not None:
            index = torch.as_tensor(column.index).to(device)
            numeric = any(part in job.numbers for job in jobs)
            values = torch.as_tensor(column.values).to(device).float()
            embedded[part] = (model.encode(part, column.values) if numeric else values, index)
    size = _joined([(job.numbers.get("size"), job.num_rows) for job in jobs])
    outputs = model.fuse(embedded, size, num_rows)
    answers = {task: TASKS[task].predict(raw, manifest.temperature(task)).cpu().numpy() for task, raw in outputs.items()}
    ends = np.cumsum([job.num_rows for job in jobs])[:-1]
    parts = {t: np.split(answers[t], ends) if t in answers else [_NONE] * len(jobs) for t in ("fit", "match", "body")}
    return [Scores(fit, match, body) for fit, match, body in zip(parts["fit"], parts["match"], parts["body"], strict=True)]


def _joined(columns: Sequence[tuple[Column[Any] | None, int]]) -> Column[Any] | None:
    """Return the jobs' columns of one part as one, rows of jobs without it missing; None where no job has it."""
    values, indexes, offset = [], [], 0
    for column, num_rows in columns:
        if column is None:
            indexes.append(np.full(num_rows, -1, dtype=np.int64))
            continue
        indexes.append(np.where(column.index >= 0, column.index + offset, -1))
        values.append(column.values)
        offset += len(column.values)
    return Column(np.concatenate(values), np.concatenate(indexes)) if values else None
