"""The README's claims that can be checked without a service: its files exist, its commands are commands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 250


def in_tree() -> list[tuple[str, str]]:
    """Each module that the tree names, after the folder that it stands under."""
    found, package = [], ""
    for line in README.split("## What is where")[1].split("```")[1].splitlines():
        top = re.match(r"(\w+)/", line)
        package = top[1] if top else package
        found += [(package, name) for name in re.findall(r"(?<![\w/])(\w+\.py)\b", line)]
    return found


def test_every_file_that_it_names_exists() -> None:
    for package, name in in_tree():
        assert (ROOT / package / name).exists(), f"{package}/{name}"
    for name in re.findall(r"`(test_\w+\.py)`", README):
        assert (ROOT / "tests" / name).exists(), name
    for path in re.findall(r"\]\(([\w/.]+)\)", README):
        assert (ROOT / path).exists(), path


def test_every_module_stands_in_its_tree_once() -> None:
    modules = [(package, m.name) for package in ("tryon_core", "train", "serve") for m in (ROOT / package).glob("*.py")]
    assert sorted(in_tree()) == sorted(module for module in modules if module[1] != "__init__.py")


def test_every_module_that_it_runs_is_there() -> None:
    for name in re.findall(r"python -m (\w+(?:\.\w+)?)", README):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name


def test_every_make_target_that_it_names_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (\w+)", README.replace("make it", ""))) <= targets


def test_a_named_index_gives_torch_alone_before_everything_else() -> None:
    done = subprocess.run(
        ["make", "-n", "-B", "run", "TORCH_INDEX=https://example.org/cpu", "VENV=/tmp/none"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    installs = [line for line in done.stdout.splitlines() if "pip install" in line]
    assert installs[0].endswith("--no-deps --index-url https://example.org/cpu torch torchvision")
    assert "example.org" not in installs[1]


def test_the_benchmark_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.latency", "--repeats", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "fuse and score" in done.stdout
