"""Writing patients, orders, appointments and steps in bulk, as commands would have left them."""

import datetime as dt
import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from apps.accounts.models import AccessGrant
from apps.core.uids import derived_uid
from apps.demo.seed.plan import Plan, PlannedExam, PlannedPatient
from apps.demo.seed.staff import Hospital
from apps.orders.models import AccessionSequence, Order, RequestedProcedure
from apps.patients.domain import name_search, split_groups
from apps.patients.models import Patient, PatientIdentifier
from apps.scheduling.models import Appointment, ScheduledStep
from apps.scheduling.steps import scheduled_step_place, step_id

BATCH = 1000
SEEDER = "system:demo"
FIRST_NUMBER = 4_080_000
ORDER_STATE = {
    "booked": "SC", "arrived": "SC", "checked-in": "SC", "started": "IP", "fulfilled": "CM",
    "stopped": "DC",
}  # fmt: skip
APPOINTMENT_STATE = {"started": "checked-in", "stopped": "fulfilled"}
STEP_STATE = {
    "booked": "SCHEDULED", "arrived": "ARRIVED", "checked-in": "READY", "started": "STARTED",
    "fulfilled": "COMPLETED", "stopped": "DISCONTINUED", "noshow": "CANCELED",
    "cancelled": "CANCELED",
}  # fmt: skip
REBOOK_WITHIN = dt.timedelta(days=14)
"""After this, a missed or cancelled exam that nobody booked again was called off."""


@dataclass(frozen=True)
class Written:
    """An exam with the rows it became."""

    plan: PlannedExam
    order: Order
    exam: RequestedProcedure
    step: ScheduledStep | None


def write_patients(hospital: Hospital, plan: Plan) -> dict[int, Patient]:
    """Write the patients with their numbers; those of the second site are known there only."""
    joined = plan.at - dt.timedelta(days=400)
    rows = [_patient(hospital, one, joined) for one in plan.patients]
    Patient.objects.bulk_create(rows, batch_size=BATCH)
    found = {one.number: row for one, row in zip(plan.patients, rows, strict=True)}
    PatientIdentifier.objects.bulk_create(
        [
            PatientIdentifier(
                patient=row,
                value=str(FIRST_NUMBER + 37 * number + number % 10),
                issuer=row.site.issuer_of_patient_id,
                type_code="MR",
                primary=True,
            )
            for number, row in found.items()
        ],
        batch_size=BATCH,
    )
    return found


def _patient(hospital: Hospital, one: PlannedPatient, joined: dt.datetime) -> Patient:
    alphabetic, ideographic, phonetic = split_groups(one.name)
    return Patient(
        site=hospital.sites["MAIN"],
        confidentiality="V" if one.number % 97 == 41 else "N",
        name_alphabetic=alphabetic,
        name_ideographic=ideographic,
        name_phonetic=phonetic,
        name_search=name_search(alphabetic, ideographic, phonetic),
        birth_date=one.birth_date,
        sex=one.sex,
        phone=one.phone,
        address=one.home,
        created_at=joined,
        updated_at=joined,
    )


def write_exams(hospital: Hospital, plan: Plan, patients: dict[int, Patient]) -> list[Written]:
    """Write orders, exams, appointments, steps and the referrers' grants."""
    stories = sorted([*plan.exams, *plan.waiting], key=lambda e: e.ordered_at)
    orders = _orders(hospital, plan, stories, patients)
    Order.objects.bulk_create(orders, batch_size=BATCH)
    exams = [_exam(hospital, one, order) for one, order in zip(stories, orders, strict=True)]
    RequestedProcedure.objects.bulk_create(exams, batch_size=BATCH)
    steps = _steps(hospital, stories, exams)
    AccessGrant.objects.bulk_create(
        itertools.chain.from_iterable(
            _grants(order, exam) for order, exam in zip(orders, exams, strict=True)
        ),
        batch_size=BATCH,
    )
    return [Written(*row) for row in zip(stories, orders, exams, steps, strict=True)]


