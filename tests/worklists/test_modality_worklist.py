"""Which steps a scanner sees, what it can ask, and what the answer holds."""

import datetime

import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from apps.accounts.domain import Role
from apps.audit.models import AuditEvent
from apps.core.errors import NotPermittedError
from apps.patients.models import PatientIdentifier
from apps.scheduling import services as scheduling
from apps.worklists.modality import items
from apps.worklists.modality.items import worklist_item
from apps.worklists.selectors import InvalidKeyError, modality_worklist
from tests.scheduling.conftest import NOW, actor_of

pytestmark = pytest.mark.django_db(transaction=True)

STEP_KEYS = {
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "Modality",
    "ScheduledProcedureStepID",
    "ScheduledProcedureStepStatus",
}


def ask(hospital, actor=None, **keys):
    """Ask with keys by keyword and return the accession numbers found."""
    query = Dataset()
    inner = Dataset()
    inner.ScheduledProcedureStepID = ""
    query.AccessionNumber = ""
    for keyword, value in keys.items():
        setattr(inner if keyword in STEP_KEYS else query, keyword, value)
    query.ScheduledProcedureStepSequence = [inner]
    found = modality_worklist(actor=actor or hospital.scanner, query=query, at=NOW)
    return [item.AccessionNumber for item in found]


@pytest.fixture
def three(hospital):
    """CT today, CT tomorrow, MR today."""
    d = hospital.department
    steps = [
        hospital.book(d.exam(name="Falk^Ines"), "2026-11-24 10:00"),
        hospital.book(d.exam(name="Müller^Jörg"), "2026-11-25 14:30", d.ct2),
        hospital.book(
            d.exam(d.mri, name="Yamada^Tarou=山田^太郎=やまだ^たろう"), "2026-11-24 11:00", d.mr
        ),
    ]
    return [step.requested_procedure.order.accession_number for step in steps]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, [0, 2, 1]),
        ({"ScheduledStationAETitle": "CT1"}, [0]),
        ({"ScheduledStationAETitle": "CT*"}, [0, 1]),
        ({"ScheduledStationAETitle": "CT1\\CT2"}, [0, 1]),
        ({"ScheduledStationAETitle": "NOBODY"}, []),
        ({"Modality": "MR"}, [2]),
        ({"Modality": "M?"}, [2]),
        ({"Modality": "mr"}, []),
        ({"ScheduledProcedureStepStartDate": "20261124"}, [0, 2]),
        ({"ScheduledProcedureStepStartDate": "20261124-20261125"}, [0, 2, 1]),
        ({"ScheduledProcedureStepStartDate": "20261125-"}, [1]),
        ({"ScheduledProcedureStepStartDate": "-20261124"}, [0, 2]),
        (
            {
                "ScheduledProcedureStepStartDate": "20261124-20261125",
                "ScheduledProcedureStepStartTime": "1030-1400",
            },
            [2],
        ),
        (
            {
                "ScheduledProcedureStepStartDate": "20261124",
                "ScheduledProcedureStepStartTime": "1000-1030",
            },
            [0],
        ),
        ({"PatientName": "FALK^INES"}, [0]),
        ({"PatientName": "falk*"}, [0]),
        ({"PatientName": "Falk"}, []),
        ({"PatientName": "*ines"}, [0]),
        ({"PatientName": "Muller*"}, [1]),
        ({"PatientName": "山田*"}, [2]),
        ({"PatientName": "*"}, [0, 2, 1]),
        ({"ScheduledProcedureStepStatus": "ARRIVED"}, []),
        ({"ScheduledProcedureStepStatus": "SCHEDULED"}, [0, 2, 1]),
        ({"Modality": "CT", "PatientName": "Y*"}, []),
    ],
)
def test_keys(hospital, three, keys, expected):
    assert ask(hospital, **keys) == [three[index] for index in expected]


