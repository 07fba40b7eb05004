"""A fixed network kept as a list of operations beside its weights, and run by torch; it knows not what it computes.

`train.convert` writes such networks from TensorFlow Lite files. Images are torch's, [B, C, H, W]; padding, resizing and
the order of reshaped values are TensorFlow's, so that both give the same numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from .errors import CheckpointError

Operation = Mapping[str, Any]
"""`op`, `in` and `out` (numbers of values), and what the operation needs besides."""
Weights = Mapping[str, Tensor]
PLACES = ".places"
"""What the name of a sparse weight's packed bits ends with: which of its values, in order, aren't zero."""


class GraphNetwork:
    """A network that is never fitted here; threads may share one.

    Args:
        path: of two files without their endings: ``.json`` with the operations, ``.safetensors`` with the weights.

    Raises:
        CheckpointError: a file is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        try:
            graph = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            self._input: int = graph["input"]
            self._outputs: dict[str, int] = graph["outputs"]
            self._operations: list[Operation] = graph["operations"]
            self._weights = _dense(load_file(path.with_suffix(".safetensors")), graph["sparse"])
            _check(graph, self._weights, path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as err:
            raise CheckpointError(f"expected a network in {path}.json and .safetensors, got {err!r}") from err

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Return the network's outputs by name for float32[B, C, H, W]."""
        values = {self._input: images.contiguous(memory_format=torch.channels_last)}
        for operation in self._operations:
            given = [values[number] for number in operation["in"]]
            values[operation["out"]] = OPERATIONS[operation["op"]](operation, self._weights, *given)
        return {name: values[number] for name, number in self._outputs.items()}


def _dense(stored: Weights, shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Return weights as float32, kernels with the channels last in memory as `F.conv2d` likes them on a CPU."""
    weights = {}
    for name, values in stored.items():
        if name.endswith(PLACES):
            continue
        dense = values.float()
        if name in shapes:
            dense = torch.zeros(int(np.prod(shapes[name])))
            bits = np.unpackbits(stored[name + PLACES].numpy(), count=len(dense))
            dense[torch.from_numpy(bits.astype(bool))] = values.float()
            dense = dense.view(*shapes[name])
        weights[name] = dense.contiguous(memory_format=torch.channels_last) if dense.ndim == 4 else dense
    return weights


def _check(graph: Mapping[str, Any], weights: Weights, path: Path) -> None:
    """See that every operation is known and whole, and that what it works on is there before it."""
    there = [graph["input"]]
    for operation in graph["operations"]:
        name = operation.get("op") if isinstance(operation, dict) else operation
        if not isinstance(name, str) or name not in OPERATIONS:
            raise CheckpointError(f"expected operations that are known, got {name!r} in {path}.json")
        missing = [key for key in ("in", "out", *_NEEDS[name]) if key not in operation]
        if missing:
            raise CheckpointError(f"expected {name} with {', '.join(missing)} in {path}.json, got it without")
        _check_numbers(operation["in"], there, path)
        for role in ("weight", "bias"):
            if role in operation and operation[role] not in weights:
                raise CheckpointError(f"expected weight {operation[role]!r} in {path}.safetensors, got none")
        there.append(int(operation["out"]))
    if not isinstance(graph["outputs"], dict):
        raise CheckpointError(f"expected outputs by name in {path}.json, got {graph['outputs']!r}")
    _check_numbers([*graph["outputs"].values()], there, path)


def _check_numbers(numbers: Any, there: Sequence[Any], path: Path) -> None:
    unknown = [number for number in numbers if number not in there] if isinstance(numbers, list) else [numbers]
    if unknown:
        raise CheckpointError(f"expected numbers of values that are there by then, got {unknown[0]!r} in {path}.json")


def _convolve(operation: Operation, weights: Weights, images: Tensor, groups: int) -> Tensor:
    weight, bias = weights[operation["weight"]], weights[operation["bias"]]
    padded = _same(images, weight.shape[2:], operation["stride"]) if operation["same"] else images
    return _activated(operation, F.conv2d(padded, weight, bias, operation["stride"], groups=groups))


def _activated(operation: Operation, values: Tensor) -> Tensor:
    if operation["activation"] == "relu6":
        return F.relu6(values)
    return F.relu(values) if operation["activation"] == "relu" else values


def _same(images: Tensor, kernel: Sequence[int], stride: Sequence[int], value: float = 0.0) -> Tensor:
    """Return images padded so that an output has as many places as input places over stride; more behind than before."""
    padding: list[int] = []
    for axis in (1, 0):
        length = images.shape[2 + axis]
        total = max((-(-length // stride[axis]) - 1) * stride[axis] + kernel[axis] - length, 0)
        padding += [total // 2, total - total // 2]
    return F.pad(images, padding, value=value) if any(padding) else images


def _pad(operation: Operation, weights: Weights, images: Tensor) -> Tensor:
    _, rows, columns, channels = operation["padding"]
    return F.pad(images, [*columns, *rows, *channels])


def _max_pool(operation: Operation, weights: Weights, images: Tensor) -> Tensor:
    padded = _same(images, operation["size"], operation["stride"], float("-inf")) if operation["same"] else images
    return F.max_pool2d(padded, operation["size"], operation["stride"])


def _depth_to_space(operation: Operation, weights: Weights, images: Tensor) -> Tensor:
    batch, channels, height, width = images.shape
    block = operation["block"]
    inside = channels // block**2
    blocks = images.reshape(batch, block, block, inside, height, width).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(batch, inside, height * block, width * block)


def _resize(operation: Operation, weights: Weights, images: Tensor) -> Tensor:
    return F.interpolate(images, operation["size"], mode="bilinear", align_corners=False)


def _reshape(operation: Operation, weights: Weights, images: Tensor) -> Tensor:
    return images.permute(0, 2, 3, 1).reshape(len(images), *operation["shape"])


OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "conv_2d": lambda operation, weights, images: _convolve(operation, weights, images, 1),
    "depthwise_conv_2d": lambda operation, weights, images: _convolve(operation, weights, images, images.shape[1]),
    "add": lambda operation, weights, one, other: _activated(operation, one + other),
    "pad": _pad,
    "max_pool_2d": _max_pool,
    "resize_bilinear": _resize,
    "depth_to_space": _depth_to_space,
    "reshape": _reshape,
    "concatenation": lambda operation, weights, *values: torch.cat(values, operation["axis"]),
    "logistic": lambda operation, weights, values: values.sigmoid(),
}
"""Name of an operation to what computes it from the operation, the weights and its inputs."""
_CONVOLUTION = ("weight", "bias", "stride", "same", "activation")
_NEEDS: dict[str, tuple[str, ...]] = dict.fromkeys(OPERATIONS, ()) | {
    "conv_2d": _CONVOLUTION,
    "depthwise_conv_2d": _CONVOLUTION,
    "add": ("activation",),
    "pad": ("padding",),
    "max_pool_2d": ("size", "stride", "same"),
    "resize_bilinear": ("size",),
    "depth_to_space": ("block",),
    "reshape": ("shape",),
    "concatenation": ("axis",),
}
"""Name of an operation to what it needs besides `in` and `out`."""
