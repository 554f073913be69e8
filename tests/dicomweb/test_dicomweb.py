"""DICOMweb: what is stored by STOW-RS is found by QIDO-RS and fetched by WADO-RS."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pydicom
import pytest
from django.db import OperationalError
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, RLELossless

from apps.accounts.domain import Role
from apps.archive.storage import storage_named
from apps.audit.models import AuditEvent
from apps.core.uids import new_uid
from apps.dicomweb import stow
from apps.dicomweb.errors import FAILURE_REASON, STATUS
from apps.studies.models import Instance
from apps.studies.services import instances_record
from tests.dicomweb.conftest import multipart
from tests.factories.dicom import as_file, ct_slice, dataset_bytes

pytestmark = pytest.mark.django_db
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
OCTETS = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


def paths(ds) -> tuple[str, str, str]:
    study = f"/dicom-web/studies/{ds.StudyInstanceUID}"
    series = f"{study}/series/{ds.SeriesInstanceUID}"
    return study, series, f"{series}/instances/{ds.SOPInstanceUID}"


def parts_of(response) -> list[tuple[dict[str, str], bytes]]:
    """Split a multipart answer with the standard library's view of boundaries."""
    boundary = re.search(r"boundary=([^;]+)", response["Content-Type"])[1].encode()
    body = b"".join(response.streaming_content) if response.streaming else response.content
    found = []
    for piece in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        found.append((headers, content))
    return found


def test_store_find_fetch(web):
    ds = ct_slice(AccessionNumber="A7")
    study, series, instance = paths(ds)
    sent = as_file(ds)
    stored = web.post("/dicom-web/studies", **multipart(sent))
    assert stored.status_code == 200
    answer = stored.json()
    assert answer["00081199"]["Value"][0]["00081155"]["Value"] == [ds.SOPInstanceUID]
    assert "00081198" not in answer

    [row] = web.get("/dicom-web/studies?AccessionNumber=A7").json()
    assert row["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Marlowe^June"}]}
    assert row["00201208"]["Value"] == [1]
    assert row["00081190"]["Value"] == [f"http://testserver{study}"]
    assert web.get(f"{study}/series").json()[0]["00080060"]["Value"] == ["CT"]
    assert web.get(f"{series}/instances").json()[0]["00280010"]["Value"] == [16]

    [(headers, content)] = parts_of(web.get(instance, headers={"Accept": STORED}))
    assert headers["Content-Type"] == "application/dicom; transfer-syntax=1.2.840.10008.1.2.1"
    assert dataset_bytes(content) == dataset_bytes(sent)
    assert dcmread(io.BytesIO(content)).SOPInstanceUID == ds.SOPInstanceUID
    single = web.get(instance, headers={"Accept": "application/dicom; transfer-syntax=*"})
    assert dataset_bytes(b"".join(single.streaming_content)) == dataset_bytes(sent)

    [(headers, frame)] = parts_of(web.get(f"{instance}/frames/1", headers={"Accept": OCTETS}))
    assert headers["Content-Type"].endswith("transfer-syntax=1.2.840.10008.1.2.1")
    assert frame == ds.PixelData
    bulk = web.get(f"{instance}/bulkdata/7FE00010", headers={"Accept": "application/octet-stream"})
    assert bulk.content == ds.PixelData


def test_metadata_says_what_the_object_says_and_is_made_anew_after_a_store(web):
    study, series = new_uid(), new_uid()
    first, second = (ct_slice(study=study, series=series, number=n) for n in (1, 2))
    web.post("/dicom-web/studies", **multipart(as_file(first)))
    _, path, instance = paths(first)
    [row] = web.get(f"{path}/metadata").json()
    reference = json.loads(dcmread(io.BytesIO(as_file(first))).to_json())
    reference.pop("7FE00010")
    shown = {tag: value for tag, value in row.items() if tag in reference}
    assert shown == reference
    assert row["7FE00010"]["BulkDataURI"] == f"http://testserver{instance}/bulkdata/7FE00010"
    web.post("/dicom-web/studies", **multipart(as_file(second)))
    assert len(web.get(f"{path}/metadata").json()) == 2
    assert len(web.get(f"{instance}/metadata").json()) == 1


