from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch.nn import functional as F

from tryon_core.errors import CheckpointError
from tryon_core.graph_network import GraphNetwork
from tryon_core.pose import POSE_ASSETS

PINNED = {
    ("pose_detection", "boxes"): (224, [0.6635, -82.8131, -2.6939, 0.2341], 40.07513),
    ("pose_detection", "scores"): (224, [-81.1196, -8.1191, -10.0551, -30.5735], 65.35086),
    ("pose_landmark", "landmarks"): (256, [124.219, 150.3427, -64.0098, 0.1409], 51.48407),
    ("pose_landmark", "presence"): (256, [0.084, 0.084, 0.084, 0.084], 0.084),
    ("pose_landmark", "mask"): (256, [-76.1197, -17.7361, -299.2956, -7.3712], 34.99641),
}
"""Side of the input; values of the output at its start, third, half and end; mean magnitude: of LiteRT 2, on `wave`."""


def wave(side: int) -> torch.Tensor:
    """float32[1, 3, side, side]"""
    values = np.sin(0.01 * np.arange(side * side * 3)).reshape(1, side, side, 3) * 0.5 + 0.5
    return torch.from_numpy(values.astype(np.float32)).permute(0, 3, 1, 2)


@pytest.mark.parametrize(("name", "output"), PINNED)
def test_the_shipped_networks_give_what_the_original_ones_gave(name: str, output: str) -> None:
    side, values, magnitude = PINNED[name, output]
    told = GraphNetwork(POSE_ASSETS / name)(wave(side))[output]
    flat = (told.permute(0, 2, 3, 1) if told.ndim == 4 else told).ravel()
    places = [0, len(flat) // 3, len(flat) // 2, -1]
    np.testing.assert_allclose(flat[places].numpy(), values, rtol=1e-3, atol=2e-3)
    assert float(flat.abs().mean()) == pytest.approx(magnitude, rel=1e-4)


def test_a_batch_gives_what_its_images_give_alone() -> None:
    network = GraphNetwork(POSE_ASSETS / "pose_detection")
    images = torch.cat([wave(224), wave(224).flip(3)])
    both = network(images)
    for row in range(2):
        for name, values in network(images[row : row + 1]).items():
            torch.testing.assert_close(both[name][row], values[0], rtol=1e-4, atol=1e-2)


def write(folder: Path, operations: list[dict[str, Any]], weights: dict[str, np.ndarray], **more: Any) -> Path:
    graph = {"input": 0, "outputs": {"out": operations[-1]["out"]}, "operations": operations, "sparse": {}, **more}
    (folder / "net.json").write_text(json.dumps(graph))
    save_file(weights, folder / "net.safetensors")
    return folder / "net"


def convolution(**more: Any) -> dict[str, Any]:
    told = {"op": "conv_2d", "in": [0], "out": 1, "weight": "w", "bias": "b"}
    return told | {"stride": [2, 2], "same": True, "activation": "none"} | more


def test_same_padding_puts_the_odd_pixel_behind(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(4, 3, 3, 3)).astype(np.float16), "b": rng.normal(size=4).astype(np.float32)}
    images = torch.rand(1, 3, 8, 6)
    told = GraphNetwork(write(tmp_path, [convolution()], weights))(images)["out"]
    weight, bias = (torch.from_numpy(weights[name]).float() for name in ("w", "b"))
    torch.testing.assert_close(told, F.conv2d(F.pad(images, [0, 1, 0, 1]), weight, bias, stride=2))


def test_a_sparse_weight_is_the_dense_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    dense = (rng.normal(size=(4, 3, 3, 3)) * (rng.random((4, 3, 3, 3)) < 0.2)).astype(np.float16)
    bias, places = np.zeros(4, np.float32), dense.ravel() != 0
    (tmp_path / "sparse").mkdir()
    kept = {"w": dense.ravel()[places], "w.places": np.packbits(places), "b": bias}
    sparse = GraphNetwork(write(tmp_path / "sparse", [convolution()], kept, sparse={"w": [4, 3, 3, 3]}))
    images = torch.rand(1, 3, 9, 9)
    whole = GraphNetwork(write(tmp_path, [convolution()], {"w": dense, "b": bias}))
    torch.testing.assert_close(sparse(images)["out"], whole(images)["out"])


def test_depth_becomes_space_in_rows_first_order(tmp_path: Path) -> None:
    network = GraphNetwork(write(tmp_path, [{"op": "depth_to_space", "in": [0], "out": 1, "block": 2}], {"x": np.zeros(1)}))
    told = network(torch.arange(8.0).view(1, 8, 1, 1))["out"]
    torch.testing.assert_close(told, torch.tensor([[[[0.0, 2.0], [4.0, 6.0]], [[1.0, 3.0], [5.0, 7.0]]]]))


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        ([convolution(op="conv_9d")], "conv_9d"),
        ([convolution(weight="v")], "'v'"),
        ([convolution(weight=["w"])], "expected a network"),
        ([{**convolution(), "in": [7]}], "values that are there by then, got 7"),
        ([{**convolution(), "in": 0}], "values that are there by then, got 0"),
        ([{**convolution(), "in": [1]}], "values that are there by then, got 1"),
        ([{k: v for k, v in convolution().items() if k != "stride"}], "conv_2d with stride"),
        ([{k: v for k, v in convolution().items() if k != "in"}], "conv_2d with in "),
        ([{"op": "reshape", "in": [0], "out": 1}], "reshape with shape"),
        ([4, convolution()], "operations that are known, got 4"),
        ([{**convolution(), "out": "x"}], "expected a network"),
    ],
)
def test_what_is_unknown_or_missing_is_told_when_the_network_is_loaded(tmp_path: Path, operations: Any, said: str) -> None:
    weights = {"w": np.zeros((4, 3, 3, 3), np.float16), "b": np.zeros(4, np.float32)}
    with pytest.raises(CheckpointError, match=said):
        GraphNetwork(write(tmp_path, operations, weights))


@pytest.mark.parametrize("damage", ["json", "safetensors", "missing"])
def test_damaged_files_are_told(tmp_path: Path, damage: str) -> None:
    weights = {"w": np.zeros((4, 3, 3, 3), np.float16), "b": np.zeros(4, np.float32)}
    path = write(tmp_path, [convolution()], weights)
    if damage == "missing":
        path.with_suffix(".safetensors").unlink()
    else:
        path.with_suffix(f".{damage}").write_bytes(b"{")
    with pytest.raises(CheckpointError, match="expected a network"):
        GraphNetwork(path)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"outputs": {"out": 99}}, "values that are there by then, got 99"),
        ({"outputs": [1]}, "expected outputs by name"),
        ({"operations": []}, "there by then, got 1"),
        ({"operations": 5}, "expected a network"),
        ({"sparse": {"w": "ab"}}, "expected a network"),
    ],
)
def test_a_graph_that_is_not_whole_is_told_in_a_sentence(tmp_path: Path, more: Any, said: str) -> None:
    weights = {"w": np.zeros((4, 3, 3, 3), np.float16), "b": np.zeros(4, np.float32)}
    path = write(tmp_path, [convolution()], weights)
    told = path.with_suffix(".json")
    told.write_text(json.dumps(json.loads(told.read_text()) | more))
    with pytest.raises(CheckpointError, match=said):
        GraphNetwork(path)


def test_a_file_that_is_no_graph_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, [convolution()], {"w": np.zeros((4, 3, 3, 3), np.float16), "b": np.zeros(4, np.float32)})
    path.with_suffix(".json").write_text("[1]")
    with pytest.raises(CheckpointError, match="expected a network"):
        GraphNetwork(path)
