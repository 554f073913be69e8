"""What the conformance statement claims of DICOMweb, asked for address by address."""

import re
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import QueryDict

from apps.conformance.statement import facts
from tests.dicomweb.conftest import multipart
from tests.factories.dicom import as_file, ct_slice

pytestmark = pytest.mark.django_db
NOT_OF_A_CT = re.compile(r"video/|application/pdf|image/(jls|jp[2xh].*|jxl|dicom-rle)$")
UIDS = {"studyUID": "study", "seriesUID": "series", "objectUID": "instance"}
TRANSLATED = {"accept", "quality", "window"}  # what WADO-URI turns its parameters into
REFUSED = {"anonymize"}


@pytest.fixture
def resources() -> list[dict[str, Any]]:
    return [one for one in facts()["dicomweb"]["resources"] if one["methods"] == ["GET"]]


@pytest.fixture
def place(web) -> dict[str, str]:
    """A stored slice: what the addresses are filled with."""
    ds = ct_slice()
    assert web.post("/dicom-web/studies", **multipart(as_file(ds))).status_code == 200
    return {
        "study": ds.StudyInstanceUID,
        "series": ds.SeriesInstanceUID,
        "instance": ds.SOPInstanceUID,
        "frames": "1",
        "path": "7FE00010",
    }


def ask(web, one: dict[str, Any], place: dict[str, str], media_type: str) -> Any:
    address = one["address"].format(**place)
    if one["name"] != "wado-uri":
        return web.get(address, headers={"Accept": media_type})
    query = {"requestType": "WADO", "contentType": media_type}
    return web.get(address, query | {name: place[key] for name, key in UIDS.items()})


def test_each_media_type_that_is_claimed_is_given_and_no_other(web, place, resources):
    for one in resources:
        for media_type in one["gives"]:
            answer = ask(web, one, place, media_type)
            said = f"{one['name']} {media_type}"
            compressed = "image/dicom-rle" in one["gives"] and media_type.startswith("image/")
            if compressed or NOT_OF_A_CT.match(media_type):
                assert answer.status_code == 406, said
                continue
            assert answer.status_code == 200, said
            several = "{instance}" not in one["address"] and one["name"] != "wado-uri"
            if not (several and media_type == "application/dicom"):
                assert answer["Content-Type"].startswith(media_type.partition(";")[0]), said
        assert ask(web, one, place, "text/plain").status_code == 406, one["name"]


def test_the_parameters_that_are_read_are_those_that_are_claimed(
    web, place, resources, monkeypatch
):
    """Whatever a view asks of the query string is written down, and compared."""
    read: set[str] = set()

    class Watched(QueryDict):
        def get(self, name, default=None):
            read.add(name)
            return super().get(name, default)

    def get(request):
        return request.__dict__.setdefault("_watched", Watched(request.META["QUERY_STRING"]))

    def put(request, value):
        request.__dict__["_watched"] = value

    monkeypatch.setattr(WSGIRequest, "GET", property(get, put))
    for one in resources:
        read.clear()
        for media_type in {one["gives"][0], one["gives"][-1]} - {"video/mpeg", "image/dicom-rle"}:
            assert ask(web, one, place, media_type).status_code == 200
        if "limit" in one["parameters"]:
            assert read == {"accept"}  # the rest is read as a whole: see below
        elif one["name"] == "wado-uri":
            assert read - TRANSLATED - REFUSED == set(one["parameters"])
        else:
            assert read == set(one["parameters"]), one["name"]


def test_controls_of_a_search_are_no_keys(web, place, resources):
    """Were one of them taken for a key, it would be no attribute of DICOM: 400."""
    values = {"fuzzymatching": "true", "includefield": "all", "limit": "5", "offset": "0"}
    values |= {"accept": "application/json", "charset": "utf-8"}
    searches = [one for one in resources if "limit" in one["parameters"]]
    assert len(searches) == 6
    for one in searches:
        address = one["address"].format(**place)
        assert set(values) == set(one["parameters"])
        assert web.get(address, values).status_code == 200
        assert web.get(address, {"anonymize": "yes"}).status_code == 400