def test_store_of_good_bad_and_changed_objects_in_one_body(web):
    good, cut = as_file(ct_slice()), as_file(ct_slice())[:-9]
    mixed = web.post("/dicom-web/studies", **multipart(good, cut, b"no DICOM at all"))
    assert mixed.status_code == 202
    failed = mixed.json()["00081198"]["Value"] + mixed.json()["0008119A"]["Value"]
    assert [one["00081197"]["Value"] for one in failed] == [[0xC000], [0xC000]]
    assert web.post("/dicom-web/studies", **multipart(cut)).status_code == 409
    assert web.post("/dicom-web/studies", **multipart(good)).status_code == 200
    assert Instance.objects.count() == 1


def test_the_same_uid_with_other_content_is_kept_and_answered_202(web):
    ds = ct_slice()
    web.post("/dicom-web/studies", **multipart(as_file(ds)))
    ds.PatientComments = "another"
    answer = web.post("/dicom-web/studies", **multipart(as_file(ds)))
    assert answer.status_code == 202
    [item] = answer.json()["00081199"]["Value"]
    assert item["00081196"]["Value"] == [0xB000]


def test_an_address_of_another_study_refuses(web):
    answer = web.post(f"/dicom-web/studies/{new_uid()}", **multipart(as_file(ct_slice())))
    assert answer.status_code == 409
    assert not Instance.objects.exists()


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/dicom", b"x", 415),
        ('multipart/related; type="application/dicom"', b"x", 400),
        ('multipart/related; type="application/dicom"; boundary=b', b"--b\r\n\r\ncut", 400),
        ('multipart/related; type="application/dicom"; boundary=b', b"--b--\r\n", 400),
    ],
)
def test_malformed_bodies_are_refused_in_words(web, content_type, body, status):
    answer = web.post("/dicom-web/studies", data=body, content_type=content_type)
    assert answer.status_code == status
    assert answer.json()["title"]


def test_no_token_no_answer(client, web):
    for method, path in (("get", "/dicom-web/studies"), ("post", "/dicom-web/studies")):
        answer = getattr(client, method)(path, headers={"Authorization": "Bearer wrong"})
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")


def test_another_site_gets_404_and_an_empty_list_and_the_trail_says_so(web, client_of, east):
    ds = ct_slice()
    study, series, instance = paths(ds)
    web.post("/dicom-web/studies", **multipart(as_file(ds)))
    stranger = client_of(Role.RADIOLOGIST, site="EAST")
    assert stranger.get("/dicom-web/studies").json() == []
    for path in (study, f"{series}/metadata", f"{instance}/frames/1", f"{instance}/rendered"):
        assert stranger.get(path, headers={"Accept": "*/*"}).status_code == 404
    refused = AuditEvent.objects.filter(event="studies.access-refused", outcome=4)
    assert refused.get().study_instance_uid == ds.StudyInstanceUID
    assert stranger.get(f"/dicom-web/studies/{new_uid()}").status_code == 404


def test_reads_are_on_record_once_a_minute(web):
    ds = ct_slice()
    _, _, instance = paths(ds)
    web.post("/dicom-web/studies", **multipart(as_file(ds)))
    for _ in range(3):
        web.get(f"{instance}/frames/1", headers={"Accept": OCTETS})
    events = AuditEvent.objects.filter(event="studies.retrieved")
    assert 1 <= events.count() <= 2  # two where the minute turned
    assert events[0].study_instance_uid == ds.StudyInstanceUID


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_frames_go_out_as_stored_or_decoded(web, syntax):
    path = PYDICOM_FILES / (
        "MR_small_RLE.dcm" if syntax == RLELossless else "MR_small_jp2klossless.dcm"
    )
    ds = dcmread(path)
    *_, instance = paths(ds)
    assert web.post("/dicom-web/studies", **multipart(path.read_bytes())).status_code == 200
    [(headers, frame)] = parts_of(web.get(f"{instance}/frames/1", headers={"Accept": OCTETS}))
    assert headers["Content-Type"].endswith(f"transfer-syntax={syntax}")
    assert encapsulate([frame], has_bot=False) in ds.PixelData or frame in ds.PixelData
    plain = 'multipart/related; type="application/octet-stream"'
    [(headers, frame)] = parts_of(web.get(f"{instance}/frames/1", headers={"Accept": plain}))
    assert np.array_equal(np.frombuffer(frame, "<i2").reshape(ds.Rows, ds.Columns), ds.pixel_array)
    explicit = 'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1'
    [(_, content)] = parts_of(web.get(instance, headers={"Accept": explicit}))
    assert np.array_equal(dcmread(io.BytesIO(content)).pixel_array, ds.pixel_array)


