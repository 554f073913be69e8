"""Content negotiation.

Source: PS3.18 8.7; RFC 9110 12.5.1. Ranges are parsed, never compared as texts (trap 18).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from django.http import HttpRequest

from apps.dicomweb.errors import NotAcceptableError

_PART = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER = re.compile(r';\s*([^=;\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)')


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One media range of Accept.

    Attributes:
        name: `multipart/related`, `image/*`, lower case.
        parameters: by lower-case name, quotes taken off.
        q: preference, 0 to 1.
    """

    name: str
    parameters: dict[str, str]
    q: float

    @property
    def multipart(self) -> bool:
        """Whether several parts are wanted."""
        return self.name == "multipart/related"

    @property
    def inner(self) -> str:
        """The media type of a part, or of the whole."""
        return self.parameters.get("type", "*/*").lower() if self.multipart else self.name

    @property
    def transfer_syntax(self) -> str:
        """`transfer-syntax`, `*`, or empty where none is said."""
        return self.parameters.get("transfer-syntax", "")

    def takes(self, media_type: str) -> bool:
        """Tell whether the range takes parts of this type."""
        wanted, given = self.inner.split("/"), media_type.split("/")
        return all(w in ("*", g) for w, g in zip(wanted, given, strict=False))


def accepted(request: HttpRequest) -> Sequence[MediaRange]:
    """Return what the client accepts, most wanted first.

    The `accept` parameter wins over the header. Where neither says anything, anything goes.
    """
    return _parsed(request.GET.get("accept") or request.META.get("HTTP_ACCEPT") or "*/*")


@lru_cache(maxsize=256)
def _parsed(text: str) -> Sequence[MediaRange]:
    ranges = [parsed for part in _PART.findall(text) if (parsed := media_range(part.strip()))]
    return tuple(sorted((r for r in ranges if r.q > 0), key=lambda r: -r.q))


def chosen(ranges: Sequence[MediaRange], offers: Sequence[str]) -> str:
    """Return the offer that the client wants most; the earlier one where it does not care.

    Raises:
        NotAcceptableError: it wants none.
    """
    for wanted in ranges:
        for offer in offers:
            if wanted.takes(offer):
                return offer
    raise NotAcceptableError(accept=[r.name for r in ranges], offers=list(offers))


def media_range(text: str) -> MediaRange | None:
    """Parse one media type with its parameters; None where it is none."""
    name = text.partition(";")[0].strip().lower()
    if "/" not in name:
        return None
    parameters = {
        key.lower(): value.strip().strip('"').replace("\\", "")
        for key, value in _PARAMETER.findall(text)
    }
    try:
        q = float(parameters.pop("q", "1"))
    except ValueError:
        q = 0.0
    return MediaRange(name, parameters, q)
