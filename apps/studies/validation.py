"""What is wrong with an object that could be kept all the same.

Looks at the header that ingest has read anyway: no pixel is touched and nothing is read again, so
that it costs microseconds. `decode_probe` is dear and runs only for sources whose rule asks it.

What could never be served (no data set, cut off, without UIDs) is refused by
`apps.studies.ingest.received` before this is asked.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from pydicom.charset import python_encoding
from pydicom.uid import UID

from apps.archive.incoming import Staged
from apps.studies.header import UNDEFINED, Header

GOOD_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*")
DATE = re.compile(r"\d{4}\.?(0[1-9]|1[0-2])\.?(0[1-9]|[12]\d|3[01])")
TIME = re.compile(r"([01]\d|2[0-3])(:?[0-5]\d(:?([0-5]\d|60)(\.\d{1,6})?)?)?")
UIDS = {
    "SOP Class UID": 0x00080016,
    "SOP Instance UID": 0x00080018,
    "Study Instance UID": 0x0020000D,
    "Series Instance UID": 0x0020000E,
}
DATES = {
    "Study Date": 0x00080020,
    "Series Date": 0x00080021,
    "Content Date": 0x00080023,
    "Patient's Birth Date": 0x00100030,
}
TIMES = {"Study Time": 0x00080030, "Series Time": 0x00080031, "Content Time": 0x00080033}
CHARACTER_SET, MODALITY = 0x00080005, 0x00080060
SAMPLES, PHOTOMETRIC, FRAMES = 0x00280002, 0x00280004, 0x00280008
ROWS, COLUMNS, BITS_ALLOCATED = 0x00280010, 0x00280011, 0x00280100
DESCRIPTION = {
    "Samples per Pixel": SAMPLES,
    "Photometric Interpretation": PHOTOMETRIC,
    "Rows": ROWS,
    "Columns": COLUMNS,
    "Bits Allocated": BITS_ALLOCATED,
}
HALVED = frozenset({"YBR_FULL_422", "YBR_PARTIAL_422"})
PIXEL_DATA, FIRST_ITEM = 0x7FE00010, b"\xfe\xff\x00\xe0"
SHOWN = 3

WORDS = {
    "uid-form": "An identifier does not have the form that UIDs have",
    "value-form": "A date or a time cannot be read",
    "character-set": "The character set is not a known one, so names may come out garbled",
    "odd-length": "An element has an odd length",
    "modality-missing": "It does not say what kind of machine made it",
    "pixel-description": "It has pixels, but does not say how they lie",
    "pixel-length": "The pixel data has another length than its description says",
    "encapsulation": "The pixel data is packed in another way than the transfer syntax says",
    "pixels-undecodable": "The pixels cannot be decoded",
}
"""Every finding in plain words; its code is stored, so a code is never given another meaning."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect: a code of `WORDS`, and what exactly was seen."""

    code: str
    detail: str

    @property
    def words(self) -> str:
        """What is wrong, for a person."""
        return WORDS[self.code]

    def as_json(self) -> dict[str, str]:
        """For storing."""
        return asdict(self)


def header_findings(header: Header, staged: Staged) -> tuple[Finding, ...]:
    """Return what is wrong with a data set's header and the length of its pixel data.

    Source: PS3.5 6.2 (DA, TM), 7.1.1 (even lengths), 8 (pixel data), 9.1 (UIDs), A.4
    (encapsulation); PS3.3 C.7.3.1 (Modality), C.7.6.3 (image pixel), C.12.1.1.2 (character set).
    """
    return (*_of_values(header), *_of_pixels(header, staged))


def _of_values(header: Header) -> Iterator[Finding]:
    for name, tag in UIDS.items():
        value = header.first(tag, 65)
        if not GOOD_UID.fullmatch(value):
            yield Finding("uid-form", f"{name} {value}")
    for names, form in ((DATES, DATE), (TIMES, TIME)):
        for name, tag in names.items():
            value = header.first(tag, 26)
            if value and not form.fullmatch(value):
                yield Finding("value-form", f"{name} {value!r}")
    unknown = [
        term.strip()
        for term in header.text(CHARACTER_SET).split("\\")
        if term.strip() not in python_encoding
    ]
    if unknown:
        yield Finding("character-set", ", ".join(unknown))
    if not header.first(MODALITY, 16):
        yield Finding("modality-missing", "Modality is empty")
    odd = [element.tag for element in header.elements.values() if element.length & 1]
    if odd:
        yield Finding(
            "odd-length", ", ".join(f"({t >> 16:04X},{t & 0xFFFF:04X})" for t in odd[:SHOWN])
        )


def _of_pixels(header: Header, staged: Staged) -> Iterator[Finding]:
    pixel = header.pixel
    if pixel is None:
        return
    syntax = staged.transfer_syntax_uid
    encapsulated = pixel.length == UNDEFINED
    if pixel.tag == PIXEL_DATA and _packed(syntax) not in (None, encapsulated):
        how = "in fragments" if encapsulated else "as one value"
        yield Finding("encapsulation", f"it lies {how} under {UID(syntax).name}")
    if encapsulated:
        start = staged.head[pixel.value : pixel.value + 4]
        if len(start) == 4 and start != FIRST_ITEM:
            yield Finding("encapsulation", "it does not begin with an item")
    missing = [name for name, tag in DESCRIPTION.items() if not header.raw(tag)]
    if missing:
        yield Finding("pixel-description", f"without {', '.join(missing)}")
    elif not encapsulated and _packed(syntax) is False:
        yield from _of_length(header, pixel.length)


def _packed(transfer_syntax_uid: str) -> bool | None:
    """Tell whether a transfer syntax puts pixel data in fragments; None where nobody knows."""
    try:
        return bool(UID(transfer_syntax_uid).is_encapsulated)
    except ValueError:  # private, or newer than pydicom
        return None


def _of_length(header: Header, length: int) -> Iterator[Finding]:
    rows, columns = header.integer(ROWS) or 0, header.integer(COLUMNS) or 0
    samples, bits = header.integer(SAMPLES) or 0, header.integer(BITS_ALLOCATED) or 0
    frames = (header.integer(FRAMES) or 0) if header.raw(FRAMES) else 1
    expected = (rows * columns * samples * frames * bits + 7) // 8
    if header.first(PHOTOMETRIC, 16) in HALVED:
        expected = expected * 2 // 3
    if length not in (expected, expected + (expected & 1)):
        size = f"{rows} × {columns}, {samples} sample{'s' if samples != 1 else ''} of {bits} bits"
        yield Finding(
            "pixel-length",
            f"{length:,} bytes, where {frames} frame{'s' if frames != 1 else ''} of {size} are "
            f"{expected:,}",
        )
