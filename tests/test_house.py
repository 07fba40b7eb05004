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


UNPICKLING = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"}
REACHABLE = [module for module in MODULES if module.parts[len(ROOT.parts)] in ("tryon_core", "serve")]


def _unpickles(source: str) -> list[str]:
    """What in a source could run code that came as data."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in UNPICKLING]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNPICKLING:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name, told = ast.unparse(node.func), {key.arg: ast.unparse(key.value) for key in node.keywords}
            unsafe = name.endswith(("read_pickle", "yaml.load", "yaml.unsafe_load")) or name in ("eval", "exec")
            unsafe |= name in ("torch.load", "torch.jit.load") and told.get("weights_only") != "True"
            unsafe |= told.get("allow_pickle", "False") != "False"
            found += [name] if unsafe else []
    return found


@pytest.mark.parametrize("module", REACHABLE, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unpickled_where_a_stranger_can_reach(module: Path) -> None:
    assert not _unpickles(module.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "from joblib.numpy_pickle import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "eval(text)",
    ],
)
def test_unpickling_is_noticed_in_each_of_its_forms(source: str) -> None:
    assert _unpickles(source)
    assert not _unpickles("import json\ntorch.load(path, weights_only=True)\nnp.load(path)\nmodel.eval()")
