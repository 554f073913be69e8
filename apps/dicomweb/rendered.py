"""Rendered and thumbnail resources.

Source: PS3.18 8.3.5, 10.4.1.1.4 and .5.
"""

import hashlib
from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from pydicom import Dataset

from apps.dicomweb.accept import accepted, chosen
from apps.dicomweb.door import door
from apps.dicomweb.errors import MalformedError
from apps.dicomweb.wado import chosen_instances
from apps.studies.imaging import Rendering, UndecodableError, Window, decode_frame, render_frame
from apps.studies.retrieve import Item, read_dataset

PICTURES = ("image/jpeg", "image/png")
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
THUMBNAIL = (128, 128)
MAX_EDGE = 8192


@door("GET")
def rendered(request: HttpRequest, frames: str = "1", **uids: str) -> HttpResponseBase:
    """A picture of an instance, of one of its frames, or of a series' middle instance."""
    selection = chosen_instances(request, **uids)
    item = _representative(selection.items)
    if item.sop_class_uid == ENCAPSULATED_PDF:
        chosen(accepted(request), ("application/pdf",))
        document = _document(read_dataset(item))
        return HttpResponse(document, content_type="application/pdf")
    rendering = _rendering(request)
    return _picture(request, item, _frame(frames), rendering)


@door("GET")
def thumbnail(request: HttpRequest, frames: str = "1", **uids: str) -> HttpResponseBase:
    """A small picture, 128 pixels at most unless `viewport` asks for another size."""
    selection = chosen_instances(request, **uids)
    rendering = _rendering(request)
    small = Rendering(
        rendering.window, rendering.viewport or THUMBNAIL, rendering.media_type, quality=80
    )
    drawable = [item for item in selection.items if item.rows]
    item = _representative(drawable or selection.items)
    frame = _frame(frames) if frames != "1" or item.frames == 1 else item.frames // 2 + 1
    return _picture(request, item, frame, small)


def _picture(
    request: HttpRequest, item: Item, frame: int, rendering: Rendering
) -> HttpResponseBase:
    parts = (item.digest, frame, rendering)
    tag = f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "private, max-age=0, must-revalidate",
        "Vary": "Accept",
    }
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304, headers=headers)
    body = render_frame(decode_frame(item, frame), rendering)
    return HttpResponse(body, content_type=rendering.media_type, headers=headers)


def _document(ds: Dataset) -> bytes:
    """Return the document without the byte that fills it to an even length.

    Source: PS3.3 C.24.2 (0042,0015); PS3.5 6.2, OB: where no length is given, a trailing NULL.
    """
    document: bytes = ds.EncapsulatedDocument
    length = ds.get("EncapsulatedDocumentLength")
    return document[: int(length)] if length else document.removesuffix(b"\0")


def _representative(items: Sequence[Item]) -> Item:
    """Return the middle one: the first slice of a series rarely shows what it is of."""
    if not items:
        raise UndecodableError
    return items[len(items) // 2]


def _rendering(request: HttpRequest) -> Rendering:
    media_type = chosen(accepted(request), PICTURES)
    quality = request.GET.get("quality", "90")
    if not quality.isdecimal() or not 1 <= int(quality) <= 100:
        message = f"quality is a whole number from 1 to 100, not {quality!r}."
        raise MalformedError(message)
    return Rendering(_window(request), _viewport(request), media_type, int(quality))


def _window(request: HttpRequest) -> Window | None:
    text = request.GET.get("window")
    if not text:
        return None
    center, width, *rest = [*text.split(","), "linear"][:3] if text.count(",") else ["", ""]
    try:
        return Window(float(center), float(width), FUNCTIONS[rest[0] if rest else "linear"])
    except (ValueError, KeyError):
        message = "window is center,width,function; function is linear, linear-exact or sigmoid."
        raise MalformedError(message) from None


def _viewport(request: HttpRequest) -> tuple[int, int] | None:
    text = request.GET.get("viewport")
    if not text:
        return None
    try:
        width, height = (int(edge) for edge in text.split(",")[:2])
    except ValueError:
        width = height = 0
    if not (0 < width <= MAX_EDGE and 0 < height <= MAX_EDGE):
        message = f"viewport is width,height in pixels, each 1 to {MAX_EDGE}."
        raise MalformedError(message)
    return width, height


def _frame(text: str) -> int:
    if not text.isdecimal():
        message = f"A frame is a whole number from 1, not {text!r}."
        raise MalformedError(message)
    return int(text)
