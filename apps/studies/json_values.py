"""Values of the DICOM JSON model as the bytes of explicit VR little endian.

The way back from `dicom_json`. Nothing is guessed or dropped: what cannot be said in the VR is
refused by the name of its element.

Source: PS3.18 F.2; PS3.5 6.2.
"""

import base64
import binascii
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydicom.valuerep import format_number_as_ds

from apps.core.errors import DomainError
from apps.studies.dicom_json import BINARY, NAME_GROUPS
from apps.studies.header import dictionary_vr

PACKED = {
    "FL": "<f", "FD": "<d", "SL": "<i", "SS": "<h", "SV": "<q", "UL": "<I", "US": "<H",
    "UV": "<Q",
}  # fmt: skip
TEXTS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI"}
) | {"UR", "UT"}
KNOWN = TEXTS | BINARY | PACKED.keys() | {"AT", "SQ"}
SINGLE = frozenset({"LT", "ST", "UR", "UT"})
DS_CHARACTERS = 16
JsonElement = Mapping[str, Any]


class MetadataError(DomainError):
    """The metadata of an instance cannot be made a data set."""

    code = "studies.metadata"
    message = "The metadata cannot be made a data set. Nothing was kept."


def vr_of(tag: int, element: object) -> str:
    """Return the VR of a JSON element, by the dictionary where it says none.

    Raises:
        MetadataError: it is no element, or its VR is none of DICOM's.
    """
    if not isinstance(element, Mapping):
        raise _wrong(tag, "is no attribute object")
    vr = element.get("vr") or dictionary_vr(tag)
    if vr not in KNOWN:
        raise _wrong(tag, f"has the unknown VR {vr!r}")
    return str(vr)


def value_bytes(tag: int, vr: str, element: JsonElement, encoding: str) -> bytes:
    """Return a value padded to even length; not for sequences and `BulkDataURI`.

    Raises:
        MetadataError: the value is not one of its VR.
    """
    try:
        value = _value(vr, element, encoding)
    except (ValueError, TypeError, OverflowError, struct.error, binascii.Error) as error:
        raise _wrong(tag, f"is no {vr}: {error}") from error
    padding = b" " if vr in TEXTS and vr != "UI" else b"\0"
    return value + padding * (len(value) % 2)


def is_ascii(items: Mapping[str, Any]) -> bool:
    """Tell whether every text of a data set is plain ASCII, sequences included."""
    return all(_plain(element) for element in items.values())


def _plain(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii()
    if isinstance(value, Mapping):
        return all(_plain(one) for one in value.values())
    return all(_plain(one) for one in value) if isinstance(value, list) else True


def _value(vr: str, element: JsonElement, encoding: str) -> bytes:
    if "InlineBinary" in element:
        binary = element["InlineBinary"]
        return base64.b64decode(binary[0] if isinstance(binary, list) else binary, validate=True)
    values = element.get("Value", [])
    if not isinstance(values, list):
        message = "Value is no list"
        raise TypeError(message)
    if vr in PACKED:
        return b"".join(struct.pack(PACKED[vr], _number(vr, one)) for one in values)
    if vr == "AT":
        return b"".join(_tag(one) for one in values)
    if vr in BINARY:
        if values:
            message = "binary values go as InlineBinary or BulkDataURI"
            raise ValueError(message)
        return b""
    return _joined(vr, values).encode(encoding)


def _joined(vr: str, values: Sequence[object]) -> str:
    if vr in SINGLE and len(values) > 1:
        message = "it has one value only"
        raise ValueError(message)
    say = _SAID.get(vr, _text)
    texts = ["" if one is None else say(one) for one in values]
    if vr not in SINGLE and len(texts) > 1 and any("\\" in text for text in texts):
        message = "a backslash stands within one of several values"
        raise ValueError(message)
    return "\\".join(texts)


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = f"{value!r} is no text"
        raise TypeError(message)
    return value


def _name(value: object) -> str:
    if isinstance(value, str):  # older writers
        return value
    if not isinstance(value, Mapping) or not value.keys() <= set(NAME_GROUPS):
        message = f"{value!r} is no person name"
        raise ValueError(message)
    return "=".join(_text(value.get(group, "")) for group in NAME_GROUPS).rstrip("=")


def _decimal(value: object) -> str:
    if isinstance(value, str):
        float(value)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{value!r} is no number"
        raise TypeError(message)
    text = repr(value)
    return text if len(text) <= DS_CHARACTERS else format_number_as_ds(float(value))


def _whole(value: object) -> str:
    return str(_number("IS", value)) if not isinstance(value, str) else str(int(value))


def _number(vr: str, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        message = f"{value!r} is no number"
        raise TypeError(message)
    if vr in ("FL", "FD"):
        return float(value)
    if isinstance(value, float) and not value.is_integer():
        message = f"{value!r} is no whole number"
        raise ValueError(message)
    return int(value)


def _tag(value: object) -> bytes:
    number = int(_text(value), 16)
    return struct.pack("<HH", number >> 16, number & 0xFFFF)


_SAID: dict[str, Callable[[object], str]] = {"PN": _name, "DS": _decimal, "IS": _whole}


def _wrong(tag: int, why: str) -> MetadataError:
    where = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return MetadataError(f"{where} {why}. The instance was not kept.", attribute=where)
