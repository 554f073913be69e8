"""ETag and If-None-Match (RFC 9110 8.8.3, 13.1.2)."""

import hashlib
from collections.abc import Iterable

from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_etags


def validator(parts: Iterable[bytes], *, weak: bool = False) -> dict[str, str]:
    """Return the headers by which a client may keep an answer, and has to ask again each time.

    Args:
        parts: what the answer is made of.
        weak: the same answer may go out in several encodings.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return {
        "ETag": f'{"W/" if weak else ""}"{digest.hexdigest()[:24]}"',
        "Cache-Control": "private, max-age=0, must-revalidate",
    }


def unchanged(request: HttpRequest, headers: dict[str, str]) -> HttpResponse | None:
    """Return 304 where the client has this answer already; None where it has not."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    tag = headers["ETag"].removeprefix("W/")
    if known == ["*"] or any(one.removeprefix("W/") == tag for one in known):
        return HttpResponse(status=304, headers=headers)
    return None
