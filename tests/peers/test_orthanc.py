"""Orthanc beside us: it sends, asks, moves to itself, is moved to, and is a DICOMweb client."""

import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pydicom import dcmread

from apps.core.uids import new_uid
from apps.studies.models import Instance
from tests.dimse.peers import move, query, register
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice, dataset_bytes
from tests.orthanc import orthanc_running, rest

pytestmark = [
    pytest.mark.peer,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(180),
]
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
SLICES = 3


@dataclass(frozen=True)
class Orthanc:
    """One that runs, and that both knows us and is known to us as ORTHANC."""

    http: int

    def ask(self, path: str, body: object | None = None) -> Any:
        return rest(self.http, path, body)

    def raw(self, path: str, method: str = "GET") -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    def take(self, series: Mapping[str, bytes]) -> list[str]:
        """Give it files; its own keys of them."""
        return [self.ask("/instances", content)["ID"] for content in series.values()]

    def forget(self) -> None:
        for key in self.ask("/patients"):
            self.raw(f"/patients/{key}", "DELETE")
        assert self.ask("/instances") == []

    def held(self) -> dict[str, bytes]:
        """The data sets that it holds, by SOP Instance UID."""
        return {
            one["MainDicomTags"]["SOPInstanceUID"]: dataset_bytes(
                self.raw(f"/instances/{one['ID']}/file")
            )
            for one in self.ask("/instances?expand")
        }


@pytest.fixture
def peer(
    server: Server, live_server: Any, client_of: Any, orthanc: str, tmp_path: Path
) -> Iterator[Orthanc]:
    if not DICOMWEB.exists():
        pytest.skip("Orthanc's DICOMweb plug-in is missing: apt-get install orthanc-dicomweb")
    client: Client = client_of()
    modality = {"AET": "ISOCENTER", "Host": "127.0.0.1", "Port": server.port}
    web = {
        "Url": f"{live_server.url}/dicom-web/",
        "HttpHeaders": {"Authorization": client.defaults["HTTP_AUTHORIZATION"]},
        "ChunkedTransfers": False,  # the test server takes no chunked bodies; the product's does
    }
    with orthanc_running(
        orthanc,
        tmp_path / "orthanc",
        Plugins=[str(DICOMWEB)],
        DicomModalities={"isocenter": modality},
        DicomWeb={"Servers": {"isocenter": web}},
    ) as (dicom, http):
        register("ORTHANC", dicom)
        yield Orthanc(http)


@pytest.fixture
def series() -> dict[str, bytes]:
    """A study of three slices: files by SOP Instance UID."""
    study, one = new_uid(), new_uid()
    slices = [ct_slice(study=study, series=one, number=n + 1) for n in range(SLICES)]
    return {ds.SOPInstanceUID: as_file(ds) for ds in slices}


def study_of(series: Mapping[str, bytes]) -> str:
    return str(dcmread(BytesIO(next(iter(series.values())))).StudyInstanceUID)


def data_sets(series: Mapping[str, bytes]) -> dict[str, bytes]:
    return {uid: dataset_bytes(content) for uid, content in series.items()}


def test_orthanc_sends_asks_and_moves(
    server: Server, peer: Orthanc, series: dict[str, bytes]
) -> None:
    peer.ask("/modalities/isocenter/echo", {})
    sent = peer.ask("/modalities/isocenter/store", peer.take(series))
    assert (sent["InstancesCount"], sent["FailedInstancesCount"]) == (SLICES, 0)
    assert Instance.objects.count() == SLICES
    peer.forget()

    # it asks by C-FIND, and by C-MOVE we bring to it what it chose
    study = study_of(series)
    asked = {"Level": "Study", "Query": {"StudyInstanceUID": study, "PatientName": ""}}
    found = peer.ask("/modalities/isocenter/query", asked)["Path"]
    [answer] = peer.ask(f"{found}/answers")
    simple = peer.ask(f"{found}/answers/{answer}/content?simplify")
    assert (simple["StudyInstanceUID"], simple["PatientName"]) == (study, "Marlowe^June")
    peer.ask(f"{found}/answers/{answer}/retrieve", b"ORTHANC")
    assert peer.held() == data_sets(series)
    peer.forget()

    # another peer has us bring it there
    [*_, (status, _)] = move(server, query(StudyInstanceUID=study), "ORTHANC")
    assert (status.Status, status.NumberOfCompletedSuboperations) == (0, SLICES)
    assert peer.held() == data_sets(series)


def test_orthanc_is_a_dicomweb_client(peer: Orthanc, series: dict[str, bytes]) -> None:
    isocenter = "/dicom-web/servers/isocenter"
    peer.take(series)
    body = {"Resources": peer.ask("/studies"), "Synchronous": True}
    assert peer.ask(f"{isocenter}/stow", body)["InstancesCount"] == str(SLICES)
    peer.forget()

    study = study_of(series)
    [row] = peer.ask(
        f"{isocenter}/qido", {"Uri": "/studies", "Arguments": {"StudyInstanceUID": study}}
    )
    assert row["0020000D"]["Value"] == study
    peer.ask(f"{isocenter}/retrieve", {"Resources": [{"Study": study}], "Synchronous": True})
    assert peer.held() == data_sets(series)
