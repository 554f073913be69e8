"""WADO-RS: instances, metadata, bulk data and frames.

Source: PS3.18 10.4.
"""

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from pydicom import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from apps.archive.reading import NoCopyError
from apps.core.errors import NotFoundError
from apps.dicomweb.accept import MediaRange, accepted, chosen
from apps.dicomweb.door import DOOR, base_address, door
from apps.dicomweb.errors import MalformedError, NotAcceptableError
from apps.dicomweb.multipart import Part, respond, respond_whole, stream
from apps.dicomweb.native_xml import model_xml
from apps.dicomweb.validators import unchanged, validator
from apps.studies.dicom_json import binary_value
from apps.studies.errors import TransferSyntaxError
from apps.studies.identity import Identity
from apps.studies.imaging import decode_frame
from apps.studies.retrieve import (
    BASE_TOKEN,
    Item,
    PixelBytes,
    Selection,
    can_transcode,
    frame_transfer_syntax,
    instance_metadata,
    lies_as_given,
    part10_chunks,
    read_behind,
    read_header,
    select,
    series_metadata,
    sound,
    stored_frames,
    transcoded_part10,
)

DICOM = "application/dicom"
OCTETS = "application/octet-stream"
JSON = "application/dicom+json"
PIXELS = "7FE00010"
AT_ONCE_BYTES = 4 << 20
XML = "application/dicom+xml"
METADATA = (JSON, "application/json")
XML_PARTS = f'multipart/related; type="{XML}"'
WHOLE = f'multipart/related; type="{DICOM}"'
RLE = "image/dicom-rle"
NATIVE = str(ExplicitVRLittleEndian)
FRAME_TYPES = {  # PS3.18 Table 8.7.3-5: what compressed frames are called
    "image/jpeg": ("50", "51", "57", "70"),
    "image/jls": ("80", "81"),
    "image/jp2": ("90", "91"),
    "image/jpx": ("92", "93"),
    "image/jphc": ("201", "202", "203"),
    "image/jxl": ("110", "111", "112"),
}
SYNTAX_TYPE = {
    f"1.2.840.10008.1.2.4.{number}": name
    for name, numbers in FRAME_TYPES.items()
    for number in numbers
} | {"1.2.840.10008.1.2.5": RLE}


def chosen_instances(request: HttpRequest, **uids: str) -> Selection:
    """Return what a path of UIDs names, for the actor of the request."""
    levels = {"study": "study_instance_uids", "series": "series_instance_uids"}
    levels["instance"] = "sop_instance_uids"
    named = {levels[level]: [uid] for level, uid in uids.items()}
    return select(actor=request.actor, door=DOOR, **named)[0]  # type: ignore[attr-defined, arg-type]


@door("GET", gives=(WHOLE, DICOM))
def retrieve(request: HttpRequest, **uids: str) -> HttpResponseBase:
    """A study, series or instance, as `application/dicom` in the transfer syntax asked for.

    Each instance goes out in the first syntax of the client's wishes that it can be given in.
    Where that leaves some out, or no good copy of one is left, the answer is 206 (PS3.18 10.4.3).
    """
    ranges = [r for r in accepted(request) if r.takes(DICOM) or r.name == "multipart/*"]
    if not ranges:
        raise NotAcceptableError(offers=[DICOM, WHOLE])
    selection = chosen_instances(request, **uids)
    items = [there for item in selection.items if (there := sound(item))]
    if not items:
        raise NoCopyError
    given = [(item, syntax) for item in items if (syntax := _syntax_for(item, ranges))]
    if not given:
        stored = {item.transfer_syntax_uid for item in selection.items}
        raise NotAcceptableError(offers=[f"{DICOM}; transfer-syntax={one}" for one in stored])
    if not ranges[0].multipart and ranges[0].name == DICOM and "instance" in uids:
        [(item, syntax)] = given
        chunks = _file(item, selection.identity, syntax)
        return stream(chunks, f"{DICOM}; transfer-syntax={syntax}")
    base = base_address(request)
    parts = (
        Part(
            f"{DICOM}; transfer-syntax={syntax}",
            address_of(base, selection, item),
            _file(item, selection.identity, syntax),
        )
        for item, syntax in given
    )
    response = respond(parts, DICOM)
    if (left := len(selection.items) - len(given)) > 0:
        response.status_code = 206
        response["Warning"] = (
            f'299 isocenter "{left} instances are in no syntax that was asked for, or damaged here"'
        )
    return response


