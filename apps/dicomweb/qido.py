"""QIDO-RS: from a URL to the query engine, from its rows to DICOM JSON.

Source: PS3.18 8.3.4, 10.6.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse

from apps.dicomweb.accept import accepted, chosen
from apps.dicomweb.door import DOOR, base_address, door
from apps.dicomweb.errors import MalformedError
from apps.dicomweb.result_attributes import Plan, plans, steps_of, wanted
from apps.dicomweb.wado import XML, XML_PARTS, xml_parts
from apps.studies.dicom_json import text_element
from apps.studies.query import Level, Query, Row, search
from apps.studies.query.attributes import (
    IN_REQUEST,
    REQUEST_ATTRIBUTES_SEQUENCE,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
)

JSON = "application/dicom+json"
OFFERS = (JSON, "application/json", XML)
GIVES = (*OFFERS[:2], XML_PARTS)
CONTROLS = ("accept", "charset", "fuzzymatching", "includefield", "limit", "offset")
RETRIEVE_URL = "00081190"
PATHS = {
    Level.STUDY: (STUDY_INSTANCE_UID,),
    Level.SERIES: (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID),
    Level.IMAGE: (STUDY_INSTANCE_UID, SERIES_INSTANCE_UID, SOP_INSTANCE_UID),
}
NAMES = ("studies", "series", "instances")
UNICODE = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}


@door("GET", gives=GIVES, parameters=CONTROLS)
def search_studies(request: HttpRequest) -> HttpResponse:
    """`/studies?`."""
    return _answer(request, Level.STUDY, {})


@door("GET", gives=GIVES, parameters=CONTROLS)
def search_series(request: HttpRequest, study: str = "") -> HttpResponse:
    """`/series?` and `/studies/{study}/series?`."""
    return _answer(request, Level.SERIES, {STUDY_INSTANCE_UID: study})


@door("GET", gives=GIVES, parameters=CONTROLS)
def search_instances(request: HttpRequest, study: str = "", series: str = "") -> HttpResponse:
    """`/instances?`, `/studies/{study}/instances?` and `…/series/{series}/instances?`."""
    return _answer(request, Level.IMAGE, {STUDY_INSTANCE_UID: study, SERIES_INSTANCE_UID: series})


def parse(parameters: Mapping[str, list[str]], level: Level, path: Mapping[int, str]) -> Query:
    """Turn query parameters into a query.

    A repeated key, or a comma in a UID key, is a list. Keys are keywords, tags, or paths of them.

    Raises:
        MalformedError: a name that is no attribute, or a number that is none.
    """
    keys: dict[int, str] = {tag: uid for tag, uid in path.items() if uid}
    for name, values in parameters.items():
        if name.lower() in CONTROLS:
            continue
        steps = steps_of(name)
        outer, tag = steps[0], steps[-1]
        if outer != tag and not (outer == REQUEST_ATTRIBUTES_SEQUENCE and tag in IN_REQUEST):
            tag = outer  # within a sequence that is not indexed: never the outer attribute's key
        text = "\\".join(value for value in values if value)
        if tag in path and path[tag] and text not in ("", path[tag]):
            text = f"{path[tag]}-"  # the path names one, the key another: nothing can match both
        keys[tag] = text or keys.get(tag, "")
    return Query(
        level,
        keys,
        combined=True,  # PS3.18 8.3.4.1
        fuzzy=parameters.get("fuzzymatching", ["false"])[-1].lower() == "true",
        limit=_number(parameters, "limit"),
        offset=_number(parameters, "offset") or 0,
    )


def _answer(request: HttpRequest, level: Level, path: Mapping[int, str]) -> HttpResponse:
    media_type = chosen(accepted(request), OFFERS)
    parameters = dict(request.GET.lists())
    query = parse(parameters, level, path)
    fields = wanted(parameters.get("includefield", ()), level, query.keys, path)
    answer = search(actor=request.actor, query=query, door=DOOR)  # type: ignore[attr-defined]
    base = base_address(request)
    body = _json(answer.rows, level, base, *plans(fields, level))
    if media_type != XML:
        response = HttpResponse(body, content_type=media_type)
    elif answer.rows:
        response = xml_parts(orjson.loads(body))
    else:
        response = HttpResponse(status=204)
    warnings = []
    if answer.unsupported:
        ignored = ", ".join(f"{tag:08X}" for tag in sorted(answer.unsupported))
        warnings.append(f"These keys are not searchable here and were left aside: {ignored}")
    if answer.too_many:
        warnings.append(
            "The number of results exceeded the maximum supported by the server. "
            "Additional results can be requested."  # the words of PS3.18 8.3.4.4.1
        )
    if warnings:
        response["Warning"] = ", ".join(f'299 isocenter "{text}"' for text in warnings)
    return response


def _json(rows: Sequence[Row], level: Level, base: str, own: Plan, shared: Plan) -> bytes:
    """Return the rows as a JSON array, attributes in the order of their names (PS3.18 F.2.2).

    What lies above the level asked for is written once for all rows that share it.
    """
    written: dict[int, dict[str, Any]] = {}
    result = []
    for row in rows:
        above = written.get(id(row.above))
        if above is None:
            elements = UNICODE | _elements(row.above, shared)
            above = {name: orjson.Fragment(orjson.dumps(e)) for name, e in elements.items()}
            written[id(row.above)] = above
        address = _address(row, level, base)
        result.append({**above, **_elements(row.own, own), RETRIEVE_URL: address})
    return orjson.dumps(result, option=orjson.OPT_SORT_KEYS)


def _elements(values: Mapping[int, Any], fields: Plan) -> dict[str, Any]:
    result: dict[str, Any] = {}
    request: dict[str, Any] = {}
    for tag, name, vr, always in fields:
        value = values[tag]
        if tag in IN_REQUEST:
            if value:
                request[name] = text_element(vr, value)
        elif value not in (None, ""):
            result[name] = text_element(vr, value)
        elif always:
            result[name] = {"vr": vr}
    if request:
        result[f"{REQUEST_ATTRIBUTES_SEQUENCE:08X}"] = {"vr": "SQ", "Value": [request]}
    return result


def _address(row: Row, level: Level, base: str) -> dict[str, Any]:
    steps = zip(NAMES, PATHS[level], strict=False)
    address = "".join(f"/{name}/{row[tag]}" for name, tag in steps)
    return {"vr": "UR", "Value": [base + address]}


def _number(parameters: Mapping[str, list[str]], name: str) -> int | None:
    text = parameters.get(name, [""])[-1]
    if not text:
        return None
    if not text.isdecimal():
        message = f"{name} is a whole number, not {text!r}."
        raise MalformedError(message)
    return int(text)
