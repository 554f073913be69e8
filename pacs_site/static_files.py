"""Static files, served from the event loop with the headers that pages get too.

Django's finders say what there is. Vite's files carry a hash of their content in their name and are
kept by browsers for ever; the others are asked for again and answered 304 while they are unchanged.
The content security policy goes out with every file, because a worker obeys that of its script.
"""

import asyncio
import email.utils
import gzip
import mimetypes
import re
import stat
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.exceptions import SuspiciousFileOperation

from pacs_site.bridge import Headers, Scope, Send

HASHED = re.compile(r"/static/dist/assets/.+-[\w-]{8}\.\w+$")
COMPRESSED = {".js", ".mjs", ".css", ".svg", ".json", ".wasm", ".html"}
CHUNK = 256 * 1024
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("text/javascript", ".mjs")
mimetypes.add_type("application/wasm", ".wasm")
mimetypes.add_type("font/woff2", ".woff2")


class StaticFiles:
    """The files below STATIC_URL."""

    def __init__(self, prefix: str, policy: str) -> None:
        """Serve below `prefix`, with `policy` as content security policy."""
        self.prefix = prefix
        self._fixed: Headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"vary", b"accept-encoding"),
        ]
        self._packed: dict[tuple[Path, float], bytes] = {}

    @classmethod
    def from_settings(cls) -> "StaticFiles":
        """Make it as the settings say."""
        directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
        policy = "; ".join(f"{name} {' '.join(values)}" for name, values in directives.items())
        return cls(settings.STATIC_URL, policy)

    async def __call__(self, scope: Scope, send: Send) -> None:
        """Answer GET and HEAD."""
        if scope["method"] not in ("GET", "HEAD"):
            await plain(send, 405, b"method not allowed\n")
            return
        found = await asyncio.to_thread(self._find, scope["path"])
        if found is None:
            await plain(send, 404, b"no such file\n")
            return
        path, modified = found
        headers = self._headers(scope["path"], path, modified)
        given = dict(scope["headers"])
        if given.get(b"if-none-match") == _etag(path, modified):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        packed = b"gzip" in given.get(b"accept-encoding", b"") and path.suffix in COMPRESSED
        body = await asyncio.to_thread(self._read, path, modified, packed=packed)
        if packed:
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _find(self, url: str) -> tuple[Path, float] | None:
        name = url.removeprefix(self.prefix)
        if name.startswith("src/") or ".." in name.split("/"):
            return None  # what the bundle was made from is not part of the product
        try:
            found = finders.find(name)
        except SuspiciousFileOperation:  # a path that leads out of the folders
            return None
        if not isinstance(found, str):
            return None
        path = Path(found)
        status = path.stat()
        return (path, status.st_mtime) if stat.S_ISREG(status.st_mode) else None

    def _headers(self, url: str, path: Path, modified: float) -> Headers:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        if kind.startswith("text/"):
            kind += "; charset=utf-8"
        cache = "public, max-age=31536000, immutable" if HASHED.match(url) else "no-cache"
        return [
            *self._fixed,
            (b"content-type", kind.encode()),
            (b"cache-control", cache.encode()),
            (b"etag", _etag(path, modified)),
            (b"last-modified", email.utils.formatdate(modified, usegmt=True).encode()),
        ]

    def _read(self, path: Path, modified: float, *, packed: bool) -> bytes:
        if not packed:
            return path.read_bytes()
        key = (path, modified)
        if key not in self._packed:
            self._packed[key] = gzip.compress(path.read_bytes(), 6, mtime=0)
        return self._packed[key]


def _etag(path: Path, modified: float) -> bytes:
    return f'W/"{int(modified * 1000):x}-{path.stat().st_size:x}"'.encode()


async def plain(send: Send, status: int, body: bytes) -> None:
    """Answer a line of text."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
