"""A WSGI application behind the bridge, for tests of the bridge with a real server."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

from pacs_site.bridge import Bridge

PIECE = bytes(range(256)) * 256


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """`/digest` answers the digest of its body; `/pieces?n=` streams n pieces of 64 KiB."""
    if environ["PATH_INFO"] == "/digest":
        total = hashlib.sha256()
        while chunk := environ["wsgi.input"].read(100_000):
            total.update(chunk)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [total.hexdigest().encode()]
    count = int(parse_qs(environ["QUERY_STRING"])["n"][0])

    def pieces() -> Iterator[bytes]:
        for _ in range(count):
            yield PIECE

    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return pieces()


application = Bridge(wsgi, threads=4)
