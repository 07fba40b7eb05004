"""Writes mediapipe's pose networks once as the operations and weights that `tryon_core.graph_network` runs.

``python -m train.convert --wheel mediapipe-0.10.21-….whl --out DIR`` reads the TensorFlow Lite files out of the wheel. It
needs `ai-edge-litert` and `tflite` (extra ``photo``), which nothing else does. Weights keep their half precision; those
with many zeros are kept as what isn't zero and where; what leads to no wanted output is left out.
"""

from __future__ import annotations

import argparse
import json
import logging
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from tryon_core.errors import InputError
from tryon_core.graph_network import PLACES

log = logging.getLogger(__name__)
Array = npt.NDArray[Any]

NETWORKS: dict[str, tuple[str, dict[str, int]]] = {
    "pose_detection": ("mediapipe/modules/pose_detection/pose_detection.tflite", {"boxes": 0, "scores": 1}),
    "pose_landmark": (
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        {"landmarks": 0, "presence": 1, "mask": 2},
    ),
}
"""Name to the file in mediapipe's wheel and the outputs that are wanted, by their place among the file's."""

_ACTIVATIONS = {0: "none", 1: "relu", 3: "relu6"}
_KERNELS = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2)}
"""Order of TensorFlow's axes in a torch kernel."""
_SPARSE_SHARE = 0.75
"""A weight of which a smaller share is not zero is kept sparsely: below 15 / 16 that takes less room."""