def test_numbers(hospital, three):
    from apps.scheduling.models import ScheduledStep

    step = ScheduledStep.objects.get(requested_procedure__order__accession_number=three[0])
    exam = step.requested_procedure
    number = exam.order.patient.identifiers.get()
    for keys in (
        {"AccessionNumber": three[0]},
        {"RequestedProcedureID": exam.requested_procedure_id},
        {"StudyInstanceUID": exam.study_instance_uid},
        {"PatientID": number.value},
        {"PatientID": number.value, "IssuerOfPatientID": "NMG"},
        {"PatientID": f"{number.value[:-1]}?", "PatientName": "Falk*"},
        {"ScheduledProcedureStepID": step.scheduled_procedure_step_id},
    ):
        assert ask(hospital, **keys) == [three[0]], keys
    assert ask(hospital, PatientID=number.value, IssuerOfPatientID="SOUTH") == []
    assert ask(hospital, PatientID=number.value[:-1]) == []


def test_a_merged_number_finds_the_person_who_survives(hospital):
    d = hospital.department
    step = hospital.book(d.exam(name="Falk^Ines"))
    order = step.requested_procedure.order
    kept = d.patient("Falk-Berg^Ines")
    old_number = order.patient.identifiers.get().value
    order.patient.survivor = kept
    order.patient.save()
    query = Dataset()
    query.PatientID = old_number
    query.PatientName = ""
    (item,) = modality_worklist(actor=hospital.scanner, query=query, at=NOW)
    assert item.PatientName == "Falk-Berg^Ines"
    assert item.PatientID == kept.identifiers.get().value
    query.PatientID = item.PatientID
    assert len(modality_worklist(actor=hospital.scanner, query=query, at=NOW)) == 1
    assert ask(hospital, PatientName="Falk^Ines") == []
    assert ask(hospital, PatientName="Falk-Berg*") == [order.accession_number]


def test_only_what_waits_is_shown(hospital):
    d = hospital.department
    step = hospital.book(d.exam())
    accession = step.requested_procedure.order.accession_number
    key = {"actor": d.scheduler, "appointment_id": step.appointment_id, "at": NOW}
    assert ask(hospital) == [accession]
    scheduling.appointment_arrive(**key)
    assert ask(hospital, ScheduledProcedureStepStatus="ARRIVED") == [accession]
    scheduling.appointment_check_in(**key)
    assert ask(hospital) == [accession]
    scheduling.appointment_cancel(reason="ill", **key)
    assert ask(hospital) == []


def test_a_begun_step_is_shown_where_the_hospital_wants_it(hospital, settings):
    from apps.worklists import services

    step = hospital.book(hospital.department.exam())
    services.exam_start(actor=hospital.department.technologist, step_id=step.pk, at=NOW)
    assert ask(hospital) == []
    settings.ISOCENTER_WORKLIST_STARTED = True
    assert ask(hospital, ScheduledProcedureStepStatus="STARTED")


def test_another_site_sees_nothing(hospital, three):
    assert ask(hospital, hospital.far_scanner) == []
    assert ask(hospital, hospital.far_scanner, AccessionNumber=three[0]) == []
    with pytest.raises(NotPermittedError):
        ask(hospital, actor_of(Role.RADIOLOGIST, hospital.department.site))


def test_the_answer_has_every_key_of_types_1_and_2(hospital):
    """PS3.4 Table K.6-1, read by hand."""
    d = hospital.department
    order = d.order(name="Yamada^Tarou=山田^太郎", priority="urgent")
    order.referring_physician_name = "Sato^Mika"
    order.reason = "Cough for six weeks"
    order.save()
    step = hospital.book(order.requested_procedures.get())
    exam = step.requested_procedure
    wanted = [
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "PatientBirthDate",
        "PatientSex",
        "PatientWeight",
        "ConfidentialityConstraintOnPatientDataDescription",
        "MedicalAlerts",
        "Allergies",
        "PregnancyStatus",
        "PatientState",
        "SpecialNeeds",
        "AdmissionID",
        "CurrentPatientLocation",
        "ReferencedPatientSequence",
        "AccessionNumber",
        "ReferringPhysicianName",
        "RequestingPhysician",
        "RequestedProcedureID",
        "RequestedProcedureDescription",
        "RequestedProcedureCodeSequence",
        "StudyInstanceUID",
        "ReferencedStudySequence",
        "RequestedProcedurePriority",
        "PatientTransportArrangements",
        "ReasonForTheRequestedProcedure",
        "IssuerOfAccessionNumberSequence",
    ]
    query = Dataset()
    for keyword in wanted:
        setattr(query, keyword, [] if keyword.endswith("Sequence") else None)
    query.ScheduledProcedureStepSequence = []
    (item,) = modality_worklist(actor=hospital.scanner, query=query, at=NOW)
    assert {tag_for_keyword(keyword) for keyword in wanted} <= set(item.keys())
    assert item.PatientName == "Yamada^Tarou=山田^太郎"
    assert item.PatientBirthDate == "19840522"
    assert item.RequestedProcedurePriority == "HIGH"
    assert item.ReferringPhysicianName == "Sato^Mika"
    assert item.StudyInstanceUID == exam.study_instance_uid
    code = item.RequestedProcedureCodeSequence[0]
    assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == (
        "CTCHEST",
        "L",
        "CT chest",
    )
    inner = item.ScheduledProcedureStepSequence[0]
    assert (inner.ScheduledProcedureStepStartDate, inner.ScheduledProcedureStepStartTime) == (
        "20261124",
        "100000",
    )
    for keyword in [
        "ScheduledStationAETitle",
        "Modality",
        "ScheduledPerformingPhysicianName",
        "ScheduledProcedureStepDescription",
        "ScheduledStationName",
        "ScheduledProcedureStepLocation",
        "ScheduledProtocolCodeSequence",
        "PreMedication",
        "ScheduledProcedureStepID",
        "RequestedContrastAgent",
    ]:
        assert keyword in inner, keyword


