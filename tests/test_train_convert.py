from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.drawn import figure
from train.convert import NETWORKS, main, read_wheel
from train.data.figures import render_photo
from tryon_core.errors import InputError
from tryon_core.graph_network import GraphNetwork
from tryon_core.pose import POSE_ASSETS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel() -> Path:
    """mediapipe's wheel, laid beside the checkout or into it by who wants this tested."""
    pytest.importorskip("ai_edge_litert", reason="the extra `photo` is not installed")
    pytest.importorskip("tflite", reason="the extra `photo` is not installed")
    found = [path for folder in (ROOT, ROOT.parent, ROOT / "runs") for path in folder.glob("mediapipe-0.10.21-*.whl")]
    if not found:
        pytest.skip("no wheel of mediapipe 0.10.21 beside the checkout (pip download --no-deps mediapipe==0.10.21)")
    return found[0]


def inputs(side: int) -> np.ndarray:
    """float32[2, side, side, 3]: noise, and a rendered person."""
    noise = np.random.default_rng(0).random((side, side, 3), dtype=np.float32)
    return np.stack([noise, render_photo(*figure(), side, side).astype(np.float32) / 255])


@pytest.mark.parametrize("name", NETWORKS)
def test_torch_gives_what_litert_gives(wheel: Path, name: str) -> None:
    from ai_edge_litert.interpreter import Interpreter

    member, outputs = NETWORKS[name]
    original = Interpreter(model_content=read_wheel(wheel, member), num_threads=1)
    original.allocate_tensors()
    given, told = original.get_input_details()[0], original.get_output_details()
    converted = GraphNetwork(POSE_ASSETS / name)
    for image in inputs(given["shape"][1]):
        original.set_tensor(given["index"], image[None])
        original.invoke()
        ours = converted(torch.from_numpy(image[None]).permute(0, 3, 1, 2))
        for output, place in outputs.items():
            values = ours[output].permute(0, 2, 3, 1) if ours[output].ndim == 4 else ours[output]
            theirs = torch.from_numpy(original.get_tensor(told[place]["index"]))
            if output == "mask":  # logits of up to 1600 beside the edge: what counts is the probability
                values, theirs = values.sigmoid(), theirs.sigmoid()
            torch.testing.assert_close(values, theirs, rtol=1e-3, atol=5e-3)


def test_the_command_writes_the_shipped_files(wheel: Path, tmp_path: Path) -> None:
    main(["--wheel", str(wheel), "--out", str(tmp_path)])
    for name in NETWORKS:
        for ending in (".json", ".safetensors"):
            assert (tmp_path / (name + ending)).read_bytes() == (POSE_ASSETS / (name + ending)).read_bytes()


def test_a_file_that_is_no_such_wheel_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.whl"
    wrong.write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"expected mediapipe's wheel with a/b, got .*wrong\.whl"):
        read_wheel(wrong, "a/b")
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr("a/c", "")
    with pytest.raises(SystemExit):
        main(["--wheel", str(tmp_path / "other.whl"), "--out", str(tmp_path / "out")])
    assert "expected mediapipe's wheel with" in capsys.readouterr().err
