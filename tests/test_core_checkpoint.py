from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

from tryon_core.batch import Column
from tryon_core.checkpoint import load_checkpoint, save_checkpoint
from tryon_core.errors import CheckpointError
from tryon_core.manifest import CONFIG_FILE, WEIGHTS_FILE, read_manifest
from tryon_core.model import Model

CALIBRATION = {"temperature": {"fit": 1.5, "match": 0.9}}


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Model) -> Path:
    save_checkpoint(str(tmp_path), tiny_model, calibration=CALIBRATION, metrics={"fit_auc": 0.75}, card="# A card")
    return tmp_path


def test_a_checkpoint_reads_back_as_what_was_written(folder: Path, tiny_model: Model) -> None:
    checkpoint = load_checkpoint(str(folder))
    assert checkpoint.manifest == read_manifest(str(folder))
    assert checkpoint.manifest.config == tiny_model.config
    assert checkpoint.manifest.calibration == CALIBRATION
    assert checkpoint.manifest.metrics == {"fit_auc": 0.75}
    assert checkpoint.manifest.temperature("fit") == 1.5
    assert checkpoint.manifest.temperature("category") == 1.0
    assert not checkpoint.model.training
    assert (folder / "MODEL_CARD.md").read_text() == "# A card"


def test_a_checkpoint_loaded_and_saved_again_is_the_same_to_the_bit(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, example_batch: dict[str, Column[Any]]
) -> None:
    first = load_checkpoint(str(folder))
    again = str(tmp_path_factory.mktemp("again"))
    save_checkpoint(again, first.model, calibration=CALIBRATION, metrics={"fit_auc": 0.75}, card="")
    second = load_checkpoint(again)
    assert second.manifest == first.manifest
    with torch.no_grad():
        before, after = first.model(example_batch), second.model(example_batch)
    for task in before:
        torch.testing.assert_close(after[task], before[task], atol=0, rtol=0)


def test_half_precision_of_the_weights_moves_answers_by_little(
    folder: Path, tiny_model: Model, example_batch: dict[str, Column[Any]]
) -> None:
    with torch.no_grad():
        saved, own = load_checkpoint(str(folder)).model(example_batch), tiny_model(example_batch)
    for task in own:
        torch.testing.assert_close(saved[task], own[task], atol=5e-3, rtol=0)


def test_matrices_are_kept_in_half_precision_and_vectors_in_single(folder: Path, tiny_model: Model) -> None:
    arrays = load_file(folder / WEIGHTS_FILE)
    state = tiny_model.state_dict()
    assert arrays.keys() == state.keys()
    for name, array in arrays.items():
        assert array.shape == tuple(state[name].shape)
        if state[name].is_floating_point():
            assert array.dtype == (np.float16 if array.ndim > 1 else np.float32)
    loaded = load_checkpoint(str(folder)).model
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())


def test_a_checkpoint_may_live_behind_any_fsspec_url(tiny_model: Model) -> None:
    url = "memory://models/one"
    manifest = save_checkpoint(url, tiny_model, calibration={}, metrics={}, card="")
    assert load_checkpoint(url + "/").manifest == manifest


