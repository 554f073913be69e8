"""Rendered and thumbnail resources.

Source: PS3.18 8.3.5, 10.4.1.1.4 and .5.
"""

from collections.abc import Sequence
from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from pydicom import Dataset

from apps.core.recent import RecentBytes
from apps.dicomweb.accept import accepted, chosen
from apps.dicomweb.door import DOOR, door
from apps.dicomweb.errors import MalformedError
from apps.dicomweb.validators import unchanged, validator
from apps.dicomweb.wado import chosen_instances, ranged
from apps.patients.domain import spoken_name
from apps.studies.codecs import VIDEO
from apps.studies.identity import Identity
from apps.studies.imaging import (
    DRAWN,
    Referenced,
    Rendering,
    UndecodableError,
    Window,
    decode_frame,
    referenced,
    render_frame,
    render_referenced,
    shown_by,
)
from apps.studies.retrieve import Item, PixelBytes, read_header

PICTURES = ("image/jpeg", "image/png", "image/gif")
PROFILES = ("no", "yes", "srgb")
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
THUMBNAIL = (128, 128)
PDF = "application/pdf"
VIDEOS = ("video/mp4", "video/mpeg")
PARAMETERS = ("accept", "annotation", "iccprofile", "quality", "viewport", "window")
MAX_EDGE = 8192
_pictures = RecentBytes(32 << 20)


@door("GET", gives=(*PICTURES, PDF, *VIDEOS), parameters=PARAMETERS)
def rendered(request: HttpRequest, frames: str = "1", **uids: str) -> HttpResponseBase:
    """A picture of an instance, of one of its frames, or of a series' middle instance.

    The frames of a presentation state are those that it refers to, in its order.
    """
    selection = chosen_instances(request, **uids)
    item = _representative(selection.items)
    return rendition(request, item, selection.identity, frames)


def rendition(
    request: HttpRequest,
    item: Item,
    identity: Identity | None,
    frames: str,
    state: Item | None = None,
) -> HttpResponseBase:
    """Show an instance: a PDF and a video as they are, else a picture of a frame.

    Args:
        request: what says how.
        item: the instance; a presentation state stands for what it refers to.
        identity: what goes out in place of its identity as received.
        frames: the number of a frame.
        state: a presentation state to show it by.
    """
    if item.sop_class_uid == ENCAPSULATED_PDF:
        chosen(accepted(request), (PDF,))
        document = _document(read_header(item))
        return HttpResponse(document, content_type=PDF)
    if item.transfer_syntax_uid in VIDEO:
        return _video(request, item)
    number = frame_number(frames)
    if state is not None:
        _require_no_window(request)
        shown: Referenced | None = shown_by(state, item=item, number=number, identity=identity)
    else:
        shown = _shown(request, item, number)
    if shown is not None:
        item, identity, number = shown.item, shown.identity, shown.number
    rendering = replace(_rendering(request), annotations=_annotations(request, item, identity))
    return _picture(request, item, number, rendering, shown)


def _shown(request: HttpRequest, item: Item, picture: int) -> Referenced | None:
    """Return what a presentation state shows; None of what is none that is drawn."""
    if item.sop_class_uid not in DRAWN:
        return None
    _require_no_window(request)
    actor = request.actor  # type: ignore[attr-defined]
    return referenced(actor=actor, door=DOOR, state=item, picture=picture)


def _require_no_window(request: HttpRequest) -> None:
    if request.GET.get("window"):
        message = "A presentation state says the window itself; ask without window."
        raise MalformedError(message)


def _video(request: HttpRequest, item: Item) -> HttpResponseBase:
    """Pass a video through as it is encapsulated (PS3.18 8.7.4)."""
    video = PixelBytes(item)
    first = b"".join(video.chunks(0, 8))
    media_type = chosen(accepted(request), (VIDEOS[first[4:8] != b"ftyp"],))
    return ranged(request, video, media_type)


