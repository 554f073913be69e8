"""A scheduled step as an item of the modality worklist.

Source: PS3.4 Table K.6-1; types 1, 1C and 2 are all there, so that a scanner finds what it asks.
"""

from pydicom.dataset import Dataset

from apps.orders.models import Order, RequestedProcedure
from apps.patients.models import Patient
from apps.patients.selectors import current, primary_identifier
from apps.scheduling.models import ScheduledStep

PRIORITIES = {"stat": "STAT", "urgent": "HIGH", "routine": "ROUTINE"}
CONFIDENTIALITY = {"R": "Restricted", "V": "Very restricted"}
CODE_VALUE_LENGTH = 16
NOT_KNOWN_HERE = (
    "PatientWeight",
    "MedicalAlerts",
    "Allergies",
    "PregnancyStatus",
    "PatientState",
    "SpecialNeeds",
    "AdmissionID",
    "CurrentPatientLocation",
    "PatientTransportArrangements",
)
"""Type 2 return keys of which nothing is known: they go out empty."""
STEP_SEQUENCE = "ScheduledProcedureStepSequence"
BESIDE = ("SpecificCharacterSet", "TimezoneOffsetFromUTC")
KEYS = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
    *("ConfidentialityConstraintOnPatientDataDescription", "ReferencedPatientSequence"),
    *NOT_KNOWN_HERE,
    *("AccessionNumber", "IssuerOfAccessionNumberSequence", "ReferringPhysicianName"),
    *("RequestingPhysician", "RequestingService", "PlacerOrderNumberImagingServiceRequest"),
    *("StudyInstanceUID", "RequestedProcedureID", "RequestedProcedureDescription"),
    *("RequestedProcedureCodeSequence", "RequestedProcedurePriority"),
    *("ReasonForTheRequestedProcedure", "ReferencedStudySequence"),
)
STEP_KEYS = (
    *("ScheduledStationAETitle", "ScheduledStationName", "ScheduledProcedureStepStartDate"),
    *("ScheduledProcedureStepStartTime", "Modality", "ScheduledPerformingPhysicianName"),
    *("ScheduledProcedureStepDescription", "ScheduledProtocolCodeSequence"),
    *("ScheduledProcedureStepLocation", "ScheduledProcedureStepID"),
    *("ScheduledProcedureStepStatus", "PreMedication", "RequestedContrastAgent"),
)
"""What an item holds, and so which keys match and return; STEP_KEYS in the step's sequence."""


def unsupported_keys(query: Dataset) -> set[int]:
    """Return the tags of an identifier that no item has, to match or to return (status FF01H)."""
    unknown = _unknown(query, {*KEYS, *BESIDE, STEP_SEQUENCE})
    for item in query.get(STEP_SEQUENCE) or []:
        unknown |= _unknown(item, {*STEP_KEYS, *BESIDE})
    return unknown


def _unknown(query: Dataset, known: set[str]) -> set[int]:
    return {int(e.tag) for e in query if e.tag.element and e.keyword not in known}


def worklist_item(step: ScheduledStep) -> Dataset:
    """Return the full answer for a step, with the identity of the surviving patient.

    The caller has fetched exam, procedure, order, patient, survivor and identifiers.
    """
    exam = step.requested_procedure
    item = Dataset()
    item.SpecificCharacterSet = "ISO_IR 192"
    _patient(item, current(exam.order.patient), exam.order)
    _request(item, exam.order)
    _procedure(item, exam, exam.order)
    item.ScheduledProcedureStepSequence = [_step(step, exam)]
    return item


def full_name(patient: Patient) -> str:
    """Return the PN with all its component groups."""
    groups = (patient.name_alphabetic, patient.name_ideographic, patient.name_phonetic)
    return "=".join(groups).rstrip("=")


def _patient(item: Dataset, patient: Patient, order: Order) -> None:
    number = primary_identifier(patient)
    item.PatientName = full_name(patient)
    item.PatientID = number.value if number else ""
    item.IssuerOfPatientID = number.issuer if number else ""
    item.PatientBirthDate = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else ""
    item.PatientSex = patient.sex
    stricter = max(patient.confidentiality, order.confidentiality, key="NRV".index)
    item.ConfidentialityConstraintOnPatientDataDescription = CONFIDENTIALITY.get(stricter, "")
    item.ReferencedPatientSequence = []
    for keyword in NOT_KNOWN_HERE:
        setattr(item, keyword, None)


def _request(item: Dataset, order: Order) -> None:
    issuer = Dataset()
    issuer.LocalNamespaceEntityID = order.issuer_of_accession_number
    item.AccessionNumber = order.accession_number
    item.IssuerOfAccessionNumberSequence = [issuer]
    item.ReferringPhysicianName = order.referring_physician_name
    item.RequestingPhysician = order.referring_physician_name
    item.RequestingService = order.requesting_service
    item.PlacerOrderNumberImagingServiceRequest = order.placer_order_number


def _procedure(item: Dataset, exam: RequestedProcedure, order: Order) -> None:
    item.StudyInstanceUID = exam.study_instance_uid
    item.RequestedProcedureID = exam.requested_procedure_id
    item.RequestedProcedureDescription = exam.description[:64]
    item.RequestedProcedureCodeSequence = [procedure_code(exam)]
    item.RequestedProcedurePriority = PRIORITIES[order.priority]
    item.ReasonForTheRequestedProcedure = order.reason[:64]
    item.ReferencedStudySequence = []


def procedure_code(exam: RequestedProcedure) -> Dataset:
    """Return the exam's code item: the catalogue's code, else the one received."""
    code = Dataset()
    known = exam.procedure
    value = known.code if known else exam.code
    if len(value) <= CODE_VALUE_LENGTH:
        code.CodeValue = value
    else:
        code.LongCodeValue = value
    code.CodingSchemeDesignator = (known.coding_scheme if known else exam.coding_scheme)[:16] or "L"
    code.CodeMeaning = (known.meaning if known else exam.description)[:64]
    return code


def _step(step: ScheduledStep, exam: RequestedProcedure) -> Dataset:
    item = Dataset()
    item.ScheduledStationAETitle = step.scheduled_station_ae_title
    item.ScheduledStationName = step.scheduled_station_name
    item.ScheduledProcedureStepStartDate = f"{step.start_date:%Y%m%d}"
    item.ScheduledProcedureStepStartTime = f"{step.start_time:%H%M%S}"
    item.Modality = step.modality
    item.ScheduledPerformingPhysicianName = step.performing_physician_name
    item.ScheduledProcedureStepDescription = step.description or exam.description[:64]
    item.ScheduledProtocolCodeSequence = [procedure_code(exam)]
    item.ScheduledProcedureStepLocation = step.scheduled_station_name
    item.ScheduledProcedureStepID = step.scheduled_procedure_step_id
    item.ScheduledProcedureStepStatus = step.status
    item.PreMedication = None
    item.RequestedContrastAgent = None
    return item
