"""Another field is a table: parts with pictures, log lines and readings, sorted into defects by the command for shops."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from train.__main__ import main
from train.config import TrainConfig
from train.data.columns import read_columns
from train.data.sim import SimConfig
from train.data.tables import Table
from train.evaluate import raw_outputs
from train.loop import Place, build_model, fit
from train.options import build_parser, fit_config
from train.rows import Rows
from train.sources import adapted, load_data
from tryon_core import tasks
from tryon_core.batch import PARTS
from tryon_core.checkpoint import load_checkpoint, save_checkpoint
from tryon_core.config import ModelConfig
from tryon_core.errors import ConfigError
from tryon_core.model import Model
from tryon_core.presets import preset

DEFECTS = ("none", "scratch", "dent", "leak")
COLUMNS = {
    "columns": {"garment_image": "picture", "garment_words": "log"},
    "parts": {"readings": {"kind": "numbers", "columns": ["pressure_bar", "minutes"], "owner": "garment"}},
    "tasks": {"defect": {"column": "defect", "classes": DEFECTS, "view": "garment"}},
}


def _part(rng: np.random.Generator, defect: str) -> Image.Image:
    """Draw a plate on a bench: the picture tells scratch and dent from whole ones, a leak leaves no trace on it."""
    image = Image.new("RGB", (64, 64), (90, 90, 95))
    draw, grey = ImageDraw.Draw(image), int(rng.integers(160, 200))
    draw.rectangle((6, 6, 58, 58), fill=(grey, grey, grey))
    x, y = rng.integers(16, 48, 2).tolist()
    if defect == "scratch":
        draw.line((x - 9, y - 9, x + 9, y + 9), fill=(40, 40, 40), width=3)
    elif defect == "dent":
        draw.ellipse((x - 9, y - 9, x + 9, y + 9), fill=(50, 50, 60))
    return image


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, a table of parts, and what its columns are; the log or the reading gives a leak away."""
    folder, rng = tmp_path_factory.mktemp("field"), np.random.default_rng(0)
    rows = []
    for number in range(320):
        defect = DEFECTS[number % 4]
        _part(rng, defect).save(folder / f"{number}.png")
        said = "pressure fell during the test" if defect == "leak" and number % 8 < 4 else "test finished, line 4"
        pressure = rng.normal(2.0 if defect == "leak" and number % 8 >= 4 else 6.0, 0.3)
        told = {"serial": f"P{number}", "picture": f"{number}.png", "log": said, "defect": defect}
        rows.append({**told, "pressure_bar": f"{pressure:.2f}", "minutes": str(rng.integers(3, 9))})
    rows[7]["defect"], rows[9]["pressure_bar"] = "bent", "high"
    with (folder / "parts.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    (folder / "columns.json").write_text(json.dumps(COLUMNS))
    return folder


@pytest.fixture(autouse=True)
def _tasks_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_OWN", set(tasks._OWN))
    for name in ("defect", "grade"):
        monkeypatch.delitem(tasks.TASKS, name, raising=False)


def _spec(folder: Path) -> str:
    return f"table:{folder}/parts.csv?columns=columns.json&val=0.25"


def test_a_columns_file_makes_the_model_of_another_field(field: Path) -> None:
    model = fit_config(build_parser().parse_args(["fit", "--data", _spec(field), "--preset", "tiny", "--out", "x"])).model
    assert dict(model.parts) == {"garment_image": "garment_image", "garment_words": "text", "readings": "readings"}
    assert set(model.towers) == {"garment_image", "text", "readings"}
    assert dict(model.tasks) == {"defect": 1.0}
    assert ModelConfig.from_json(json.loads(json.dumps(model.to_json()))) == model


def test_lines_with_a_class_or_a_reading_that_there_is_not_are_told(field: Path) -> None:
    data = load_data(_spec(field), adapted(_spec(field), preset("tiny")), SimConfig())
    assert [(bad.line, bad.why) for bad in data.rejected] == [
        (9, "expected defect to be one of dent, leak, none, scratch, got 'bent'; did you mean 'dent'?"),
        (11, "expected pressure_bar as a number, got 'high'"),
    ]
    assert sum(len(rows) for rows in data.splits.values()) == 318


def _accuracy(model: object, rows: Rows) -> float:
    return float((raw_outputs(model, rows)["defect"].argmax(axis=1) == rows.targets["defect"]).mean())  # type: ignore[arg-type]


def test_picture_log_and_readings_each_tell_their_share(field: Path) -> None:
    config = TrainConfig(
        model=adapted(_spec(field), preset("tiny")),
        epochs=12,
        batch_size=16,
        learning_rate=4e-3,
        missing={"garment_image": 0.1},
    )
    data = load_data(_spec(field), config.model, SimConfig())
    model = build_model(config, data.splits["train"])
    fit(model, data.splits["train"], config, lambda event: None, place=Place())
    val = data.splits["val"]
    assert _accuracy(model, val) > 0.9
    for part in ("garment_image", "garment_words", "readings"):
        assert _accuracy(model, val.without([part])) < _accuracy(model, val) - 0.08, part


@pytest.mark.slow
@pytest.mark.cluster
def test_the_command_for_shops_fits_it_and_another_process_scores_the_checkpoint(
    ray_cluster: None, field: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "model")
    line = ["fit", "--preset", "tiny", "--data", _spec(field), "--out", out, "--epochs", "2", "--batch-size", "16"]
    assert main(line) == 0
    assert (tmp_path / "model.bad-rows.csv").read_text().count("\n") == 3
    stored = json.loads((tmp_path / "model" / "config.json").read_text())
    assert stored["model"]["own_tasks"]["defect"]["classes"] == list(DEFECTS)
    assert stored["model"]["own_parts"]["readings"]["width"] == 2
    capfd.readouterr()
    command = [sys.executable, "-m", "train", "evaluate", "--checkpoint", out, "--data", _spec(field)]
    scored = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    assert scored.returncode == 0, scored.stderr
    told = json.loads(scored.stdout)["defect"]
    assert told["num"] == stored["metrics"]["val"]["defect"]["num"] > 40
    assert told["accuracy"] == stored["metrics"]["val"]["defect"]["accuracy"]


def test_a_task_of_ones_own_beside_a_shops_leaves_the_shops_as_they_are(tmp_path: Path) -> None:
    told = {"tasks": {"grade": {"column": "grade", "classes": ["A", "B"]}}, "orders": True}
    (tmp_path / "columns.json").write_text(json.dumps(told))
    model = read_columns(str(tmp_path / "columns.json")).model(preset("tiny"))
    assert dict(model.parts) == dict(preset("tiny").parts)
    assert dict(model.tasks) == {**preset("tiny").tasks, "grade": 1.0}


def test_a_checkpoint_brings_its_own_parts_and_tasks_with_it(field: Path, tmp_path: Path) -> None:
    config = TrainConfig(model=adapted(_spec(field), preset("tiny")))
    data = load_data(_spec(field), config.model, SimConfig(), ("val",))
    model = build_model(config, data.splits["val"])
    save_checkpoint(str(tmp_path / "model"), model, calibration={}, metrics={}, card="")
    del tasks.TASKS["defect"]
    part = PARTS.pop("readings")
    loaded = load_checkpoint(str(tmp_path / "model")).model
    assert PARTS["readings"] == part
    assert isinstance(tasks.TASKS["defect"], tasks.Classes)
    assert tasks.TASKS["defect"].names == DEFECTS
    assert raw_outputs(loaded, data.splits["val"])["defect"].shape == (len(data.splits["val"]), 4)


def test_names_of_the_contract_cannot_be_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a new task name, got 'fit', which is taken"):
        tasks.register_task("fit", tasks.Classes("garment", ("a", "b")))
    told = {"parts": {"size": {"columns": ["a"]}}, "tasks": {"grade": {"classes": ["A", "B"]}}}
    (tmp_path / "columns.json").write_text(json.dumps(told))
    model = read_columns(str(tmp_path / "columns.json")).model(preset("tiny"))
    with pytest.raises(ConfigError, match="expected a new part name, got 'size'"):
        Model(model)


def test_classes_that_are_whole_numbers_are_the_texts_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "columns.json").write_text(json.dumps({"tasks": {"grade": {"classes": [0, 1]}}}))
    columns = read_columns(str(tmp_path / "columns.json"))
    table = Table("parts.csv", {"grade": ["0", "1", "2"]}, [2, 3, 4])
    assert [columns.fault(table, row) for row in range(3)] == ["", "", "expected grade to be one of 0, 1, got '2'"]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"task": {}}, "expected a key of a file of columns to be one of .*, got 'task'; did you mean 'tasks'"),
        ({"tasks": {"grade": {"classes": ["A"]}}}, "at least two classes"),
        ({"tasks": {"grade": {"classes": ["A", "B"], "view": "shop"}}}, "expected view of a task to be one of"),
        ({"parts": {"x": {"kind": "sound", "columns": ["a"]}}}, "expected kind of part to be one of image, numbers, text"),
        ({"parts": {"x": {"kind": "image", "columns": ["a", "b"]}}}, "and one of an image"),
        ({"parts": {"x": {"kind": "text"}}}, "expected columns of part 'x' to be a list, got null"),
        ({"parts": {"x": {"columns": "temp"}}}, "expected columns of part 'x' to be a list, got \"temp\""),
        ({"parts": {"x": {"columns": [1]}}}, "expected each column of part 'x' to be a text, got 1"),
        ({"parts": {"x": {"columns": ["a"], "kind": ["text"]}}}, "expected the kind of part 'x' to be a text, got"),
        ({"parts": {"a b": {"columns": ["a"]}}}, "expected a part's name of letters and digits, got 'a b'"),
        ({"parts": {"x": 5}}, "expected part 'x' to be an object, got 5"),
        ({"parts": []}, r"expected parts to be an object, got \[\]"),
        ({"tasks": {"grade": {"classes": "abc"}}}, "expected classes of task 'grade' to be a list, got \"abc\""),
        (
            {"tasks": {"grade": {"classes": [0.5, 1]}}},
            "expected each class of task 'grade' as a text or a whole number, got 0.5",
        ),
        (
            {"tasks": {"grade": {"classes": ["A", "B"], "column": 1}}},
            "expected the column of task 'grade' to be a text, got 1",
        ),
        ({"tasks": {"grade": {"classes": ["A", "B"], "view": ["pair"]}}}, "expected view of a task to be one of"),
        ({"columns": {"size": ["a", "b"]}}, "expected the column for 'size' to be a text, got"),
        ({"columns": ["a"]}, "expected columns to be an object, got"),
        ({"orders": "false"}, 'expected orders to be true or false, got "false"'),
        ([], r"expected a file of columns to be an object, got \[\]"),
    ],
)
def test_a_wrong_columns_file_says_what_was_expected(told: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "columns.json").write_text(json.dumps(told))
    with pytest.raises(ConfigError, match=message):
        read_columns(str(tmp_path / "columns.json"))
