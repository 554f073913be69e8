"""WADO-URI: one object or picture by query parameters, for viewers of before DICOMweb.

Source: PS3.18 9.
"""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.core.errors import NotFoundError
from apps.dicomweb.door import DOOR, door
from apps.dicomweb.errors import MalformedError, NotAcceptableError
from apps.dicomweb.multipart import stream
from apps.dicomweb.rendered import ENCAPSULATED_PDF, PDF, PICTURES, VIDEOS, rendition
from apps.dicomweb.wado import DICOM, NATIVE
from apps.studies.errors import TransferSyntaxError
from apps.studies.identity import Identity
from apps.studies.imaging import DRAWN
from apps.studies.retrieve import Item, part10_chunks, select, transcoded_part10

UIDS = {
    "studyUID": "study_instance_uids",
    "seriesUID": "series_instance_uids",
    "objectUID": "sop_instance_uids",
}
GIVES = (*PICTURES, PDF, *VIDEOS, DICOM)
PARAMETERS = (
    "requestType",
    *UIDS,
    *(
        "annotation",
        "contentType",
        "frameNumber",
        "iccprofile",
        "imageQuality",
        "columns",
        "presentationSeriesUID",
        "presentationUID",
        "region",
        "rows",
    ),
    *("transferSyntax", "viewport", "windowCenter", "windowWidth"),
)


@door("GET", gives=GIVES, parameters=PARAMETERS)
def retrieve(request: HttpRequest) -> HttpResponseBase:
    """`?requestType=WADO&studyUID=&seriesUID=&objectUID=`, with `contentType` and what it takes.

    `application/dicom` goes out in `transferSyntax`, by default in explicit VR little endian, or as
    stored where nothing here decodes it; pictures as `rendered` draws them.
    """
    asked = request.GET
    if asked.get("requestType") != "WADO":
        message = "requestType is WADO."
        raise MalformedError(message)
    missing = [name for name in UIDS if not asked.get(name)]
    if missing:
        message = f"{', '.join(missing)} is missing."
        raise MalformedError(message)
    if asked.get("anonymize"):
        message = "Objects are not given anonymised here."
        raise MalformedError(message)
    named = {column: [asked[name]] for name, column in UIDS.items()}
    [selection] = select(actor=request.actor, door=DOOR, **named)  # type: ignore[attr-defined, arg-type]
    if not selection.items:
        raise NotFoundError
    item = selection.items[0]
    wanted = [one.partition(";")[0].strip() for one in asked.get("contentType", "").split(",")]
    media_type = next((one for one in wanted if one in GIVES), "")
    if not media_type and any(wanted):
        raise NotAcceptableError(offers=GIVES)
    shown = item.pixel_offset is not None or item.sop_class_uid == ENCAPSULATED_PDF
    if media_type == DICOM or not (media_type or shown):
        return _object(item, selection.identity, asked.get("transferSyntax", NATIVE))
    _translate(request, media_type, item)
    state = _presentation(request)
    return rendition(request, item, selection.identity, asked.get("frameNumber", "1"), state)


def _presentation(request: HttpRequest) -> Item | None:
    """Return the presentation state that is to be applied (PS3.18 9.5.2); None where none is."""
    asked = request.GET
    series, uid = asked.get("presentationSeriesUID"), asked.get("presentationUID")
    if not series and not uid:
        return None
    if not series or not uid:
        message = "presentationSeriesUID and presentationUID go together."
        raise MalformedError(message)
    if asked.get("region"):
        message = "A presentation state says the displayed area itself; ask without region."
        raise MalformedError(message)
    named = {"series_instance_uids": [series], "sop_instance_uids": [uid]}
    [selection] = select(actor=request.actor, door=DOOR, **named)  # type: ignore[attr-defined, arg-type]
    [state] = selection.items
    if state.sop_class_uid not in DRAWN:
        message = "presentationUID is of no presentation state that is drawn here."
        raise MalformedError(message)
    return state


def _object(item: Item, identity: Identity | None, syntax: str) -> HttpResponseBase:
    if syntax != item.transfer_syntax_uid:
        try:
            return stream(transcoded_part10(item, syntax, identity), DICOM)
        except TransferSyntaxError:
            if syntax != NATIVE:
                raise
    return stream(part10_chunks(item, identity), DICOM)


def _translate(request: HttpRequest, media_type: str, item: Item) -> None:
    """Put the old parameters as those of `rendered` (PS3.18 9.1.2.2)."""
    old = request.GET
    new = old.copy()
    new["accept"] = media_type or "*/*"
    center, width = old.get("windowCenter"), old.get("windowWidth")
    if bool(center) != bool(width):
        message = "windowCenter and windowWidth go together."
        raise MalformedError(message)
    if center and width:
        new["window"] = f"{center},{width},linear"
    rows, columns = old.get("rows"), old.get("columns")
    if region := old.get("region"):
        x, y, wide, high = _region(region, item)
        size = f"{columns or rows or wide},{rows or columns or high}"
        new["viewport"] = f"{size},{x},{y},{wide},{high}"
    elif rows or columns:
        new["viewport"] = f"{columns or rows},{rows or columns}"
    if quality := old.get("imageQuality"):
        new["quality"] = quality
    request.GET = new  # type: ignore[assignment]


def _region(text: str, item: Item) -> tuple[int, int, int, int]:
    """Return left, top, width and height in pixels of a region in parts of the image.

    Source: PS3.18 9.1.2.2: `xmin,ymin,xmax,ymax`, each from 0 to 1.
    """
    try:
        left, top, right, bottom = (float(edge) for edge in text.split(","))
    except ValueError:
        left, top, right, bottom = 1.0, 1.0, 0.0, 0.0
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        message = "region is xmin,ymin,xmax,ymax, each from 0 to 1."
        raise MalformedError(message)
    columns, rows = item.columns, item.rows
    if not columns or not rows:
        message = "region is of an image, and this object is none."
        raise MalformedError(message)
    x, y = round(left * columns), round(top * rows)
    return x, y, max(round(right * columns) - x, 1), max(round(bottom * rows) - y, 1)