class Converter:
    """One TensorFlow Lite network.

    Args:
        content: of the file.

    Raises:
        InputError: `ai-edge-litert` or `tflite` is not installed.
    """

    def __init__(self, content: bytes) -> None:
        try:
            import tflite
            from ai_edge_litert.interpreter import Interpreter, OpResolverType
        except ImportError as err:
            raise InputError(f"expected the packages of the extra `photo` (pip install '.[photo]'), got {err}") from err
        self._tflite = tflite
        self._model = tflite.Model.GetRootAs(content, 0)
        self._graph = self._model.Subgraphs(0)
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # a delegate would keep unpacked weights to itself
        self._interpreter = Interpreter(
            model_content=content, experimental_preserve_all_tensors=True, experimental_op_resolver_type=plain
        )
        self._interpreter.allocate_tensors()
        given = self._interpreter.get_input_details()[0]
        self._interpreter.set_tensor(given["index"], np.zeros(given["shape"], np.float32))
        self._interpreter.invoke()
        self._constants: set[int] = set()

    def convert(self, outputs: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return the graph as JSON and the weights as `GraphNetwork` reads them.

        Args:
            outputs: name to the place among the file's outputs.

        Raises:
            InputError: the file holds an operation that `graph_network` does not know.
        """
        operations = []
        for place in range(self._graph.OperatorsLength()):
            operator = self._graph.Operators(place)
            given, out = operator.InputsAsNumpy().tolist(), int(operator.OutputsAsNumpy()[0])
            if all(self._is_constant(number) for number in given):
                self._constants.add(out)  # weights on their way from packed to plain
                continue
            values = [number for number in given if not self._is_constant(number)]
            name, more = self._operation(operator, given, out)
            operations.append({"op": name, "in": values, "out": out, **more})
        made = self._graph.OutputsAsNumpy().tolist()
        wanted = {name: int(made[place]) for name, place in outputs.items()}
        used = _used(operations, set(wanted.values()))
        weights, shapes = self._weights(used)
        return {
            "input": int(self._graph.InputsAsNumpy()[0]),
            "outputs": wanted,
            "operations": used,
            "sparse": shapes,
        }, weights

    def _operation(self, operator: Any, given: list[int], out: int) -> tuple[str, dict[str, Any]]:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        names = {value: name for name, value in vars(self._tflite.BuiltinOperator).items() if isinstance(value, int)}
        name = names.get(number, str(number))
        if name not in _READERS:
            raise InputError(f"expected one of the operations {sorted(_READERS)}, got {name}")
        options, read = _READERS[name]
        told = getattr(self._tflite, options)() if options else None
        if told is not None:
            told.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        more = read(self, told, given, out)
        if name in _KERNELS:
            more |= {"weight": str(given[1]), "bias": str(given[2]), "kernel": name}
        return name.lower(), more

    def _weights(self, operations: Sequence[dict[str, Any]]) -> tuple[dict[str, Array], dict[str, list[int]]]:
        weights: dict[str, Array] = {}
        shapes: dict[str, list[int]] = {}
        for operation in operations:
            if "weight" not in operation:
                continue
            weights[operation["bias"]] = self.value(int(operation["bias"])).astype(np.float32)
            name = operation["weight"]
            kernel = self.value(int(name)).astype(np.float32).transpose(_KERNELS[operation.pop("kernel")])
            halves = np.ascontiguousarray(kernel.astype(np.float16))
            if not np.array_equal(halves.astype(np.float32), kernel):
                raise InputError(f"expected weights of half precision, got others in tensor {name}")
            places = halves.ravel() != 0
            if places.mean() < _SPARSE_SHARE:
                weights[name], weights[name + PLACES] = halves.ravel()[places], np.packbits(places)
                shapes[name] = list(halves.shape)
            else:
                weights[name] = halves
        return weights, shapes

    def _is_constant(self, number: int) -> bool:
        return number in self._constants or self._model.Buffers(self._graph.Tensors(number).Buffer()).DataLength() > 0

    def value(self, number: int) -> Array:
        """Return a tensor's value, as it is after one run."""
        return np.array(self._interpreter.get_tensor(number))


def _convolution(converter: Converter, told: Any, given: list[int], out: int) -> dict[str, Any]:
    if told.DilationHFactor() != 1 or told.DilationWFactor() != 1:
        raise InputError("expected convolutions without dilation, got one with")
    return {
        "stride": [told.StrideH(), told.StrideW()],
        "same": told.Padding() == 0,
        "activation": _activation(told),
    }


def _pool(converter: Converter, told: Any, given: list[int], out: int) -> dict[str, Any]:
    size = [told.FilterHeight(), told.FilterWidth()]
    return {"stride": [told.StrideH(), told.StrideW()], "size": size, "same": told.Padding() == 0}


def _resize(converter: Converter, told: Any, given: list[int], out: int) -> dict[str, Any]:
    if told.AlignCorners() or not told.HalfPixelCenters():
        raise InputError("expected images resized about the middles of pixels, got another way")
    return {"size": converter.value(given[1]).tolist()}


def _activation(told: Any) -> str:
    code = told.FusedActivationFunction()
    if code not in _ACTIVATIONS:
        raise InputError(f"expected one of the activations {list(_ACTIVATIONS.values())}, got number {code}")
    return _ACTIVATIONS[code]


Reader = Callable[[Converter, Any, list[int], int], dict[str, Any]]
_READERS: dict[str, tuple[str, Reader]] = {
    "CONV_2D": ("Conv2DOptions", _convolution),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", _convolution),
    "ADD": ("AddOptions", lambda converter, told, given, out: {"activation": _activation(told)}),
    "PAD": ("", lambda converter, told, given, out: {"padding": converter.value(given[1]).tolist()}),
    "MAX_POOL_2D": ("Pool2DOptions", _pool),
    "RESIZE_BILINEAR": ("ResizeBilinearOptions", _resize),
    "RESHAPE": ("", lambda converter, told, given, out: {"shape": list(converter.value(out).shape[1:])}),
    "CONCATENATION": ("ConcatenationOptions", lambda converter, told, given, out: {"axis": told.Axis()}),
    "DEPTH_TO_SPACE": ("DepthToSpaceOptions", lambda converter, told, given, out: {"block": told.BlockSize()}),
    "LOGISTIC": ("", lambda converter, told, given, out: {}),
}
"""Operation to the kind of its options, where any are needed, and what reads them, given converter, inputs and output."""


def _used(operations: Sequence[dict[str, Any]], needed: set[int]) -> list[dict[str, Any]]:
    """Return the operations, in order, on which some needed value depends."""
    kept = []
    for operation in reversed(operations):
        if operation["out"] in needed:
            needed = needed | set(operation["in"])
            kept.append(operation)
    return kept[::-1]


def read_wheel(wheel: Path, member: str) -> bytes:
    """Return one file of a wheel.

    Raises:
        InputError: no such wheel, or no such file in it.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as err:
        raise InputError(f"expected mediapipe's wheel with {member}, got {wheel}: {err}") from err


def write_networks(wheel: Path, out: Path) -> None:
    """Convert every one of `NETWORKS` into a folder.

    Raises:
        InputError: the wheel or the extra's packages are missing, or a network holds what is not known.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name, (member, outputs) in NETWORKS.items():
        graph, weights = Converter(read_wheel(wheel, member)).convert(outputs)
        (out / f"{name}.json").write_text(json.dumps(graph, separators=(",", ":")) + "\n", encoding="utf-8")
        save_file(weights, out / f"{name}.safetensors")
        size = (out / f"{name}.safetensors").stat().st_size
        log.info("wrote %s: %d operations, %.1f MB of weights", name, len(graph["operations"]), size / 1e6)


def main(arguments: list[str] | None = None) -> None:
    """Convert the pose networks of a wheel of mediapipe 0.10.21."""
    parser = argparse.ArgumentParser(prog="python -m train.convert", description=main.__doc__)
    parser.add_argument("--wheel", type=Path, required=True, metavar="FILE", help="mediapipe-0.10.21-….whl")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the networks")
    options = parser.parse_args(arguments)
    try:
        write_networks(options.wheel, options.out)
    except InputError as err:
        parser.error(str(err))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
