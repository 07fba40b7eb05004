"""How long an import of a whole catalogue takes, and what memory it needs: `python -m benchmarks.garment_import`.

A server of its own process holds the real application over an SQLite store in a temporary folder; the catalogue is streamed
to it over HTTP as it is generated, with one wrong line in the middle. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psutil

LABELS = ("XS", "S", "M", "L", "XL")
NOUNS = ("dress", "jeans", "shirt", "jacket", "skirt")
CATEGORIES = ("Sommerkleid", "Jeans", "Hemd", "Jacken", "Röcke")
_PIECE_LINES = 200


def garment(number: int) -> dict[str, Any]:
    """Return a garment of five sizes with a chart of three measurements."""
    base = 60 + number % 7
    sizes = [
        {
            "label": label,
            "in_stock": (number + at) % 4 != 0,
            "chart": {"chest_cm": [base + 20 + 6 * at, base + 26 + 6 * at], "waist_cm": [base + 6 * at, base + 6 + 6 * at]},
        }
        for at, label in enumerate(LABELS)
    ]
    return {
        "id": f"sku-{number:06}",
        "title": f"Loose {NOUNS[number % 5]} no. {number}",
        "brand": f"brand {number % 97}",
        "style_id": f"style-{number // 3}",
        "department": "women",
        "category": CATEGORIES[number % 5],
        "description": "Soft cotton, cut wide, washable at 30 degrees, made to be worn on warm days",
        "price": 10 + number % 90,
        "sizes": sizes,
    }


def pieces(num: int, wrong: int) -> Iterator[bytes]:
    """Yield the catalogue's lines; the one of the given number, from 1 on, has a chart in inches."""
    for start in range(0, num, _PIECE_LINES):
        lines = []
        for number in range(start, min(start + _PIECE_LINES, num)):
            told = garment(number)
            if number + 1 == wrong:
                told["sizes"][2]["chart"]["waist_cm"] = [27, 29]
            lines.append(json.dumps(told, ensure_ascii=False))
        yield ("\n".join(lines) + "\n").encode()


async def _pieces(num: int, wrong: int) -> Any:
    for piece in pieces(num, wrong):
        yield piece


class Memory:
    """Looks at a process's resident memory ten times a second."""

    def __init__(self, pid: int) -> None:
        self._process, self._stopped = psutil.Process(pid), threading.Event()
        self.before = self.peak = self._process.memory_info().rss
        self.samples: list[int] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(0.1):
            self.samples.append(self._process.memory_info().rss)
            self.peak = max(self.peak, self.samples[-1])


def _mib(num_bytes: float) -> float:
    return round(num_bytes / 2**20, 1)


def measured(num: int) -> dict[str, Any]:
    """Return what an import of so many garments took."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        code = f"from benchmarks.garment_import import serve; serve({folder!r}, {port})"
        process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"})
        try:
            return asyncio.run(_imported(num, f"http://127.0.0.1:{port}", process))
        finally:
            process.terminate()
            process.wait()


async def _imported(num: int, address: str, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=address, timeout=3600) as http:
        await _ready(http, process)
        await http.post("/v1/garments/import", content=b"".join(pieces(500, 0)))  # so that what is made once is there
        memory, begun = Memory(process.pid), time.perf_counter()
        used = psutil.Process(process.pid).cpu_times()
        answer = (await http.post("/v1/garments/import", content=_pieces(num, num // 2))).json()
        seconds = time.perf_counter() - begun
        now = psutil.Process(process.pid).cpu_times()
        memory.stop()
        half = len(memory.samples) // 2
        last = (await http.get(f"/v1/garments/sku-{num - 1:06}")).status_code
    return {
        "garments": num,
        "seconds": round(seconds, 1),
        "server_cpu_seconds": round(now.user + now.system - used.user - used.system, 1),
        "rows_per_second": round(num / seconds),
        "rss_before_mib": _mib(memory.before),
        "rss_growth_peak_mib": _mib(memory.peak - memory.before),
        "rss_growth_of_second_half_mib": _mib(max(memory.samples[half:]) - max(memory.samples[:half])),
        "accepted": answer["accepted"],
        "rejected": answer["rejected"],
        "last_garment_status": last,
        "load_average": round(os.getloadavg()[0], 1),
    }


async def _ready(http: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if (await http.get("/livez")).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.2)
    raise SystemExit("expected the server to start; see above why it did not")


def serve(folder: str, port: int) -> None:
    """Serve the real application over its store until stopped; stages are there and have nothing to do in an import."""
    import uvicorn

    from serve.app import build_app
    from serve.ingress import Ingress
    from serve.store import open_store

    async def main() -> None:
        settings = {"store": f"sqlite:///{folder}/store.db", "blobs": f"{folder}/blobs"}
        ingress = Ingress(settings, b"benchmark", None, None, None)
        ingress._store = await open_store(ingress.settings.store)
        config = uvicorn.Config(build_app(ingress), host="127.0.0.1", port=port, lifespan="off", log_level="warning")
        await uvicorn.Server(config).serve()

    asyncio.run(main())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--garments", type=int, default=100_000)
    print(json.dumps(measured(parser.parse_args().garments), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
