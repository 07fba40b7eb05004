"""The model: towers encode each part alone, a fusion per view joins them, a head per task answers.

It knows given parts only by the registry's kinds and owners, so a new part is an entry in `batch` and a line of config. Two
parts it derives itself from what tasks say: `ease`, and `verdict`, from which alone the match is then told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from .batch import CHART, EASE_FIELDS, LOOK_TASKS, MEASUREMENTS, SIZE_FIELDS, Column, part_named
from .config import ImageTower, ModelConfig, NumbersTower, TextTower
from .errors import ConfigError, expected_one_of
from .fusion import Fusion, Members, build_fusion
from .image_encoder import ImageEncoder
from .numbers_encoder import NumbersEncoder
from .tasks import TASKS, Classes, View, ease, register_task, verdict
from .text import TextArrays, text_arrays
from .text_encoder import TextEncoder

Embedded = Mapping[str, tuple[Tensor, Tensor]]
"""Part name to (float32[U, dim] embeddings, int64[B] index into them, −1 where the row lacks the part)."""

_CHART_COLUMNS = [SIZE_FIELDS.index(name) for name in EASE_FIELDS]
_BODY_COLUMNS = [MEASUREMENTS.index(key) for key in CHART]


class Model(nn.Module):
    """A multimodal model of shopper and garment.

    Raises:
        ConfigError: the config names an unknown part or task, or parts and towers of different kinds.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        config.register_parts()
        for name, own in (config.own_tasks or {}).items():
            register_task(name, Classes(own.view, own.classes))  # type: ignore[arg-type]
        self.towers = nn.ModuleDict({name: self._tower(name) for name in config.towers})
        for task in config.tasks:
            if task not in TASKS:
                raise ConfigError(expected_one_of("task", task, TASKS))
        if "ease" in config.parts and not ("body" in config.tasks and "size" in config.parts):
            raise ConfigError("expected task body and part size with part ease, which is their difference")
        if "verdict" in config.parts and not {"fit", "match", *LOOK_TASKS} <= {*config.tasks}:
            raise ConfigError(f"expected tasks fit, match, {', '.join(LOOK_TASKS)} with part verdict, which joins them")
        views = [view for view in dict.fromkeys(self.view(task) for task in config.tasks) if view != "verdict"]
        self.fusions = nn.ModuleDict(
            {view: build_fusion(config.fusion, self._dims(view), self._sides(view)) for view in views}
        )
        self.heads = nn.ModuleDict({task: nn.Linear(self._width(task), TASKS[task].num_outputs) for task in config.tasks})

    def encode(self, part: str, values: Any) -> Tensor:
        """Return float32[U, dim], one embedding per value, none depending on its neighbours.

        In evaluation, embeddings of images and texts are rounded to half precision, which is how they travel and are
        kept, so that a cached one and a new one are the same.

        Args:
            values: uint8[U, H, W(, 3)] for images, `TextArrays` or a list of texts for texts, float32[U, width] for
                numbers; numpy or torch.
        """
        tower = self.config.parts[part]
        encoder, settings = self.towers[tower], self.config.towers[tower]
        device = next(encoder.parameters()).device
        if isinstance(settings, TextTower):
            arrays = values if isinstance(values, TextArrays) else text_arrays(values, settings.rows, settings.max_tokens)
            tensors = [torch.as_tensor(a).to(device) for a in (arrays.ids, arrays.values, arrays.lengths)]
            embedding: Tensor = encoder(*tensors)
        else:
            embedding = encoder(torch.as_tensor(values).to(device))
        if self.training or isinstance(settings, NumbersTower):
            return embedding
        return embedding.half().float()

    def embed(self, batch: Mapping[str, Column[Any]]) -> dict[str, tuple[Tensor, Tensor]]:
        """Return the embeddings of every part of a batch that the model uses and some row has."""
        device = next(self.parameters()).device
        return {
            part: (self.encode(part, batch[part].values), torch.as_tensor(batch[part].index).to(device))
            for part in self.config.parts
            if part in batch and batch[part].present.any()
        }

    def fuse(self, embedded: Embedded, size: Column[Any] | None, num_rows: int) -> dict[str, Tensor]:
        """Return each task's raw outputs, float32[num_rows, num_outputs], from embeddings.

        Args:
            size: the raw part `size`, from which `ease` is derived; None where no row has it.
            num_rows: rows of the batch, which no part may have.
        """
        outputs = self._heads(("shopper", "taste", "garment"), embedded, num_rows)
        if "ease" in self.config.parts and size is not None and size.present.any():
            numbers = torch.as_tensor(size.values, device=outputs["body"].device)
            index = torch.as_tensor(size.index, device=numbers.device)
            body = TASKS["body"].predict(outputs["body"].detach(), 1.0)[:, _BODY_COLUMNS]
            difference = ease(body, numbers[index][:, _CHART_COLUMNS])
            rows = torch.arange(num_rows, device=numbers.device).masked_fill(index < 0, -1)
            embedded = {**embedded, "ease": (self.encode("ease", difference), rows)}
        outputs |= self._heads(("pair",), embedded, num_rows)
        if "verdict" in self.config.parts:
            said = verdict({task: raw.detach() for task, raw in outputs.items()})
            outputs["match"] = self.heads["match"](self.encode("verdict", said))
        return outputs

    def view(self, task: str) -> View:
        """Return what a task sees; the match sees `verdict` alone where the config has it.

        Kept and returned tell little of each order. From everything at once a model learns the orders by heart; from what
        fit and taste say, which have targets of their own, it learns how shoppers weigh them.
        """
        return "verdict" if task == "match" and "verdict" in self.config.parts else TASKS[task].view

    def emphasise(self, weights: Mapping[str, float]) -> None:
        """Multiply the weights that parts have in fusion.

        Args:
            weights: part name to factor, over 0; parts that are not named keep their weight.

        Raises:
            ConfigError: the kind of fusion weighs no parts, or no part that is fused has that name.
        """
        fusions = [fusion for fusion in self.fusions.values() if isinstance(fusion, Fusion | Members)]
        fused = {name for fusion in fusions for name in fusion.names}
        for name in weights:
            if name not in fused:
                raise ConfigError(expected_one_of("a part with a weight", name, fused))
        for fusion in fusions:
            fusion.emphasise(weights)

    def forward(
        self, batch: Mapping[str, Column[Any]], encoded: Mapping[str, Column[Any]] | None = None
    ) -> dict[str, Tensor]:
        """Return each task's raw outputs, float32[B, num_outputs].

        Args:
            encoded: parts whose values are embeddings already, float32[U, dim].
        """
        ready = encoded or {}
        num_rows = len(next(iter({**batch, **ready}.values())).index)
        device = next(self.parameters()).device
        known = {
            part: (torch.as_tensor(column.values).to(device), torch.as_tensor(column.index).to(device))
            for part, column in ready.items()
            if column.present.any()
        }
        return self.fuse({**self.embed(batch), **known}, batch.get("size"), num_rows)

    def _heads(self, views: tuple[View, ...], embedded: Embedded, num_rows: int) -> dict[str, Tensor]:
        outputs: dict[str, Tensor] = {}
        for view in views:
            tasks = [task for task in self.config.tasks if self.view(task) == view]
            if tasks:
                features = self._fused(view, embedded, num_rows)
                outputs |= {task: self.heads[task](features) for task in tasks}
        return outputs

    def _fused(self, view: str, embedded: Embedded, num_rows: int) -> Tensor:
        """Fuse a view's parts once per distinct combination of them, then give each row its own."""
        fusion = self.fusions[view]
        assert isinstance(fusion, Fusion | Members)
        device = next(self.parameters()).device
        names = [name for name in fusion.names if name in embedded]
        index = torch.stack([torch.full((num_rows,), -1, device=device), *(embedded[n][1] for n in names)], dim=1)
        distinct, row_of = torch.unique(index, dim=0, return_inverse=True)
        parts = {"": (distinct.new_zeros(len(distinct), 1).float(), distinct[:, 0] >= 0)}
        for column, name in enumerate(names, start=1):
            chosen = distinct[:, column]
            parts[name] = (embedded[name][0][chosen.clamp_min(0)], chosen >= 0)
        return fusion.of_rows(parts, row_of)

    def _tower(self, name: str) -> nn.Module:
        tower = self.config.towers[name]
        parts = [part_named(part) for part, own in self.config.parts.items() if own == name]
        if any(part.kind != tower.type for part in parts):
            kinds = {part.name: part.kind for part in parts}
            raise ConfigError(f"expected parts of kind {tower.type} on tower {name!r}, got {kinds}")
        if isinstance(tower, ImageTower):
            return ImageEncoder(tower)
        return TextEncoder(tower) if isinstance(tower, TextTower) else NumbersEncoder(tower, parts[0])

    def _sides(self, view: View) -> tuple[list[str], list[str]]:
        """Return the shopper's parts and the garment's among those of a view."""
        shopper, garment = (
            [p for p in self._dims(view) if part_named(p).owner == owner] for owner in ("shopper", "garment")
        )
        return shopper, garment

    def _width(self, task: str) -> int:
        if self.view(task) == "verdict":
            return self.config.towers[self.config.parts["verdict"]].embedding_dim
        return self.config.fusion.width

    def _dims(self, view: View) -> dict[str, int]:
        owner = "shopper" if view == "taste" else view
        seen = [p for p in self.config.parts if p != "verdict" and (view == "pair" or part_named(p).owner == owner)]
        if not seen:
            raise ConfigError(f"expected parts that belong to the {owner}, got {sorted(self.config.parts)}")
        return {part: self.config.towers[self.config.parts[part]].embedding_dim for part in seen}
