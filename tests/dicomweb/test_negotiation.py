"""WADO-RS: what is accepted decides what goes out (trap 18), ranges, and what there is instead."""

import io
from pathlib import Path

import pydicom
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread

from tests.dicomweb.conftest import multipart
from tests.dicomweb.test_dicomweb import parts_of, paths
from tests.factories.dicom import as_file, ct_slice, dataset_bytes

pytestmark = pytest.mark.django_db
OWN = Path(pydicom.__file__).parent / "data" / "test_files"
J2K, EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
JPEG = "1.2.840.10008.1.2.4.50"


@pytest.fixture
def wavelet(web) -> str:
    """The path of an instance that is stored in JPEG 2000."""
    path = OWN / "MR_small_jp2klossless.dcm"
    assert web.post("/dicom-web/studies", **multipart(path.read_bytes())).status_code == 200
    return paths(dcmread(path))[2]


def multipart_of(syntax: str = "") -> str:
    return 'multipart/related; type="application/dicom"' + (
        f"; transfer-syntax={syntax}" if syntax else ""
    )


@pytest.mark.parametrize(
    ("accept", "syntax"),
    [
        (multipart_of("*"), J2K),
        (multipart_of(J2K), J2K),
        (multipart_of(f'"{J2K}"'), J2K),
        (multipart_of(), EXPLICIT),
        (multipart_of(IMPLICIT), IMPLICIT),
        (f"{multipart_of(JPEG)}, {multipart_of(IMPLICIT)};q=0.5", IMPLICIT),
        (f"{multipart_of(EXPLICIT)};q=0.2, {multipart_of('*')};q=0.9", J2K),
        ("multipart/related;type=application/dicom;transfer-syntax=*", J2K),
        ("application/dicom; transfer-syntax=*", J2K),
        ("application/dicom", EXPLICIT),
        ("*/*", EXPLICIT),
    ],
)
def test_the_first_wish_that_can_be_met_is(web, wavelet, accept, syntax):
    answer = web.get(wavelet, headers={"Accept": accept})
    assert answer.status_code == 200
    if answer["Content-Type"].startswith("multipart"):
        [(headers, content)] = parts_of(answer)
        said = headers["Content-Type"]
    else:
        content, said = b"".join(answer.streaming_content), answer["Content-Type"]
    assert said == f"application/dicom; transfer-syntax={syntax}"
    assert dcmread(io.BytesIO(content)).file_meta.TransferSyntaxUID == syntax


@pytest.mark.parametrize(
    ("accept", "offered"),
    [
        (multipart_of(JPEG), f"application/dicom; transfer-syntax={J2K}"),
        ("text/plain", "application/dicom"),
        (f"{multipart_of()};q=0", "application/dicom"),
    ],
)
def test_what_cannot_be_given_is_refused_with_what_there_is(web, wavelet, accept, offered):
    answer = web.get(wavelet, headers={"Accept": accept})
    assert answer.status_code == 406
    assert offered in answer.json()["offers"]
    frame = web.get(f"{wavelet}/frames/1", headers={"Accept": "image/jpeg"})
    assert frame.status_code == 406
    assert f"application/octet-stream; transfer-syntax={J2K}" in frame.json()["offers"]


def test_accept_may_be_a_parameter(web, wavelet):
    accept = "application/dicom;transfer-syntax=*"
    answer = web.get(wavelet, {"accept": accept}, headers={"Accept": "text/html"})
    assert answer["Content-Type"].endswith(J2K)


def test_some_of_a_study_is_partial_content(web):
    wave = OWN / "MR_small_jp2klossless.dcm"
    ds = dcmread(wave)
    plain = ct_slice(study=ds.StudyInstanceUID, PatientID=ds.PatientID)
    assert web.post("/dicom-web/studies", **multipart(wave.read_bytes(), as_file(plain)))
    study = paths(ds)[0]
    answer = web.get(study, headers={"Accept": multipart_of(J2K)})
    assert answer.status_code == 206
    assert answer["Warning"].startswith("299")
    [(_, content)] = parts_of(answer)
    assert dataset_bytes(content) == dataset_bytes(wave.read_bytes())


@pytest.mark.parametrize(
    ("asked", "status", "piece"),
    [
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=500-", 206, slice(500, None)),
        ("bytes=-12", 206, slice(-12, None)),
        ("bytes=0-0", 206, slice(0, 1)),
        ("bytes=5-1", 416, None),
        ("bytes=999999-", 416, None),
        ("lines=1-2", 200, slice(None)),
    ],
)
def test_parts_of_frames_and_bulk_data(web, asked, status, piece):
    ds = ct_slice()
    web.post("/dicom-web/studies", **multipart(as_file(ds)))
    instance = paths(ds)[2]
    for path in ("frames/1", "bulkdata/7FE00010"):
        answer = web.get(
            f"{instance}/{path}", headers={"Accept": "application/octet-stream", "Range": asked}
        )
        assert answer.status_code == status
        if piece is None:
            assert answer["Content-Range"] == f"bytes */{len(ds.PixelData)}"
        else:
            assert answer.content == ds.PixelData[piece]


@pytest.mark.django_db(transaction=True)
def test_dicomweb_client_stores_finds_and_fetches(live_server, web):
    token = web.defaults["HTTP_AUTHORIZATION"]
    client = DICOMwebClient(f"{live_server.url}/dicom-web", headers={"Authorization": token})
    wave = dcmread(OWN / "MR_small_jp2klossless.dcm")
    client.store_instances([wave])
    uids = (wave.StudyInstanceUID, wave.SeriesInstanceUID, wave.SOPInstanceUID)
    [row] = client.search_for_studies(
        search_filters={"PatientID": wave.PatientID}, fuzzymatching=True
    )
    assert row["0020000D"]["Value"] == [uids[0]]
    assert len(client.search_for_instances(limit=1, fields=["Rows", "00280011"])) == 1
    [one] = client.retrieve_study(uids[0], media_types=(("application/dicom", "*"),))
    assert one.file_meta.TransferSyntaxUID == J2K
    plain = client.retrieve_instance(*uids)
    assert (plain.pixel_array == wave.pixel_array).all()
    [metadata] = client.retrieve_series_metadata(*uids[:2])
    assert metadata["00080018"]["Value"] == [uids[2]]
    [frame] = client.retrieve_instance_frames(*uids, [1])
    assert frame == wave.pixel_array.astype("<i2").tobytes()
    assert client.retrieve_instance_rendered(*uids, media_types=("image/png",))[:4] == b"\x89PNG"


def test_a_key_within_a_sequence_is_never_that_of_the_study(web):
    web.post("/dicom-web/studies", **multipart(as_file(ct_slice(AccessionNumber="A7"))))
    answer = web.get("/dicom-web/studies?RequestAttributesSequence.AccessionNumber=B8")
    assert len(answer.json()) == 1
    assert "00400275" in answer["Warning"]
    named = "00400275.00401001=RP9"
    assert web.get(f"/dicom-web/series?{named}").json() == []
