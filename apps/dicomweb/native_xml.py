"""The Native DICOM Model (XML) to and from the DICOM JSON model.

Source: PS3.19 A.1; PS3.18 Annex F.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, tostring
from xml.parsers import expat

from pydicom.datadict import keyword_for_tag

from apps.dicomweb.errors import MalformedError
from apps.studies.dicom_json import NAME_GROUPS

NAME_PARTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
DEEPEST = 400
FIRST_BLOCK = 0x10
GAPS = 16
Json = dict[str, Any]
_KIND = {"SQ": "Item", "PN": "PersonName"}
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse_models(body: bytes) -> list[Json]:
    """Return the data sets of an XML document in the JSON model.

    Raises:
        MalformedError: no XML, or no native model; document types and entities are refused.
    """
    root = _tree(body)
    models = [root] if root.tag == "NativeDicomModel" else list(root.iter("NativeDicomModel"))
    if not models:
        message = "The XML holds no NativeDicomModel."
        raise MalformedError(message)
    return [_data_set(model) for model in models]


def model_xml(data_set: Mapping[str, Any]) -> bytes:
    """Return a data set of the JSON model as XML; what XML cannot say in a text is U+FFFD."""
    root = Element("NativeDicomModel")
    _write(root, data_set)
    return tostring(root, encoding="utf-8", xml_declaration=True)


def _tree(body: bytes) -> Element:
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator=" ")
    depth = 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            message = "The XML is nested too deep."
            raise MalformedError(message)
        builder.start(
            name.rpartition(" ")[2], {k.rpartition(" ")[2]: v for k, v in attributes.items()}
        )

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name.rpartition(" ")[2])

    def refuse(*_: object) -> None:
        message = "The XML has a document type. It is not read."
        raise MalformedError(message)

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(body, True)  # noqa: FBT003 - expat takes no keyword
    except expat.ExpatError as error:
        message = f"The XML cannot be read: {error}."
        raise MalformedError(message) from error
    return builder.close()


def _data_set(model: Element) -> Json:
    result: Json = {}
    creators: dict[tuple[str, str], int] = {}
    for attribute in model.findall("DicomAttribute"):
        tag = attribute.get("tag", "").upper()
        creator = attribute.get("privateCreator", "")
        if creator and len(tag) == 8:
            tag = _private_tag(tag, creator, result, creators)
        result[tag] = _element(attribute)
    return result


def _private_tag(tag: str, creator: str, result: Json, creators: dict[tuple[str, str], int]) -> str:
    """Return a private tag in its block; the block's creator element is made where it is not there.

    The model names the creator with each attribute and may leave the block's number as 00.
    """
    group = tag[:4]
    try:
        block = int(tag[4:6], 16)
    except ValueError:
        message = f"{tag!r} is no tag."
        raise MalformedError(message) from None
    if block < FIRST_BLOCK:
        block = creators.get((group, creator), FIRST_BLOCK)
        while _said(result, f"{group}00{block:02X}") not in ("", creator):
            block += 1
    creators[group, creator] = block
    result.setdefault(f"{group}00{block:02X}", {"vr": "LO", "Value": [creator]})
    return f"{group}{block:02X}{tag[6:]}"


def _said(result: Mapping[str, Any], tag: str) -> str:
    values = result.get(tag, {}).get("Value") or [""]
    return str(values[0])


def _element(attribute: Element) -> Json:
    element: Json = {"vr": attribute.get("vr", "")}
    if (bulk := attribute.find("BulkData")) is not None:
        element["BulkDataURI"] = bulk.get("uri") or bulk.get("uuid") or ""
    elif (inline := attribute.find("InlineBinary")) is not None:
        element["InlineBinary"] = "".join((inline.text or "").split())
    elif values := _values(attribute):
        element["Value"] = values
    return element


def _values(attribute: Element) -> list[Any]:
    if items := _numbered(attribute, "Item"):
        return [{} if item is None else _data_set(item) for item in items]
    if names := _numbered(attribute, "PersonName"):
        return [None if name is None else _name(name) for name in names]
    return [None if v is None else v.text or None for v in _numbered(attribute, "Value")]


def _numbered(attribute: Element, kind: str) -> Sequence[Element | None]:
    """Return the children of a kind in the order of their numbers; None for one left out."""
    found = attribute.findall(kind)
    by_number: dict[int, Element] = {}
    for place, child in enumerate(found, 1):
        number = child.get("number", str(place))
        if not number.isdecimal() or not 1 <= int(number) <= len(found) + GAPS:
            message = f"{kind} has the number {number!r}."
            raise MalformedError(message)
        by_number[int(number)] = child
    if len(by_number) < len(found):
        message = f"Two of {kind} have the same number."
        raise MalformedError(message)
    return [by_number.get(number) for number in range(1, max(by_number, default=0) + 1)]


def _name(name: Element) -> dict[str, str]:
    groups = {}
    for group in NAME_GROUPS:
        if (said := name.find(group)) is not None:
            parts = (said.findtext(part) or "" for part in NAME_PARTS)
            groups[group] = "^".join(parts).rstrip("^")
    return groups


def _write(parent: Element, data_set: Mapping[str, Any]) -> None:
    for tag, element in data_set.items():
        vr = element["vr"]
        attribute = SubElement(parent, "DicomAttribute", _naming(tag, vr, data_set))
        if uri := element.get("BulkDataURI"):
            SubElement(attribute, "BulkData", uri=uri)
        elif inline := element.get("InlineBinary"):
            SubElement(attribute, "InlineBinary").text = inline
        for number, value in enumerate(element.get("Value", ()), 1):
            child = SubElement(attribute, _KIND.get(vr, "Value"), number=str(number))
            if vr == "SQ":
                _write(child, value)
            elif vr == "PN":
                _write_name(child, value or {})
            elif value is not None:
                child.text = _NO_XML.sub("\ufffd", str(value))


def _naming(tag: str, vr: str, data_set: Mapping[str, Any]) -> dict[str, str]:
    """Return an attribute's tag, VR and keyword; a private one's creator in place of its block."""
    names = {"tag": tag, "vr": vr}
    if keyword := keyword_for_tag(int(tag, 16)):
        return names | {"keyword": keyword}
    if int(tag[:4], 16) % 2 and (creator := _said(data_set, f"{tag[:4]}00{tag[4:6]}")):
        names |= {"tag": f"{tag[:4]}00{tag[6:]}", "privateCreator": creator}
    return names


def _write_name(parent: Element, name: Mapping[str, str]) -> None:
    for group in NAME_GROUPS:
        if said := name.get(group):
            inner = SubElement(parent, group)
            for part, text in zip(NAME_PARTS, said.split("^"), strict=False):
                if text:
                    SubElement(inner, part).text = _NO_XML.sub("\ufffd", text)
