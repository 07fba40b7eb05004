"""Rules of the house that no linter checks."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(p for package in ("tryon_core", "train", "serve") for p in (ROOT / package).rglob("*.py"))


def _absolute_imports(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_bare_words_serve_and_train_mean_rays_packages(module: Path) -> None:
    assert not _absolute_imports(module) & {"serve", "train"}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_over_300_lines(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= 300


def test_the_environment_is_read_in_one_module_per_package() -> None:
    readers = [m for m in MODULES if "os.environ" in m.read_text() or "os.getenv" in m.read_text()]
    for package in ("tryon_core", "train", "serve"):
        own = [m.name for m in readers if m.is_relative_to(ROOT / package)]
        assert len(own) <= 1, own


def test_no_source_holds_an_open_end() -> None:
    for module in MODULES:
        text = module.read_text(encoding="utf-8")
        assert not any(word in text for word in ("TODO", "FIXME", "XXX ", "NotImplementedError")), module