@door("GET", gives=(*METADATA, XML_PARTS))
def metadata(request: HttpRequest, **uids: str) -> HttpResponseBase:
    """The data sets without bulk data, as DICOM JSON, or as XML in a part each."""
    media_type = chosen(accepted(request), (*METADATA, XML))
    alone = "instance" in uids
    bodies = (
        [_one(chosen_instances(request, **uids))] if alone else packed_metadata(request, **uids)
    )
    base = base_address(request).encode()
    headers = validator((media_type.encode(), base, *bodies), weak=True)
    headers["Vary"] = "Accept, Accept-Encoding"
    if (same := unchanged(request, headers)) is not None:
        return same
    body = (bodies[0] if alone else _joined(bodies)).replace(BASE_TOKEN, base)
    if media_type == XML:
        response = xml_parts(orjson.loads(body))
    else:
        response = HttpResponse(body, content_type=media_type)
    if "gzip" in request.headers.get("Accept-Encoding", "") and len(body) > 64 * 1024:
        response.content = gzip.compress(response.content, 1)
        response["Content-Encoding"] = "gzip"
    for name, value in headers.items():
        response[name] = value
    return response


def xml_parts(rows: Iterable[Mapping[str, Any]]) -> HttpResponse:
    """Answer with data sets of the JSON model as the Native DICOM Model, a part each."""
    return respond_whole([Part(XML, "", [model_xml(row)]) for row in rows], XML)


@door("GET", gives=(OCTETS, *FRAME_TYPES, RLE))
def frames(request: HttpRequest, frames: str, **uids: str) -> HttpResponseBase:
    """Frames by number, as stored with `transfer-syntax=*`, else in what was asked for."""
    numbers = _numbers(frames)
    selection = chosen_instances(request, **uids)
    [item] = selection.items
    media_type, syntax = form_of_frames(item, accepted(request))
    as_stored = syntax == frame_transfer_syntax(item)
    values = _stored(item, numbers) if as_stored else decoded_frames(item, numbers)
    content_type = f"{media_type}; transfer-syntax={syntax}"
    address = address_of(base_address(request), selection, item)
    if isinstance(values, PixelBytes):
        if not wants_multipart(request):
            return ranged(request, values, content_type)
        return respond([Part(content_type, f"{address}/frames/1", values.chunks())], media_type)
    if len(numbers) == 1:
        value = next(values)
        if not wants_multipart(request):
            return ranged(request, value, content_type)
        return respond_whole(
            [Part(content_type, f"{address}/frames/{frames}", [value])], media_type
        )
    parts = (
        Part(content_type, f"{address}/frames/{number}", [value])
        for number, value in zip(numbers, values, strict=True)
    )
    return respond(parts, media_type)


@door("GET", gives=(OCTETS,))
def bulkdata(request: HttpRequest, path: str, **uids: str) -> HttpResponseBase:
    """One binary value, by the path that metadata gave: tags and item numbers."""
    chosen(accepted(request), (OCTETS,))
    selection = chosen_instances(request, **uids)
    [item] = selection.items
    value = value_at(item, selection.identity, path)
    if wants_multipart(request):
        address = f"{address_of(base_address(request), selection, item)}/bulkdata/{path}"
        if isinstance(value, PixelBytes):
            return respond([Part(OCTETS, address, value.chunks())], OCTETS)
        return respond_whole([Part(OCTETS, address, [value])], OCTETS)
    return ranged(request, value, OCTETS)


