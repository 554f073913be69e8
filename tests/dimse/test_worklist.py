"""Modality worklist and performed steps by foreign peers."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import (
    ModalityPerformedProcedureStep,
    ModalityWorklistInformationFind,
)

from apps.accounts.models import ApplicationEntity
from apps.audit.models import AuditEvent
from apps.core.uids import new_uid
from apps.dimse.data_sets import encode
from apps.dimse.scp.pydicom_sets import from_pydicom
from apps.dimse.upper import commands, pdu
from apps.dimse.upper.requestor import Requestor
from apps.worklists.models import PerformedStep
from tests.dimse.servers import Server
from tests.worklists.conftest import Hospital
from tests.worklists.test_performed_steps import creation, ending

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def hospital(server: Server) -> Hospital:
    """A department over the server's database."""
    return Hospital()


@pytest.fixture
def booked(hospital: Hospital) -> list:
    """CT today, CT tomorrow, MR today."""
    d = hospital.department
    return [
        hospital.book(d.exam(name="Falk^Ines"), "2026-11-24 10:00"),
        hospital.book(d.exam(name="Müller^Jörg"), "2026-11-25 14:30", d.ct2),
        hospital.book(
            d.exam(d.mri, name="Yamada^Tarou=山田^太郎=やまだ^たろう"), "2026-11-24 11:00", d.mr
        ),
    ]


def findscu(server: Server, title: str, *keys: str) -> str:
    options = [part for key in keys for part in ("-k", key)]
    done = subprocess.run(
        [
            *("findscu", "-v", "-W", "-aet", title, "-aec", "ISOCENTER", *options),
            *("127.0.0.1", str(server.port)),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout + done.stderr


STEP = "ScheduledProcedureStepSequence[0]"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ((f"{STEP}.ScheduledStationAETitle=CT1",), [0]),
        ((f"{STEP}.Modality=CT", f"{STEP}.ScheduledProcedureStepStartDate=20261124-"), [0, 1]),
        ((f"{STEP}.ScheduledProcedureStepStartDate=20261124-20261124",), [0, 2]),
        (
            (
                f"{STEP}.ScheduledStationAETitle=CT1",
                f"{STEP}.Modality=CT",
                f"{STEP}.ScheduledProcedureStepStartDate=20261120-20261130",
                "PatientName=falk*",
            ),
            [0],
        ),
        (("PatientName=FALK^INES",), [0]),
        (("PatientName=Nobody",), []),
    ],
)
def test_findscu_finds_exactly_the_right_steps(
    server: Server, hospital: Hospital, booked: list, keys: tuple[str, ...], expected: list[int]
) -> None:
    said = findscu(server, "CT1", "AccessionNumber", *keys)
    found = [
        index
        for index, step in enumerate(booked)
        if step.requested_procedure.order.accession_number in said
    ]
    assert found == expected
    assert said.count("(Pending)") == len(expected)


def test_a_scanner_of_another_site_finds_nothing(
    server: Server, hospital: Hospital, booked: list
) -> None:
    assert "(Pending)" not in findscu(server, "FARCT", "AccessionNumber")


@contextmanager
def associated(server: Server, context: str, title: str = "CT1") -> Iterator[Association]:
    ae = AE(title)
    ae.add_requested_context(context)
    assoc = ae.associate("127.0.0.1", server.port, ae_title="ISOCENTER")
    assert assoc.is_established
    yield assoc
    assoc.release()


@pytest.mark.parametrize(
    ("asked", "written"),
    [("ISO_IR 100", "ISO_IR 100"), ("", "ISO_IR 192"), ("ISO_IR 192", "ISO_IR 192")],
)
def test_answers_speak_the_scanners_character_set(
    server: Server, hospital: Hospital, booked: list, asked: str, written: str
) -> None:
    query, inner = Dataset(), Dataset()
    inner.ScheduledStationAETitle = "CT2"
    inner.ScheduledProcedureStepStartDate = ""
    query.ScheduledProcedureStepSequence = [inner]
    query.PatientName = query.PatientID = query.StudyInstanceUID = ""
    if asked:
        query.SpecificCharacterSet = asked
    with associated(server, ModalityWorklistInformationFind) as assoc:
        answers = list(assoc.send_c_find(query, ModalityWorklistInformationFind))
    (_, row), (last, _) = answers
    assert last.Status == 0
    assert row.SpecificCharacterSet == written
    assert row.PatientName == "Müller^Jörg"
    assert row.StudyInstanceUID == booked[1].requested_procedure.study_instance_uid
    item = row.ScheduledProcedureStepSequence[0]
    assert item.ScheduledProcedureStepStartDate == "20261125"


