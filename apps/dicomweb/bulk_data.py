"""WADO-RS: all bulk data, or all pixel data, of a study, a series or an instance.

Source: PS3.18 10.4.1.1, 8.7.3.3.
"""

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.core.errors import NotFoundError
from apps.dicomweb.accept import MediaRange, accepted
from apps.dicomweb.door import base_address, door
from apps.dicomweb.errors import NotAcceptableError
from apps.dicomweb.multipart import Part, respond
from apps.dicomweb.wado import (
    FRAME_TYPES,
    OCTETS,
    PIXELS,
    RLE,
    address_of,
    chosen_instances,
    decoded_frames,
    form_of_frames,
    packed_metadata,
    ranged,
    value_at,
    wants_multipart,
)
from apps.studies.retrieve import (
    Item,
    PixelBytes,
    Selection,
    frame_transfer_syntax,
    lies_as_given,
    stored_frames,
)

GIVES = (OCTETS, *FRAME_TYPES, RLE)
MARK = "/bulkdata/"


@dataclass(frozen=True, slots=True)
class Value:
    """One value to send; values are read in their order, each once."""

    media_type: str
    content_type: str
    location: str
    read: Callable[[], bytes | PixelBytes]

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes."""
        value = self.read()
        return value.chunks() if isinstance(value, PixelBytes) else iter((value,))


@door("GET", gives=GIVES)
def bulk_data(request: HttpRequest, **uids: str) -> HttpResponseBase:
    """All that metadata names by an address: pixels, and other long binary values."""
    selection = chosen_instances(request, **uids)
    return _answer(request, selection, _paths(packed_metadata(request, **uids)))


@door("GET", gives=GIVES)
def pixel_data(request: HttpRequest, **uids: str) -> HttpResponseBase:
    """All pixels: of each instance, or of each frame where they are compressed."""
    return _answer(request, chosen_instances(request, **uids), {})


def _answer(
    request: HttpRequest, selection: Selection, paths: Mapping[str, Sequence[str]]
) -> HttpResponseBase:
    """Answer with the one value where one is wanted and there is one, else with a part each.

    What is in no media type that is accepted is left out, and the answer is 206 (PS3.18 10.4.3).
    """
    ranges = accepted(request)
    binary = any(wanted.takes(OCTETS) for wanted in ranges)
    values: list[Value] = []
    refusals: list[NotAcceptableError] = []
    for item in selection.items:
        address = address_of(base_address(request), selection, item)
        for path in paths.get(item.sop_instance_uid, ()):
            if binary:
                read = partial(value_at, item, selection.identity, path)
                values.append(Value(OCTETS, OCTETS, f"{address}{MARK}{path}", read))
            else:
                refusals.append(NotAcceptableError(offers=[OCTETS]))
        if not _may_hold_pixels(item):
            continue
        try:
            values += _pixels(item, address, ranges)
        except NotAcceptableError as refusal:
            refusals.append(refusal)
        except NotFoundError:
            continue  # rows and columns, but no pixels
    if not values:
        message = "Nothing here has such data."
        raise refusals[0] if refusals else NotFoundError(message)
    if len(values) == 1 and not wants_multipart(request):
        return ranged(request, values[0].read(), values[0].content_type)
    response = respond(_parts(values), values[0].media_type)
    if refusals:
        response.status_code = 206
        left = f"{len(refusals)} values are in no media type that was asked for"
        response["Warning"] = f'299 isocenter "{left}"'
    return response


def _parts(values: Iterable[Value]) -> Iterator[Part]:
    return (Part(value.content_type, value.location, value.chunks()) for value in values)


def _may_hold_pixels(item: Item) -> bool:
    """Of deflated and big endian objects the index does not know: only a look will tell."""
    return item.pixel_offset is not None or (not lies_as_given(item) and bool(item.rows))


def _pixels(item: Item, address: str, ranges: Sequence[MediaRange]) -> Iterator[Value]:
    """Return an instance's pixels: whole where they are stored so, else frame by frame.

    Raises:
        NotAcceptableError: they cannot be given as is wanted.
    """
    media_type, syntax = form_of_frames(item, ranges)
    content_type = f"{media_type}; transfer-syntax={syntax}"
    if item.pixel_length is not None and lies_as_given(item):
        location = f"{address}{MARK}{PIXELS}"
        return iter((Value(media_type, content_type, location, partial(PixelBytes, item)),))
    numbers = range(1, item.frames + 1)
    stored = syntax == frame_transfer_syntax(item)
    frames = stored_frames(item, numbers) if stored else decoded_frames(item, numbers)
    return (
        Value(media_type, content_type, f"{address}/frames/{number}", partial(next, frames))
        for number in numbers
    )


def _paths(metadata: Iterable[bytes]) -> dict[str, list[str]]:
    """Return the paths of values that metadata names by an address, by instance; pixels aside."""
    found: dict[str, list[str]] = {}
    for packed in metadata:
        for row in orjson.loads(gzip.decompress(packed)):
            [uid] = row["00080018"]["Value"]
            found[uid] = [path for path in _addressed(row) if path != PIXELS]
    return found


def _addressed(data_set: Mapping[str, Any]) -> Iterator[str]:
    for element in data_set.values():
        if uri := element.get("BulkDataURI"):
            yield uri.rpartition(MARK)[2]
        elif element["vr"] == "SQ":
            for item in element.get("Value", ()):
                yield from _addressed(item)
