"""`GET /`, the page to try the service in a browser, `GET /docs`, its routes, and their files; nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Response

from tryon_core.catalogue import SAMPLE

router = APIRouter()
_WEB = Path(__file__).parent.parent / "web"
_POLICY = (
    "default-src 'self'; img-src 'self' blob:; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_FILES = {
    "/": (_WEB / "index.html", "text/html; charset=utf-8"),
    "/docs": (_WEB / "docs.html", "text/html; charset=utf-8"),
    "/web/docs.js": (_WEB / "docs.js", "text/javascript; charset=utf-8"),
    "/web/page.js": (_WEB / "page.js", "text/javascript; charset=utf-8"),
    "/web/page.css": (_WEB / "page.css", "text/css; charset=utf-8"),
    "/web/sample.jpg": (SAMPLE / "shopper.jpg", "image/jpeg"),
    "/web/sample.txt": (SAMPLE / "shopper.txt", "text/plain; charset=utf-8"),
}


def _add(path: str, file: Path, media_type: str) -> None:
    content = file.read_bytes()
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}

    @router.get(path, include_in_schema=False)
    async def page() -> Response:
        return Response(content, media_type=media_type, headers=headers)


for _path, (_file, _media_type) in _FILES.items():
    _add(_path, _file, _media_type)