def test_worklist_refusals(server: Server, hospital: Hospital) -> None:
    query, inner = Dataset(), Dataset()
    query.ScheduledProcedureStepSequence = [inner]
    inner.ScheduledProcedureStepStartDate = "20261331"
    with associated(server, ModalityWorklistInformationFind) as assoc:
        answers = list(assoc.send_c_find(query, ModalityWorklistInformationFind))
    assert [status.Status for status, _ in answers] == [0xA900]
    ApplicationEntity.objects.filter(ae_title="CT1").update(verbs=["echo", "store"])
    with associated(server, ModalityWorklistInformationFind) as assoc:
        answers = list(assoc.send_c_find(query, ModalityWorklistInformationFind))
    assert [status.Status for status, _ in answers] == [0x0124]


def test_a_performed_step_from_begin_to_end(
    server: Server, hospital: Hospital, booked: list
) -> None:
    step, uid = booked[0], new_uid()
    mpps = ModalityPerformedProcedureStep
    with associated(server, mpps) as assoc:
        status, _ = assoc.send_n_create(creation(step), mpps, uid)
        assert status.Status == 0
        step.refresh_from_db()
        assert step.status == "STARTED"
        assert assoc.send_n_create(creation(step), mpps, uid)[0].Status == 0x0111
        assert assoc.send_n_set(ending(), mpps, new_uid())[0].Status == 0x0112
        assert assoc.send_n_set(ending(), mpps, uid)[0].Status == 0
        status, _ = assoc.send_n_set(ending(), mpps, uid)
        assert (status.Status, status.ErrorID) == (0x0110, 0xA710)
    step.refresh_from_db()
    assert step.status == "COMPLETED"
    assert PerformedStep.objects.get(sop_instance_uid=uid).status == "COMPLETED"
    assert AuditEvent.objects.filter(actor_key="ae:CT1", door="dimse").exists()


def test_a_performed_step_without_a_uid_is_given_one(
    server: Server, hospital: Hospital, booked: list
) -> None:
    command = commands.encode_command(
        {
            commands.AFFECTED_SOP_CLASS_UID: ModalityPerformedProcedureStep,
            commands.COMMAND_FIELD: commands.N_CREATE_RQ,
            commands.MESSAGE_ID: 1,
            commands.DATA_SET_TYPE: commands.WITH_DATA_SET,
        }
    )
    raw = encode(from_pydicom(creation(booked[0])), explicit=False)
    context = pdu.ProposedContext(1, ModalityPerformedProcedureStep, ("1.2.840.10008.1.2",))
    with Requestor.open(
        host="127.0.0.1",
        port=server.port,
        called_ae="ISOCENTER",
        calling_ae="CT1",
        contexts=[context],
    ) as peer:
        peer.wire.send(peer.wire.message(1, command, raw))
        answer = peer.read_response()
    assert answer.status == 0
    assert PerformedStep.objects.get().sop_instance_uid == answer.sop_instance_uid


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"PerformedStationAETitle": None}, 0x0120),
        ({"PerformedStationAETitle": ""}, 0x0121),
        ({"PerformedProcedureStepStatus": "COMPLETED"}, 0x0106),
    ],
)
def test_what_a_performed_step_lacks_is_told_by_status(
    server: Server, hospital: Hospital, booked: list, changes: dict, expected: int
) -> None:
    mpps = ModalityPerformedProcedureStep
    with associated(server, mpps) as assoc:
        status, _ = assoc.send_n_create(creation(booked[0], **changes), mpps, new_uid())
    assert status.Status == expected
    assert not PerformedStep.objects.exists()


def test_a_key_that_no_step_has_is_said_to_be_unsupported(
    server: Server, hospital: Hospital, booked: list
) -> None:
    """FF01H (PS3.4 K.4.1.1.4), as dcmtk's wlmscpfs answers; the steps are found all the same."""
    query, inner = Dataset(), Dataset()
    query.PatientName, inner.Modality = "Falk*", "CT"
    query.ScheduledProcedureStepSequence = [inner]
    for unknown, status in ((None, 0xFF00), (query, 0xFF01), (inner, 0xFF01)):
        if unknown is not None:
            unknown.BodyPartExamined = ""
        with associated(server, ModalityWorklistInformationFind) as assoc:
            answers = list(assoc.send_c_find(query, ModalityWorklistInformationFind))
        assert [one.Status for one, _ in answers] == [status, 0]
        assert answers[0][1].PatientName == "Falk^Ines"
        if unknown is not None:
            del unknown.BodyPartExamined