def test_a_query_is_one_audited_event_with_its_text(hospital, three):
    ask(hospital, Modality="CT", ScheduledProcedureStepStartDate="20261124-", PatientName="F*")
    event = AuditEvent.objects.get(event="worklists.modality.queried")
    assert event.actor_key == "ae:CT1"
    assert event.query == ("PatientName=F*; Modality=CT; ScheduledProcedureStepStartDate=20261124-")


def test_a_date_that_is_none_is_said(hospital):
    with pytest.raises(InvalidKeyError) as caught:
        ask(hospital, ScheduledProcedureStepStartDate="tomorrow")
    assert caught.value.code == "worklists.invalid-key"


def test_queries_do_not_grow_with_the_answers(hospital, django_assert_max_num_queries):
    d = hospital.department
    for minute in range(0, 60, 30):
        hospital.book(d.exam(), f"2026-11-24 10:{minute:02d}")
    with django_assert_max_num_queries(8) as few:
        assert len(ask(hospital, PatientName="F*")) == 2
    for hour in range(12, 16):
        hospital.book(d.exam(), f"2026-11-24 {hour}:00")
    with django_assert_max_num_queries(len(few.captured_queries)):
        assert len(ask(hospital, PatientName="F*")) == 6


def test_the_same_number_of_another_issuer_is_another_person(hospital):
    d = hospital.department
    step = hospital.book(d.exam())
    number = step.requested_procedure.order.patient.identifiers.get().value
    stranger = d.patient("Falk^Ida")
    PatientIdentifier.objects.create(patient=stranger, value=number, issuer="SOUTH")
    other = hospital.book(d.order(patient=stranger).requested_procedures.get(), "2026-11-24 15:00")
    accession = other.requested_procedure.order.accession_number
    assert ask(hospital, PatientID=number, IssuerOfPatientID="SOUTH") == [accession]
    assert len(ask(hospital, PatientID=number)) == 2


def test_a_very_restricted_order_is_not_on_a_scanner_s_list(hospital):
    d = hospital.department
    admin = actor_of(Role.ADMINISTRATOR, d.site)
    exam = d.exam(confidentiality="V")
    scheduling.appointment_book(
        actor=admin,
        requested_procedure_id=exam.pk,
        room_id=d.ct1.pk,
        start_at=NOW + datetime.timedelta(hours=1),
        at=NOW,
    )
    assert ask(hospital) == []
    assert ask(hospital, admin) == [exam.order.accession_number]


def test_an_item_holds_the_keys_that_are_claimed(hospital):
    step = hospital.book(hospital.department.exam())
    item = worklist_item(step)
    inner = item.ScheduledProcedureStepSequence[0]
    beside = {"SpecificCharacterSet", "ScheduledProcedureStepSequence"}
    assert {element.keyword for element in item} - beside == set(items.KEYS)
    assert {element.keyword for element in inner} == set(items.STEP_KEYS)
