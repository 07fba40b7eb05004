"""The article's command, run as a user runs it, on the shipped checkpoint and sample."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.drawn import encoded, photo
from tests.serving import untrained_checkpoint
from tryon_core.__main__ import main
from tryon_core.catalogue import SAMPLE, SHIPPED_CHECKPOINT, sample_catalogue
from tryon_core.manifest import read_manifest
from tryon_core.predictor import Predictor
from tryon_core.presets import preset

PHOTO, TEXT = str(SAMPLE / "shopper.jpg"), str(SAMPLE / "shopper.txt")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tryon_core", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_the_articles_command_prints_its_one_line() -> None:
    done = run("predict", "--image_path", PHOTO, "--text_path", TEXT)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"Prediction: 0\.\d{3}\n", done.stdout)
    assert f"prints `{done.stdout.strip()}`" in (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_json_tells_more() -> None:
    done = run("predict", "--image_path", PHOTO, "--text_path", TEXT, "--json")
    told = json.loads(done.stdout)
    assert told["photo"] == "used"
    assert told["model"] == read_manifest(SHIPPED_CHECKPOINT).fingerprint
    garment = next(item.garment for item in sample_catalogue() if item.garment.id == told["garment_id"])
    assert told["size"] in [size.label for size in garment.sizes]
    assert sum(told["fit"].values()) == pytest.approx(1, abs=1e-4)
    assert 140 < told["measurements"]["height_cm"] < 200
    assert 1 < told["measurements_half_width"]["waist_cm"] < 15


def test_an_explanation_sums_to_the_prediction_and_names_words() -> None:
    told = json.loads(run("predict", "--image_path", PHOTO, "--text_path", TEXT, "--explain").stdout)
    match = told["explanation"]["match"]
    total = match["base"] + sum(match["parts"].values())
    assert 1 / (1 + math.exp(-total)) == pytest.approx(told["prediction"], abs=1e-3)
    said = told["read"]["shopper_words"]
    assert said == Path(TEXT).read_text(encoding="utf-8").strip()
    assert "165 cm" in {said[word["start"] : word["end"]] for word in match["words"]["shopper_words"]}


def test_wrong_files_end_with_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text_named_jpg, cut, tiny, large, binary = (tmp_path / n for n in ("a.jpg", "b.jpg", "c.png", "d.txt", "e.txt"))
    text_named_jpg.write_text("no picture")
    cut.write_bytes(photo()[:2000])
    tiny.write_bytes(encoded(Image.new("RGB", (1, 1)), "PNG"))
    large.write_text("x" * 2**20)
    binary.write_bytes(b"\xff\xfe\x00")
    for image, text, expected in (
        (text_named_jpg, TEXT, "JPEG, PNG or WebP"),
        (cut, TEXT, "cut off or damaged"),
        (tiny, TEXT, "at least 32 x 32"),
        (tmp_path / "none.jpg", TEXT, "No such file"),
        (PHOTO, large, "at most 10000 characters"),
        (PHOTO, binary, "UTF-8"),
    ):
        assert main(["predict", "--image_path", str(image), "--text_path", str(text)]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1
        assert expected in told.err


def test_a_checkpoint_whose_config_does_not_fit_its_weights_is_refused(tmp_path: Path) -> None:
    url = Path(untrained_checkpoint(tmp_path / "model", preset("tiny")))
    config = json.loads((url / "config.json").read_text())
    config["model"]["towers"]["text"]["width"] = 32
    (url / "config.json").write_text(json.dumps(config))
    done = run("predict", "--image_path", PHOTO, "--text_path", TEXT, "--checkpoint", str(url))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "expected weights that fit config.json" in done.stderr


def test_an_empty_text_and_an_unusable_photo_still_get_an_answer(tmp_path: Path) -> None:
    url = untrained_checkpoint(tmp_path / "model", preset("tiny"))
    wall, empty = tmp_path / "wall.jpg", tmp_path / "empty.txt"
    wall.write_bytes(encoded(Image.new("RGB", (300, 400), (200, 200, 205))))
    empty.write_text("")
    done = run("predict", "--image_path", str(wall), "--text_path", str(empty), "--checkpoint", url)
    assert done.returncode == 0
    assert "the photo was not used: no person" in done.stderr
    nothing = Predictor(url, sample_catalogue()).predict(None, None)
    assert nothing.photo == "none given"
    assert done.stdout == f"Prediction: {nothing.prediction:.3f}\n"


def test_bad_use_is_told_in_one_line() -> None:
    done = run("predict")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_the_article_preset_answers_from_its_rgb_photo(tmp_path: Path) -> None:
    article = preset("article")
    small = replace(article.towers["photo"], height=32, width=32, stages=(8, 8))  # type: ignore[type-var]
    url = untrained_checkpoint(tmp_path / "model", replace(article, towers={**article.towers, "photo": small}))
    found = Predictor(url, sample_catalogue()).predict(photo(), "165 cm")
    assert found.photo == "used"
    assert found.fit == {}


def test_a_prediction_is_calibrated(tmp_path: Path) -> None:
    """Where logits are divided by twice as much, log-odds are half as large; the same of one size, so that nothing is chosen."""
    (item, *_) = sample_catalogue()
    alone = [replace(item, garment=replace(item.garment, sizes=item.garment.sizes[:1]))]
    found = []
    for factor in (1.0, 2.0):
        calibration = {"temperature": {"fit": factor, "match": factor}}
        url = untrained_checkpoint(tmp_path / str(factor), preset("tiny"), calibration=calibration)
        found.append(Predictor(url, alone).predict(photo(), "165 cm, 55 kg"))
    plain, cool = found
    odds, half = (np.log(own.prediction / (1 - own.prediction)) for own in (plain, cool))
    assert abs(odds) > 0.01
    assert half == pytest.approx(odds / 2, rel=1e-3)
    logs = [np.log([own.fit["small"], own.fit["fit"], own.fit["large"]]) for own in (plain, cool)]
    np.testing.assert_allclose(np.diff(logs[1]), np.diff(logs[0]) / 2, atol=1e-4)
