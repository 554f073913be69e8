"""DICOM JSON of a data set (PS3.18 Annex F).

Written here because it is on the viewer's path and its corners matter (trap 19): an empty element
has no `Value`; null stands only inside multi-valued ones; PN is an object of groups; binary
values become a URI, or base64 in little endian where they are short.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydicom import DataElement, Dataset
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.valuerep import PersonName

INLINE_BYTES = 1024
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
FLOATS = frozenset({"DS", "FD", "FL"})
INTEGERS = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
LONG = frozenset({"SV", "UV"})
EXACT = (1 << 53) - 1
"""Up to here a JSON number is exact everywhere; beyond, SV and UV are strings (PS3.18 F.2.3)."""
WORD_BYTES = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
SPECIFIC_CHARACTER_SET = 0x00080005
UNICODE = {"vr": "CS", "Value": ["ISO_IR 192"]}
CONVERTED = INTEGERS | {"PN"}
NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")

JsonElement = dict[str, Any]
BulkUri = Callable[[tuple[int | str, ...]], str]


def dataset_json(
    ds: Dataset,
    bulk_uri: BulkUri,
    *,
    path: tuple[int | str, ...] = (),
    big_endian: bool = False,
) -> dict[str, JsonElement]:
    """Return a data set as a JSON object, group 2 and group lengths left out.

    Specific Character Set says what the texts now are in. A private element that was sent as UN
    stays that, whatever a dictionary may know of it, and in big endian so does every one: it is not
    said in which order its bytes are.

    Args:
        ds: as pydicom read it.
        bulk_uri: gives the address of a long binary value from its path: tags and item numbers.
        path: where in the object this data set lies.
        big_endian: it was read from explicit VR big endian.
    """
    result = {}
    for key in sorted(ds.keys()):
        tag = int(key)
        if tag >> 16 in (0x0000, 0x0002) or tag & 0xFFFF == 0:
            continue
        raw = ds.get_item(key)
        if tag == SPECIFIC_CHARACTER_SET:
            element = UNICODE
        elif _is_unknown(raw) and (big_endian or tag >> 16 & 1):
            element = _binary("UN", raw.value, bulk_uri, (*path, tag))
        else:
            element = _element(ds[key], bulk_uri, (*path, tag), big_endian=big_endian)
        result[f"{tag:08X}"] = element
    return result


def binary_value(ds: Dataset, tag: int, *, big_endian: bool = False) -> bytes | None:
    """Return the bytes that `dataset_json` has of an element; None where it has none.

    Raises:
        KeyError: no such element.
    """
    raw = ds.get_item(tag)
    if _is_unknown(raw) and (big_endian or tag >> 16 & 1):
        return bytes(raw.value)
    element = ds[tag]
    if not isinstance(element.value, bytes):
        return None
    return little_endian(str(element.VR), element.value) if big_endian else element.value


def little_endian(vr: str, value: bytes, size: int = 0) -> bytes:
    """Return a binary value that was read from big endian with its words turned.

    Args:
        vr: its VR.
        value: as it was read.
        size: bytes of a word, where it is not that of the VR.
    """
    size = size or WORD_BYTES.get(vr, 1)
    if size == 1:
        return value
    return np.frombuffer(value, f">u{size}").astype(f"<u{size}").tobytes()


def _is_unknown(raw: object) -> bool:
    return isinstance(raw, RawDataElement) and raw.VR == "UN" and isinstance(raw.value, bytes)


def text_element(vr: str, value: object) -> JsonElement:
    """Return an element from the index's text or number, lists by backslash or as lists."""
    if value in (None, "", []):
        return {"vr": vr}
    if isinstance(value, str) and "\\" not in value and vr not in CONVERTED:
        return {"vr": vr, "Value": [value]}  # most of what an index holds
    values = value if isinstance(value, (list, tuple)) else str(value).split("\\")
    if vr == "PN":
        return {"vr": vr, "Value": [_name(one) or None for one in values]}
    if vr in INTEGERS:
        return {"vr": vr, "Value": [_integer(str(one)) for one in values]}
    return {"vr": vr, "Value": [one or None for one in values]}


def _element(
    element: DataElement, bulk_uri: BulkUri, path: tuple[int | str, ...], *, big_endian: bool
) -> JsonElement:
    vr = str(element.VR)
    value = element.value
    if vr == "SQ":
        items = [
            dataset_json(item, bulk_uri, path=(*path, n), big_endian=big_endian)
            for n, item in enumerate(value)
        ]
        return {"vr": vr, "Value": items} if items else {"vr": vr}
    if vr in BINARY or isinstance(value, bytes):
        if big_endian and value:
            value = little_endian(vr, value)
        return _binary(vr, value, bulk_uri, path)
    values = value if isinstance(value, (MultiValue, list, tuple)) else [value]
    if not values or (len(values) == 1 and values[0] in (None, "")):
        return {"vr": vr}
    return {"vr": vr, "Value": [_plain(vr, one) for one in values]}


def _binary(vr: str, value: object, bulk_uri: BulkUri, path: tuple[int | str, ...]) -> JsonElement:
    if not isinstance(value, bytes) or not value:
        return {"vr": vr}
    if len(value) > INLINE_BYTES:
        return {"vr": vr, "BulkDataURI": bulk_uri(path)}
    return {"vr": vr, "InlineBinary": base64.b64encode(value).decode()}


def _plain(vr: str, value: Any) -> object:
    if value in (None, ""):
        return None
    if vr == "PN":
        return _name(value)
    if vr == "AT":
        return f"{int(value):08X}"
    if vr in INTEGERS:
        number = _integer(str(value))
        return str(number) if vr in LONG and abs(int(number)) > EXACT else number
    if vr in FLOATS:
        return _float(value)
    return str(value)


def _name(value: PersonName | str) -> dict[str, str] | None:
    groups: Sequence[str] = str(value).split("=")
    named = {key: group for key, group in zip(NAME_GROUPS, groups, strict=False) if group}
    return named or None


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _float(value: Any) -> float | str:
    try:
        number = float(value)
    except ValueError:
        return str(value)
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(number)]
    return int(number) if number.is_integer() and abs(number) <= EXACT else number
