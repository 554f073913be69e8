"""What the DICOMweb door is made of, as facts of the conformance statement."""

from collections.abc import Callable, Iterator
from typing import Any

from django.urls import URLPattern

from apps.core.errors import DomainError
from apps.dicomweb import door, urls
from apps.dicomweb.errors import FAILURE_REASON, STATUS
from apps.dicomweb.rendered import MAX_EDGE, THUMBNAIL
from apps.dicomweb.store_answer import KEPT_IN_QUARANTINE, OTHER_VERSION_KEPT
from apps.dicomweb.wado import SYNTAX_TYPE

Facts = dict[str, Any]
ROOT = "/dicom-web/"
TRANSACTIONS = (
    "Retrieve (WADO-RS): instances, metadata, bulk data, frames, rendered, thumbnail",
    "Search (QIDO-RS)",
    "Store (STOW-RS)",
    "URI service (WADO-URI)",
)


def _views(pattern: URLPattern) -> Iterator[Callable]:
    """Yield what answers an address, once for each method that has a view of its own."""
    view = pattern.callback
    yield from getattr(view, "views", {"": view}).values()


def resources() -> list[Facts]:
    """Return every address with what it takes and gives, from the table of addresses."""
    found = []
    for pattern in urls.urlpatterns:
        for view in _views(pattern):
            said: door.Facts = view.facts  # type: ignore[attr-defined]
            found.append(
                {
                    "address": ROOT
                    + str(pattern.pattern)
                    .replace("<str:", "{")
                    .replace("<path:", "{")
                    .replace(">", "}"),
                    "name": pattern.name,
                    "methods": list(said.methods),
                    "what": said.what,
                    "gives": list(said.media_types),
                    "takes": list(said.takes),
                    "parameters": list(said.parameters),
                }
            )
    return sorted(found, key=lambda one: (str(one["address"]), one["methods"]))


def _errors(error: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for one in error.__subclasses__():
        yield one
        yield from _errors(one)


def words_of_errors() -> dict[str, str]:
    """Return the words of every refusal by its code; the door has loaded all that it can meet."""
    return {error.code: error.message for error in _errors()}


def facts() -> Facts:
    """Return what the conformance statement says of DICOMweb."""
    words = words_of_errors()
    return {
        "transactions": list(TRANSACTIONS),
        "root": ROOT,
        "resources": resources(),
        "frame_types": SYNTAX_TYPE,
        "thumbnail": list(THUMBNAIL),
        "max_edge": MAX_EDGE,
        "errors": [
            {"status": status, "code": code, "words": words[code]}
            for code, status in sorted(STATUS.items(), key=lambda one: (one[1], one[0]))
        ],
        "failure_reasons": [
            {"reason": f"{reason:04X}H", "words": words[code]}
            for code, reason in sorted(FAILURE_REASON.items(), key=lambda one: (one[1], one[0]))
        ],
        "warning_reasons": [
            {"reason": f"{OTHER_VERSION_KEPT:04X}H", "words": "Kept as another version"},
            {"reason": f"{KEPT_IN_QUARANTINE:04X}H", "words": "Kept in quarantine"},
        ],
    }
