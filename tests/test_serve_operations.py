"""The operations port over real HTTP: what it answers, what it does not, and that it adds up what processes left in files."""

from __future__ import annotations

import http.client
import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import serve.__main__ as command
from serve.metrics import exposition_below
from serve.operations import operations

ROOT = Path(__file__).parent.parent
COUNTING = """
import sys
from serve.metrics import Metrics
metrics = Metrics(sys.argv[1])
metrics.requests.labels("/v1/predict", "200").inc(3)
metrics.model_info.labels("abc").set(1)
"""


def ask(address: str, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers["content-type"], answer.read()
    finally:
        connection.close()


@contextmanager
def service(status: int, content: bytes) -> Iterator[str]:
    """A public port that says one thing."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/readyz"
            self.send_response(status)
            self.send_header("Content-Type", "application/problem+json" if status == 503 else "application/json")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def no_metrics() -> tuple[bytes, str]:
    raise OSError("no such folder")


@pytest.mark.parametrize(("status", "said"), [(200, b'{"model": "abc"}'), (503, b'{"detail": "fusion: lost"}')])
def test_readiness_is_what_the_public_port_says(status: int, said: bytes) -> None:
    with service(status, said) as public, operations("127.0.0.1", 0, no_metrics, public) as address:
        told, kind, content = ask(address, "/readyz")
        assert (told, content) == (status, said)
        assert kind == ("application/json" if status == 200 else "application/problem+json")


def test_without_a_service_it_lives_and_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with operations("127.0.0.1", 0, no_metrics, nobody) as address:
        assert ask(address, "/livez")[0] == 200
        assert ask(address, "/readyz")[0] == 503
        assert ask(address, "/metrics")[0] == 503


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/v1/garments", 404), ("GET", "/", 404), ("GET", "/metrics/../etc/passwd", 404), ("POST", "/metrics", 501),
    ("PUT", "/livez", 501), ("OPTIONS", "/metrics", 501),
])  # fmt: skip
def test_it_answers_nothing_else(method: str, path: str, status: int) -> None:
    with operations("127.0.0.1", 0, no_metrics, "http://127.0.0.1:9") as address:
        assert ask(address, path, method)[0] == status


def test_it_lets_go_of_its_port() -> None:
    with operations("127.0.0.1", 0, no_metrics, "http://127.0.0.1:9") as address:
        port = int(address.rsplit(":", 1)[1])
    with operations("127.0.0.1", port, no_metrics, "http://127.0.0.1:9") as again:
        assert again == address


def test_it_adds_up_the_files_of_several_processes_and_nodes_and_takes_none_away(tmp_path: Path) -> None:
    for node in ("one", "one", "two"):
        subprocess.run([sys.executable, "-c", COUNTING, str(tmp_path / node)], check=True, cwd=ROOT)
    files = sorted(tmp_path.rglob("*.db"))
    text = exposition_below(str(tmp_path))[0].decode()
    assert 'tryon_requests_total{route="/v1/predict",status="200"} 9.0' in text
    assert 'tryon_model_info{model="abc"} 1.0' in text
    assert sorted(tmp_path.rglob("*.db")) == files
    assert (
        'tryon_requests_total{route="/v1/predict",status="200"} 6.0' in exposition_below(str(tmp_path / "one"))[0].decode()
    )


def test_a_node_without_metrics_yet_tells_none(tmp_path: Path) -> None:
    assert exposition_below(str(tmp_path / "nothing"))[0] == b""


def test_the_command_answers_until_it_is_interrupted(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", COUNTING, str(tmp_path / "node")], check=True, cwd=ROOT)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with service(200, json.dumps({"model": "abc"}).encode()) as public:
        words = ["operations", "--port", port, "--service", public, "--metrics-dir", str(tmp_path)]
        process = subprocess.Popen([sys.executable, "-m", "serve", *words], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            assert address == f"http://127.0.0.1:{port}"
            assert ask(address, "/readyz")[0] == 200
            assert b"tryon_requests_total" in ask(address, "/metrics")[2]
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.communicate()


def test_a_port_that_is_taken_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert command.main(["operations", "--port", port]) == 2
    assert capsys.readouterr().err.startswith(f"serve: expected a free port, got {port} on 127.0.0.1: ")