def _annotations(request: HttpRequest, item: Item, identity: Identity | None) -> tuple[str, ...]:
    """Return the lines of `annotation`: the patient as known today, the technique.

    Source: PS3.18 8.3.5.1.1.
    """
    asked = {one for one in request.GET.get("annotation", "").split(",") if one}
    if asked - {"patient", "technique"}:
        message = "annotation is patient, technique or both, separated by a comma."
        raise MalformedError(message)
    if not asked:
        return ()
    ds = read_header(item, identity)
    lines: list[str] = []
    if "patient" in asked:
        name = spoken_name(str(ds.get("PatientName", "")).partition("=")[0])
        lines += [name, str(ds.get("PatientID", "")), str(ds.get("PatientBirthDate", ""))]
    if "technique" in asked:
        lines += [str(ds.get(k, "")) for k in ("Modality", "SeriesDescription", "StudyDate")]
        lines += [f"{k[:3]} {ds.get(k)}" for k in ("KVP", "SliceThickness") if ds.get(k)]
    return tuple(line for line in lines if line)


@door("GET", gives=PICTURES, parameters=[one for one in PARAMETERS if one != "annotation"])
def thumbnail(request: HttpRequest, frames: str = "1", **uids: str) -> HttpResponseBase:
    """A small picture, 128 pixels at most unless `viewport` asks for another size."""
    selection = chosen_instances(request, **uids)
    rendering = _rendering(request, quality="80")
    small = replace(rendering, viewport=rendering.viewport or THUMBNAIL)
    drawable = [item for item in selection.items if item.rows]
    item = _representative(drawable or selection.items)
    frame = frame_number(frames) if frames != "1" or item.frames == 1 else item.frames // 2 + 1
    shown = _shown(request, item, frame)
    if shown is not None:
        item, frame = shown.item, shown.number
    return _picture(request, item, frame, small, shown)


def _picture(
    request: HttpRequest,
    item: Item,
    frame: int,
    rendering: Rendering,
    shown: Referenced | None = None,
) -> HttpResponseBase:
    parts = (shown and shown.state_digest, item.digest, frame, rendering)
    headers = {**validator([repr(parts).encode()]), "Vary": "Accept"}
    if (same := unchanged(request, headers)) is not None:
        return same
    body = _pictures.get(parts)
    if body is None:
        body = (
            render_referenced(shown, rendering)
            if shown
            else render_frame(decode_frame(item, frame), rendering)
        )
        _pictures.put(parts, body)
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
    here = [item for item in items if item.copies] or items
    return here[len(here) // 2]


def _rendering(request: HttpRequest, quality: str = "90") -> Rendering:
    media_type = chosen(accepted(request), PICTURES)
    quality = request.GET.get("quality", quality)
    if not quality.isdecimal() or not 1 <= int(quality) <= 100:
        message = f"quality is a whole number from 1 to 100, not {quality!r}."
        raise MalformedError(message)
    icc = request.GET.get("iccprofile", "no")
    if icc not in PROFILES:
        message = f"iccprofile is one of {', '.join(PROFILES)} here, not {icc!r}."
        raise MalformedError(message)
    viewport, region = _viewport(request)
    return Rendering(_window(request), viewport, media_type, int(quality), region, icc=icc)


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


def _viewport(
    request: HttpRequest,
) -> tuple[tuple[int, int] | None, tuple[int, int, int, int] | None]:
    """Return the size to fit into and the source region, of `vw,vh,sx,sy,sw,sh`.

    Source: PS3.18 8.3.5.1.3.
    """
    text = request.GET.get("viewport")
    if not text:
        return None, None
    try:
        numbers = [int(edge) for edge in text.split(",")]
    except ValueError:
        numbers = []
    edges, region = numbers[:2], numbers[2:]
    fits = len(edges) == 2 and all(0 < edge <= MAX_EDGE for edge in edges)
    if not fits or len(region) not in (0, 4) or (region and not _is_region(region)):
        message = (
            "viewport is width,height in pixels, each 1 to "
            f"{MAX_EDGE}, or width,height,x,y,width,height with a region of the image."
        )
        raise MalformedError(message)
    x, y, width, height = region or (0, 0, 0, 0)
    return (edges[0], edges[1]), (x, y, width, height) if region else None


def _is_region(region: Sequence[int]) -> bool:
    x, y, width, height = region
    return min(x, y) >= 0 and 0 < abs(width) <= MAX_EDGE and 0 < abs(height) <= MAX_EDGE


def frame_number(text: str) -> int:
    """Return the number of a frame.

    Raises:
        MalformedError: it is none.
    """
    if not text.isdecimal():
        message = f"A frame is a whole number from 1, not {text!r}."
        raise MalformedError(message)
    return int(text)