def ranged(request: HttpRequest, body: bytes | PixelBytes, content_type: str) -> HttpResponseBase:
    """Answer with a body, or with the one range of it that is asked for (RFC 9110 14).

    A range that cannot be read, or several, count as none.
    """
    size = len(body)
    headers = {"Accept-Ranges": "bytes"}
    asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", "").strip())
    if asked is None or asked.group() == "bytes=-":
        return _span(body, 0, size, content_type, headers)
    first, last = asked.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) if first and last else size - 1, size - 1)
    if start > end:
        headers["Content-Range"] = f"bytes */{size}"
        return HttpResponse(status=416, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    return _span(body, start, end + 1, content_type, headers, status=206)


def _span(
    body: bytes | PixelBytes,
    start: int,
    stop: int,
    content_type: str,
    headers: dict[str, str],
    *,
    status: int = 200,
) -> HttpResponseBase:
    response: HttpResponseBase
    if isinstance(body, bytes):
        response = HttpResponse(body[start:stop], content_type=content_type, status=status)
    else:
        response = stream(body.chunks(start, stop), content_type)
        response.status_code = status
        headers["Content-Length"] = str(stop - start)
    for name, value in headers.items():
        response[name] = value
    return response


def wants_multipart(request: HttpRequest) -> bool:
    """Tell whether parts are wanted, even for one."""
    ranges = accepted(request)
    return bool(ranges) and (ranges[0].multipart or ranges[0].name == "*/*")


def _syntax_for(item: Item, ranges: Sequence[MediaRange]) -> str:
    """Return the transfer syntax in which an instance goes out; empty where none will do.

    Where no syntax is asked for it is explicit VR little endian, or the stored one of what nothing
    here decodes (PS3.18 8.7.3.5.2).
    """
    for wanted in ranges:
        asked = wanted.transfer_syntax
        if asked in ("*", item.transfer_syntax_uid):
            return item.transfer_syntax_uid
        if can_transcode(item, asked or NATIVE):
            return asked or NATIVE
        if not asked:
            return item.transfer_syntax_uid
    return ""


def _file(item: Item, identity: Identity | None, syntax: str) -> Iterator[bytes]:
    """Yield the instance in the syntax; one that turns out not to decode goes out as stored."""
    if syntax == item.transfer_syntax_uid:
        return part10_chunks(item, identity)
    try:
        return transcoded_part10(item, syntax, identity)
    except TransferSyntaxError:
        if syntax != NATIVE:
            raise
        return part10_chunks(item, identity)


def form_of_frames(item: Item, ranges: Sequence[MediaRange]) -> tuple[str, str]:
    """Return the media type and transfer syntax of an instance's frames, by the first wish.

    The syntax is the stored one, or explicit VR little endian: then they are to be decoded.

    Raises:
        NotAcceptableError: they cannot be given so.
    """
    stored = frame_transfer_syntax(item)
    picture = SYNTAX_TYPE.get(stored)
    for wanted in ranges:
        asked = wanted.transfer_syntax
        as_stored = asked in ("*", stored) or (not asked and stored == NATIVE)
        if wanted.takes(OCTETS) and as_stored:
            return OCTETS, stored
        if (
            picture
            and wanted.takes(picture)
            and wanted.inner != "*/*"
            and asked in ("", "*", stored)
        ):
            return picture, stored
        if wanted.takes(OCTETS) and asked in ("", NATIVE):
            return OCTETS, NATIVE
    offers = [f"{OCTETS}; transfer-syntax={stored}", f"{OCTETS}; transfer-syntax={NATIVE}"]
    raise NotAcceptableError(offers=offers + ([picture] if picture else []))


def decoded_frames(item: Item, numbers: Iterable[int]) -> Iterator[bytes]:
    """Yield frames as native little endian pixels."""
    return (decode_frame(item, number).pixels.tobytes() for number in numbers)


def _stored(item: Item, numbers: Sequence[int]) -> Iterator[bytes] | PixelBytes:
    """Return the frames; the only one of a large object as what is read while it is sent."""
    alone = item.frames == 1 and list(numbers) == [1]
    if alone and lies_as_given(item) and item.size_bytes > AT_ONCE_BYTES:
        return PixelBytes(item)
    return stored_frames(item, numbers)


def _one(selection: Selection) -> bytes:
    [item] = selection.items
    row = instance_metadata(item, selection.identity, selection.study_instance_uid)
    return orjson.dumps([row])


def packed_metadata(
    request: HttpRequest, study: str, series: str = "", instance: str = ""
) -> list[bytes]:
    """Return the gzipped JSON array of each series that a path names, or lies in."""
    return series_metadata(
        actor=request.actor,  # type: ignore[attr-defined]
        door=DOOR,
        study_instance_uid=study,
        series_instance_uid=series,
    )


def _joined(packed: Sequence[bytes]) -> bytes:
    """Join arrays into one."""
    bodies = [gzip.decompress(body) for body in packed]
    if len(bodies) == 1:
        return bodies[0]
    return b"[" + b",".join(body[1:-1] for body in bodies) + b"]"


def value_at(item: Item, identity: Identity | None, path: str) -> bytes | PixelBytes:
    """Return a binary value by its path: tags and item numbers, as metadata has it.

    Raises:
        NotFoundError: nothing binary is there.
    """
    steps = path.split("/")
    if steps == [PIXELS]:
        if lies_as_given(item):
            pixels = PixelBytes(item)
            return pixels if len(pixels) > AT_ONCE_BYTES else b"".join(pixels.chunks())
        return b"".join(stored_frames(item, range(1, item.frames + 1)))
    place: Dataset = read_header(item, identity)
    if steps[0] > PIXELS and item.pixel_offset is not None:
        place = read_behind(item, PixelBytes(item).end)
    try:
        for tag, number in zip(steps[:-1:2], steps[1::2], strict=True):
            place = place[int(tag, 16)].value[int(number)]
        big_endian = item.transfer_syntax_uid == ExplicitVRBigEndian
        value = binary_value(place, int(steps[-1], 16), big_endian=big_endian)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise NotFoundError(path=path) from error
    if value is None:
        raise NotFoundError(path=path)
    return value


def _numbers(text: str) -> list[int]:
    try:
        return [int(one) for one in text.split(",")]
    except ValueError:
        message = f"Frames are numbers from 1, separated by commas, not {text!r}."
        raise MalformedError(message) from None


def address_of(base: str, selection: Selection, item: Item) -> str:
    """Return the address of an instance."""
    return (
        f"{base}/studies/{selection.study_instance_uid}/series/{item.series_instance_uid}"
        f"/instances/{item.sop_instance_uid}"
    )