def test_no_partial_file_is_left_behind(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["MODEL_CARD.md", "config.json", "model.safetensors"]


def test_a_checkpoint_replaces_another_in_place(folder: Path, tiny_model: Model) -> None:
    save_checkpoint(str(folder), tiny_model, calibration={}, metrics={}, card="")
    assert load_checkpoint(str(folder)).manifest.calibration == {}


def refused(folder: Path | str) -> str:
    """Return the one line that says why a folder does not load."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(str(folder))
    message = str(caught.value)
    assert message.startswith("expected ")
    assert "\n" not in message
    return message


def test_a_missing_folder_or_file_is_named(folder: Path) -> None:
    assert "/nowhere/at/all" in refused("/nowhere/at/all")
    (folder / WEIGHTS_FILE).unlink()
    assert WEIGHTS_FILE in refused(folder)
    (folder / CONFIG_FILE).unlink()
    assert CONFIG_FILE in refused(folder)


def test_an_unknown_scheme_is_refused() -> None:
    assert "Protocol not known" in refused("nosuch://bucket/model")


def test_damaged_weights_are_refused(folder: Path) -> None:
    whole = (folder / WEIGHTS_FILE).read_bytes()
    draw = random.Random(0)
    cuts = [whole[:length] for length in (0, 7, 8, 1000, len(whole) // 2, len(whole) - 1)]
    flips = []
    for place in [draw.randrange(len(whole)) for _ in range(6)]:
        flips.append(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
    for content in (*cuts, *flips, b"PK\x03\x04 not weights at all"):
        (folder / WEIGHTS_FILE).write_bytes(content)
        refused(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3", '"text"', '{"format": 1}', "\x00\x01"])
def test_a_config_file_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / CONFIG_FILE).write_text(content)
    assert CONFIG_FILE in refused(folder)


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads((folder / CONFIG_FILE).read_text())
    change(data)
    (folder / CONFIG_FILE).write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data.update(format=2), "checkpoint format 1, got 2"),
        (lambda data: data["versions"].update(parser=0), "fit it again"),
        (lambda data: data["model"]["towers"].update({"a.b": data["model"]["towers"]["size"]}), "letters and digits"),
        (lambda data: data["model"]["towers"]["text"].update(rows=10**20), "that can be built"),
        (lambda data: data["model"].update(towers=[1]), "towers and fusion as objects"),
        (lambda data: data["model"]["towers"].update(size="big"), "type of tower 'size'"),
        (lambda data: data["model"]["towers"]["text"].update(widht=3), "did you mean 'width'"),
        (lambda data: data["model"]["tasks"].update(fits=1.0), "did you mean 'fit'"),
        (lambda data: data["model"]["parts"].update(foto="garment_image"), "did you mean 'photo'"),
        (lambda data: data.pop("calibration"), "calibration"),
        (lambda data: data.update(fingerprints=[]), "does not read"),
        (lambda data: data["model"]["towers"]["garment_image"].update(stages=[8, -1]), "that can be built"),
        (lambda data: data["model"]["towers"]["garment_image"].update(stages="ab"), "that can be built"),
        (lambda data: data["model"]["towers"]["garment_image"].update(embedding_dim=16.5), "that can be built"),
        (lambda data: data["model"]["fusion"].update(depth=1.5), "that can be built"),
    ],
)
def test_a_config_with_a_wrong_entry_is_refused_with_the_entry_named(
    folder: Path, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    edit(folder, change)
    assert said in refused(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["model"]["fusion"].update(width=64),
        lambda data: data["model"]["towers"]["text"].update(encoder="lstm"),
        lambda data: data["model"]["towers"]["garment_image"].update(stages=[8, 16]),
        lambda data: (
            data["model"]["tasks"].pop("category"),
            data["model"]["parts"].pop("verdict"),
            data["model"]["towers"].pop("verdict"),
        ),
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_refused(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    edit(folder, change)
    assert "expected weights that fit config.json" in refused(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["calibration"]["temperature"].update(fit=9.0),
        lambda data: data["model"]["towers"]["garment_image"].update(denoise_sigma=1.0),
        lambda data: data["model"]["fusion"].update(dropout=0.5),
        lambda data: data["fingerprints"]["towers"].pop("text"),
    ],
)
def test_an_edit_behind_the_fingerprints_back_is_refused(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    edit(folder, change)
    assert "fingerprints" in refused(folder)


def test_a_tensor_too_many_or_too_few_is_refused_by_name(folder: Path) -> None:
    arrays = load_file(folder / WEIGHTS_FILE)
    save_file(arrays | {"extra": np.zeros(2, np.float32)}, folder / WEIGHTS_FILE)
    assert "extra is (2,), not None" in refused(folder)
    save_file({name: a for name, a in arrays.items() if name != "heads.fit.bias"}, folder / WEIGHTS_FILE)
    assert "heads.fit.bias is None, not (3,)" in refused(folder)


class Allocated(TorchDispatchMode):
    """Counts the numbers in every tensor that is made in memory."""

    num = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.device.type != "meta":
            self.num += made.numel()
        return made


def test_a_size_that_does_not_fit_the_weights_costs_no_memory_before_it_is_told(folder: Path) -> None:
    rows = 500_000
    edit(folder, lambda data: data["model"]["towers"]["text"].update(rows=rows))
    with Allocated() as allocated:
        assert f"towers.text.words.weight is (65536, 16), not ({rows}, 16)" in refused(folder)
    assert allocated.num < rows
