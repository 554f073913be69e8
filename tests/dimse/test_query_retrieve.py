"""C-FIND, C-GET and C-MOVE by foreign peers, over the real index and archive."""

import re
import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    PatientRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelGet,
)

from apps.accounts.models import ApplicationEntity, Site
from apps.audit.models import AuditEvent
from apps.core.uids import new_uid
from apps.dimse.upper import pdu
from apps.dimse.upper.requestor import Requestor
from tests.dimse.installation import free_port
from tests.dimse.peers import find, move, query, register, sink
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice, dataset_bytes

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]

GET = StudyRootQueryRetrieveInformationModelGet


@pytest.fixture
def studies(server: Server, tmp_path: Path) -> dict[str, list[Path]]:
    """Two patients, three studies, sent by storescu; files by study UID."""
    folder = tmp_path / "sent"
    folder.mkdir()
    made: dict[str, list[Path]] = {}
    for name, number, date, count in (
        ("Marlowe^June", "P1", "20261120", 3),
        ("Marlowe^June", "P1", "20250110", 1),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "P2", "20261121", 2),
    ):
        study, series = new_uid(), new_uid()
        for index in range(count):
            ds = ct_slice(
                study=study,
                series=series,
                number=index + 1,
                PatientName=name,
                PatientID=number,
                StudyDate=date,
                AccessionNumber=f"A{date}"[:16],
            )
            if not name.isascii():
                ds.SpecificCharacterSet = "ISO_IR 192"
            path = folder / f"{ds.SOPInstanceUID}.dcm"
            path.write_bytes(as_file(ds))
            made.setdefault(study, []).append(path)
    subprocess.run(
        ["storescu", "-aec", "ISOCENTER", "+sd", "127.0.0.1", str(server.port), str(folder)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return made


def test_findscu_finds_studies(server: Server, studies: dict[str, list[Path]]) -> None:
    done = subprocess.run(
        [
            *("findscu", "-v", "-S", "-aec", "ISOCENTER", "127.0.0.1", str(server.port)),
            *("-k", "QueryRetrieveLevel=STUDY", "-k", "PatientID=P1", "-k", "StudyInstanceUID"),
            *("-k", "NumberOfStudyRelatedInstances", "-k", "StudyDate"),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = done.stdout + done.stderr
    first, second, third = studies
    assert first in said
    assert second in said
    assert third not in said
    assert len(re.findall(r"Find Response: \d+ \(Pending\)", said)) == 2


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, [2, 0, 1]),
        ({"PatientName": "marlowe*"}, [0, 1]),
        ({"PatientName": "山田*"}, [2]),
        ({"StudyDate": "20260101-"}, [2, 0]),
        ({"StudyDate": "-20251231"}, [1]),
        ({"AccessionNumber": "A20250110"}, [1]),
        ({"ModalitiesInStudy": "MR"}, []),
        ({"ModalitiesInStudy": "CT", "PatientID": "P2"}, [2]),
        ({"PatientID": "NOBODY"}, []),
    ],
)
def test_studies_match(
    server: Server, studies: dict[str, list[Path]], keys: dict[str, str], expected: list[int]
) -> None:
    ds = query(StudyInstanceUID="", **keys)
    ds.SpecificCharacterSet = "ISO_IR 192"
    rows, statuses = find(server, ds)
    order = list(studies)
    assert [order.index(row.StudyInstanceUID) for row in rows] == expected
    assert statuses[-1] == 0


def test_a_list_of_uids_matches_each(server: Server, studies: dict[str, list[Path]]) -> None:
    ds = query()
    ds.StudyInstanceUID = list(studies)[:2]
    rows, _ = find(server, ds)
    assert {row.StudyInstanceUID for row in rows} == set(list(studies)[:2])


def test_series_and_images_are_found(server: Server, studies: dict[str, list[Path]]) -> None:
    study = next(iter(studies))
    rows, _ = find(
        server,
        query(
            "SERIES",
            StudyInstanceUID=study,
            SeriesInstanceUID="",
            Modality="",
            NumberOfSeriesRelatedInstances="",
        ),
    )
    assert [(row.Modality, row.NumberOfSeriesRelatedInstances) for row in rows] == [("CT", 3)]
    images, _ = find(
        server,
        query(
            "IMAGE",
            StudyInstanceUID=study,
            SeriesInstanceUID=rows[0].SeriesInstanceUID,
            SOPInstanceUID="",
            InstanceNumber="",
            Rows=None,
        ),
    )
    assert {row.SOPInstanceUID for row in images} == {path.stem for path in studies[study]}
    assert sorted(row.InstanceNumber for row in images) == [1, 2, 3]
    assert {row.Rows for row in images} == {16}


def test_answers_hold_what_was_asked_and_ours(
    server: Server, studies: dict[str, list[Path]]
) -> None:
    ds = query(PatientID="P2", PatientName="", RetrieveAETitle="", StudyComments="")
    (row,), _ = find(server, ds)
    assert row.SpecificCharacterSet == "ISO_IR 192"
    assert str(row.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"
    assert row.RetrieveAETitle == "ISOCENTER"
    assert row["StudyComments"].is_empty
    assert {elem.keyword for elem in row} == {
        *("SpecificCharacterSet", "QueryRetrieveLevel", "RetrieveAETitle"),
        *("PatientID", "PatientName", "StudyComments"),
    }


def test_a_key_that_is_not_supported_says_so(
    server: Server, studies: dict[str, list[Path]]
) -> None:
    _, statuses = find(server, query(StudyInstanceUID="", StudyComments="good"))
    assert set(statuses) == {0xFF01, 0}


def test_the_patient_root_has_patients(server: Server, studies: dict[str, list[Path]]) -> None:
    rows, statuses = find(
        server,
        query("PATIENT", PatientID="", PatientName="", NumberOfPatientRelatedStudies=""),
        PatientRootQueryRetrieveInformationModelFind,
    )
    found = {row.PatientID: row.NumberOfPatientRelatedStudies for row in rows}
    assert found == {"P1": 2, "P2": 1}
    assert statuses[-1] == 0


@pytest.mark.parametrize(
    ("ds", "status"),
    [
        (query("PATIENT", PatientID=""), 0xA900),
        (query("FRAME"), 0xA900),
        (query(StudyTime="99x"), 0xA900),
    ],
)
def test_an_identifier_that_does_not_fit_is_refused(
    server: Server, ds: Dataset, status: int
) -> None:
    _, statuses = find(server, ds)
    assert statuses == [status]


def test_queries_are_audited_with_their_text(
    server: Server, studies: dict[str, list[Path]]
) -> None:
    find(server, query(PatientID="P2", StudyInstanceUID=""))
    event = AuditEvent.objects.get(query__contains="PatientID=P2")
    assert event.actor_key == "ae:PYNET"
    assert event.door == "dimse"


def kept_in(folder: Path) -> dict[str, bytes]:
    return {
        str(dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID): dataset_bytes(
            path.read_bytes()
        )
        for path in folder.iterdir()
    }


def retrieve(command: str, server: Server, study: str, *options: str) -> str:
    done = subprocess.run(
        [
            *(command, "-d", "-S", "-aec", "ISOCENTER", *options),
            *("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}"),
            *("127.0.0.1", str(server.port)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def test_getscu_gets_a_study_byte_for_byte(
    server: Server, studies: dict[str, list[Path]], tmp_path: Path
) -> None:
    folder = tmp_path / "got"
    folder.mkdir()
    study = next(iter(studies))
    retrieve("getscu", server, study, "+B", "-od", str(folder))
    got = kept_in(folder)
    assert got == {path.stem: dataset_bytes(path.read_bytes()) for path in studies[study]}
    events = AuditEvent.objects.filter(event="studies.retrieved", study_instance_uid=study)
    assert [event.actor_key for event in events] == ["ae:GETSCU"]


def test_movescu_moves_a_study_byte_for_byte(
    server: Server, studies: dict[str, list[Path]], tmp_path: Path
) -> None:
    study = next(iter(studies))
    with sink(tmp_path / "got", "+B") as port:
        register("SINK", port)
        said = retrieve("movescu", server, study, "-aem", "SINK")
    assert re.search(r"Completed Suboperations\s*: 3", said)
    got = kept_in(tmp_path / "got")
    assert got == {path.stem: dataset_bytes(path.read_bytes()) for path in studies[study]}


def test_a_destination_nobody_knows_is_refused(
    server: Server, studies: dict[str, list[Path]]
) -> None:
    study = next(iter(studies))
    ((status, _),) = move(server, query(StudyInstanceUID=study), "NOWHERE")
    assert status.Status == 0xA801


def test_a_destination_that_is_down_fails_every_instance(
    server: Server, studies: dict[str, list[Path]]
) -> None:
    study = next(iter(studies))
    register("DOWN", free_port())
    status, failed = move(server, query(StudyInstanceUID=study), "DOWN")[-1]
    assert status.Status == 0xA702
    assert status.NumberOfFailedSuboperations == 3
    assert set(failed.FailedSOPInstanceUIDList) == {path.stem for path in studies[study]}


def test_nothing_to_retrieve_is_a_success_of_none(
    server: Server, studies: dict[str, list[Path]]
) -> None:
    register("SINK", free_port())
    status, _ = move(server, query(StudyInstanceUID="1.2.3"), "SINK")[-1]
    assert (status.Status, status.NumberOfCompletedSuboperations) == (0, 0)


def test_a_retrieve_without_its_unique_key_is_refused(server: Server) -> None:
    register("SINK", free_port())
    status, _ = move(server, query("SERIES", StudyInstanceUID="1.2.3"), "SINK")[-1]
    assert status.Status == 0xA900


def get_by_pynetdicom(server: Server, ds: Dataset, model: str, *syntaxes: str) -> tuple:
    kept: list[Dataset] = []

    def keep(event: evt.Event) -> int:
        one = event.dataset
        one.file_meta = event.file_meta
        kept.append(one)
        return 0

    ae = AE("PYNET")
    ae.add_requested_context(model)
    ae.add_requested_context(CTImageStorage, list(syntaxes))
    assoc = ae.associate(
        "127.0.0.1",
        server.port,
        ae_title="ISOCENTER",
        ext_neg=[build_role(CTImageStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, keep)],
    )
    status, _ = list(assoc.send_c_get(ds, model))[-1]
    assoc.release()
    return status, kept


def test_a_peer_of_implicit_vr_only_gets_it_so(
    server: Server, studies: dict[str, list[Path]]
) -> None:
    study = next(iter(studies))
    ds = query(StudyInstanceUID=study)
    status, kept = get_by_pynetdicom(server, ds, GET, "1.2.840.10008.1.2")
    assert (status.Status, status.NumberOfCompletedSuboperations) == (0, 3)
    sent = {path.stem: dcmread(path) for path in studies[study]}
    for one in kept:
        assert one.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
        assert one == sent[one.SOPInstanceUID]


def test_single_images_and_whole_patients_are_retrieved(
    server: Server, studies: dict[str, list[Path]]
) -> None:
    study = next(iter(studies))
    wanted = query("IMAGE", StudyInstanceUID=study)
    series = dcmread(studies[study][0]).SeriesInstanceUID
    wanted.SeriesInstanceUID = series
    wanted.SOPInstanceUID = [path.stem for path in studies[study][:2]]
    status, kept = get_by_pynetdicom(server, wanted, GET, "1.2.840.10008.1.2.1")
    assert {one.SOPInstanceUID for one in kept} == set(wanted.SOPInstanceUID)
    model = PatientRootQueryRetrieveInformationModelGet
    patient = query("PATIENT", PatientID="P1")
    status, kept = get_by_pynetdicom(server, patient, model, "1.2.840.10008.1.2.1")
    assert status.NumberOfCompletedSuboperations == 4


def test_an_ae_of_another_site_finds_and_gets_nothing(
    server: Server, studies: dict[str, list[Path]]
) -> None:
    other = Site.objects.create(code="FAR", name="Far")
    ApplicationEntity.objects.create(ae_title="PYNET", host="h", port=1, site=other)
    study = next(iter(studies))
    rows, statuses = find(server, query(StudyInstanceUID=study))
    assert (rows, statuses) == ([], [0])
    ds = query(StudyInstanceUID=study)
    status, kept = get_by_pynetdicom(server, ds, GET, "1.2.840.10008.1.2.1")
    assert (status.Status, kept) == (0, [])
    assert AuditEvent.objects.filter(actor_key="ae:PYNET", study_instance_uid=study).exists()


def test_an_ae_without_the_verb_is_told_so(server: Server, studies: dict[str, list[Path]]) -> None:
    site = Site.objects.get(code="MAIN")
    ApplicationEntity.objects.create(
        ae_title="PYNET", host="h", port=1, site=site, verbs=["echo", "store"]
    )
    register("SINK", free_port())
    study = next(iter(studies))
    ds = query(StudyInstanceUID=study)
    assert find(server, ds)[1] == [0x0124]
    assert move(server, ds, "SINK")[-1][0].Status == 0x0124
    assert get_by_pynetdicom(server, ds, GET, "1.2.840.10008.1.2")[0].Status == 0x0124


@pytest.mark.parametrize("name", ["JPEG2000.dcm", "SC_rgb_rle.dcm", "MR_small_bigendian.dcm"])
def test_compressed_goes_out_as_stored_or_decompressed(
    server: Server, tmp_path: Path, name: str
) -> None:
    path = Path(str(get_testdata_file(name)))
    ds = dcmread(path)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    with Requestor.open(
        host="127.0.0.1",
        port=server.port,
        called_ae="ISOCENTER",
        calling_ae="SENDER",
        contexts=[pdu.ProposedContext(1, str(ds.SOPClassUID), (syntax,))],
    ) as peer:
        uid, body = str(ds.SOPInstanceUID), dataset_bytes(path.read_bytes())
        assert peer.store(peer.contexts[1], sop_instance_uid=uid, chunks=[body]) == 0
    for folder, accepts in (("raw", "+xa"), ("plain", "+xi")):
        with sink(tmp_path / folder, accepts, "+B") as port:
            register(folder.upper(), port)
            retrieve("movescu", server, ds.StudyInstanceUID, "-aem", folder.upper())
    (raw,) = (tmp_path / "raw").iterdir()
    assert dataset_bytes(raw.read_bytes()) == dataset_bytes(path.read_bytes())
    (plain,) = (tmp_path / "plain").iterdir()
    got = dcmread(plain)
    assert got.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
    ours, theirs = ds.pixel_array, got.pixel_array
    assert (ours == theirs).all()