def test_rendered_by_window_viewport_and_type(web):
    ds = ct_slice(size=64)
    *_, instance = paths(ds)
    web.post("/dicom-web/studies", **multipart(as_file(ds)))
    png = web.get(f"{instance}/rendered?window=1000,2000,linear", headers={"Accept": "image/png"})
    pixels = np.asarray(Image.open(io.BytesIO(png.content)))
    hu = ds.pixel_array.astype(float) - 1024
    expected = np.clip(((hu - 999.5) / 1999 + 0.5) * 255, 0, 255)
    assert np.abs(pixels - expected).max() <= 1
    small = web.get(f"{instance}/rendered?viewport=32,16", headers={"Accept": "image/jpeg"})
    assert Image.open(io.BytesIO(small.content)).size == (16, 16)
    again = web.get(
        f"{instance}/rendered?viewport=32,16",
        headers={"Accept": "image/jpeg", "If-None-Match": small["ETag"]},
    )
    assert again.status_code == 304
    assert web.get(f"{instance}/thumbnail", headers={"Accept": "image/*"}).status_code == 200
    for wrong in ("window=a,b,linear", "window=1", "viewport=0,5", "quality=900"):
        assert web.get(f"{instance}/rendered?{wrong}").status_code == 400, wrong


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=x", 400),
        ("Nonsense=1", 400),
        ("StudyDate=yesterday", 400),
        ("PatientWeight=70", 200),
    ],
)
def test_queries_that_make_no_sense_say_so(web, query, status):
    answer = web.get(f"/dicom-web/studies?{query}")
    assert answer.status_code == status
    assert ("299" in answer.headers.get("Warning", "")) is (query == "PatientWeight=70")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/dicom+json", 200),
        ("text/html, application/json;q=0.5", 200),
        ("text/html", 406),
        ("*/*", 200),
        ('multipart/related; type="application/dicom+xml"', 204),  # nothing was found
    ],
)
def test_accept_is_parsed_not_compared(web, accept, status):
    assert web.get("/dicom-web/studies", headers={"Accept": accept}).status_code == status


def test_every_refusal_has_its_status():
    assert set(FAILURE_REASON) - {"dicomweb.other-study", "dicomweb.unused-part"} - set(STATUS) <= {
        "studies.metadata",
        "studies.bulk-missing",
        "studies.bulk-syntax",
        "studies.cannot-understand",
        "studies.truncated",
        "studies.missing-uid",
        "studies.does-not-match",
        "studies.defective",
    }


@pytest.mark.django_db(transaction=True)
def test_a_fault_after_a_commit_leaves_no_row_without_its_file(web, monkeypatch):
    def lost(**arguments):
        instances_record(**arguments)
        message = "the connection was lost; whether the commit was reached nobody knows"
        raise OperationalError(message)

    monkeypatch.setattr(stow, "BATCH", 2)
    monkeypatch.setattr(stow, "instances_record", lost)
    study = new_uid()
    sent = [as_file(ct_slice(study=study, number=n)) for n in range(1, 4)]
    web.raise_request_exception = False
    answer = web.post("/dicom-web/studies", **multipart(*sent))
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert answer.json()["type"] == "urn:isocenter:database-away"
    locations = [one.stored_object.locations.get() for one in Instance.objects.all()]
    assert len(locations) == 2
    for location in locations:
        assert storage_named(location.storage).read(location.key)
    monkeypatch.undo()
    assert web.post("/dicom-web/studies", **multipart(*sent)).status_code == 200
    assert Instance.objects.count() == 3