def _orders(
    hospital: Hospital, plan: Plan, stories: list[PlannedExam], patients: dict[int, Patient]
) -> list[Order]:
    last = dict.fromkeys(hospital.sites, 0)
    orders: list[Order] = []
    for one in stories:
        site = hospital.sites[one.room.site]
        last[site.code] += 1
        patient = patients[one.patient.number]
        status, reason = _order_state(one, plan.at)
        referrer = hospital.people[one.referrer.username]
        from_hospital = one.referrer.service != "General practice"
        orders.append(
            Order(
                site=site,
                confidentiality=patient.confidentiality,
                patient=patient,
                accession_number=f"{site.code[:5]}{last[site.code]:07d}",
                issuer_of_accession_number=site.issuer_of_accession_number,
                placer_order_number=f"{site.issuer_of_patient_id}{700000 + len(orders)}"
                if from_hospital
                else "",
                placer_issuer=f"{site.issuer_of_patient_id}-EHR" if from_hospital else "",
                status=status,
                priority=one.priority,
                reason=one.reason,
                clinical_info="",
                requesting_service=one.referrer.service,
                referrer=referrer,
                referring_physician_name=f"{one.referrer.last}^{one.referrer.first}^^{one.referrer.title}",
                ordered_at=one.ordered_at,
                requested_at=one.start if one.state != "to-book" else None,
                cancel_reason=reason,
                source="hl7" if from_hospital else "page",
            )
        )
    for code, number in last.items():
        AccessionSequence.objects.update_or_create(
            site=hospital.sites[code], defaults={"last": number}
        )
    return orders


def _order_state(one: PlannedExam, at: dt.datetime) -> tuple[str, str]:
    if one.state in ORDER_STATE:
        return ORDER_STATE[one.state], ""
    if one.state == "to-book":
        return ("VT" if one.line.vetted else "RE"), ""
    if one.start < at - REBOOK_WITHIN:
        return "CA", one.cancel_reason or "Did not come; the referrer knows"
    return "RE", ""


def _exam(hospital: Hospital, one: PlannedExam, order: Order) -> RequestedProcedure:
    procedure = hospital.procedures[one.line.code]
    return RequestedProcedure(
        order=order,
        number=1,
        procedure=procedure,
        code=procedure.code,
        coding_scheme=procedure.coding_scheme,
        description=procedure.meaning,
        modality=procedure.modality,
        body_part=procedure.body_part,
        laterality=one.laterality,
        requested_procedure_id=f"P{order.pk}.1",
        study_instance_uid=derived_uid(
            "isocenter demo", order.issuer_of_accession_number, order.accession_number
        ),
    )


def _steps(
    hospital: Hospital, stories: list[PlannedExam], exams: list[RequestedProcedure]
) -> list[ScheduledStep | None]:
    booked = [k for k, one in enumerate(stories) if one.state != "to-book"]
    appointments = [_appointment(hospital, stories[k]) for k in booked]
    Appointment.objects.bulk_create(appointments, batch_size=BATCH)
    steps: list[ScheduledStep | None] = [None] * len(stories)
    rows = []
    for k, appointment, key in zip(booked, appointments, _step_keys(len(booked)), strict=True):
        one, exam = stories[k], exams[k]
        step = ScheduledStep(
            pk=key,
            requested_procedure=exam,
            appointment=appointment,
            status=STEP_STATE[one.state],
            status_source="" if one.state == "booked" else "person",
            started_at=one.started_at,
            ended_at=one.ended_at,
            scheduled_procedure_step_id=step_id(key),
            description=exam.description[:64],
        )
        scheduled_step_place(
            step=step, room=hospital.rooms[one.room.site, one.room.code], start_at=one.start
        )
        steps[k] = step
        rows.append(step)
    ScheduledStep.objects.bulk_create(rows, batch_size=BATCH)
    return steps


def _step_keys(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('scheduling_scheduledstep', 'id'))"
            " FROM generate_series(1, %s)",
            [count],
        )
        return [int(row[0]) for row in cursor.fetchall()]


def _appointment(hospital: Hospital, one: PlannedExam) -> Appointment:
    came = one.state in {"arrived", "checked-in", "started", "fulfilled", "stopped"}
    return Appointment(
        room=hospital.rooms[one.room.site, one.room.code],
        period=DateTimeTZRange(one.start, one.end, "[)"),
        status=APPOINTMENT_STATE.get(one.state, one.state),
        booked_by="Arden, Tessa" if one.room.site == "MAIN" else "Hale, Sally",
        booked_at=one.ordered_at + dt.timedelta(minutes=12),
        arrived_at=(one.started_at or one.start) - dt.timedelta(minutes=14) if came else None,
        cancel_reason=one.cancel_reason if one.state == "cancelled" else "",
    )


def _grants(order: Order, exam: RequestedProcedure) -> Iterable[AccessGrant]:
    referrer = order.referrer
    if referrer is None:
        return
    grantees = [f"user:{referrer.pk}"]
    if referrer.practice_id:
        grantees.append(f"practice:{referrer.practice_id}")
    for grantee in grantees:
        yield AccessGrant(
            grantee=grantee,
            exam_key=exam.pk,
            reason="referred the exam",
            granted_at=order.ordered_at,
            granted_by=SEEDER,
        )
