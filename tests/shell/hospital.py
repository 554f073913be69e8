"""A small department for the tests of the frame: six people, one patient with a history."""

import datetime
from types import SimpleNamespace

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from apps.accounts.domain import Role
from apps.accounts.models import User
from apps.accounts.selectors import main_site
from apps.core.actors import system_actor
from apps.core.uids import new_uid
from apps.orders import services as orders
from apps.orders.domain import ExamRequest, Indication
from apps.patients import services as patients
from apps.patients.domain import Demographics, QualifiedId
from apps.reports.models import Report, ReportVersion
from apps.scheduling.models import Appointment, Room, ScheduledStep
from apps.studies.models import Study, StudyMatch

PASSWORD = "a-demonstration-2026"
SYSTEM = system_actor("test")
PEOPLE = {
    Role.SCHEDULER: ("Tomi", "Alander", ""),
    Role.TECHNOLOGIST: ("Bram", "Meijer", ""),
    Role.RADIOLOGIST: ("Ines", "Falk", "Dr"),
    Role.REFERRER: ("Priya", "Raman", "Dr"),
    Role.PRIVACY_OFFICER: ("Sanne", "Nyholm", ""),
    Role.ADMINISTRATOR: ("Jonas", "Maier", ""),
}


def people(site):
    made = {}
    for role, (first, last, title) in PEOPLE.items():
        user = User(
            username=role.value,
            roles=[role.value],
            first_name=first,
            last_name=last,
            title=title,
            home_site=site,
        )
        user.set_password(PASSWORD)
        user.save()
        user.sites.add(site)
        made[role] = user
    return made


def patient(name, born, sex, number, *more, site, at):
    said = Demographics(name=name, birth_date=born, sex=sex, phone="+44 7700 900 142")
    numbers = [QualifiedId(number, site.issuer_of_patient_id, "MR"), *more]
    return patients.patient_register(
        actor=SYSTEM, identifiers=numbers, demographics=said, site_id=site.pk, at=at
    ).patient


def exam(person, site, procedure, at, reason="Sudden chest pain and breathlessness"):
    order = orders.order_place(
        actor=SYSTEM,
        patient_id=person.pk,
        site_id=site.pk,
        exams=[ExamRequest(code=procedure.code, procedure_id=procedure.pk)],
        at=at,
        indication=Indication(reason=reason),
    )
    return order.requested_procedures.get()


def study(person, at, description, *, modality="CT", images=614, **fields):
    return Study.objects.create(
        site=person.site,
        patient=person,
        study_instance_uid=fields.pop("uid", None) or new_uid(),
        study_date=f"{at:%Y%m%d}",
        study_time=f"{at:%H%M%S}",
        study_description=description,
        modalities_in_study=[modality],
        number_of_series=3 if images else 0,
        number_of_instances=images,
        first_received_at=at,
        last_received_at=at,
        **{"completeness": "COMPLETE", **fields},
    )


def read(one, found, *, author, at, status, text):
    person, site = found.patient, found.site
    report = Report.objects.create(
        site=site, patient=person, status="registered", author=author, created_at=at
    )
    report.requested_procedures.add(one)
    report.studies.add(found)
    Report.objects.filter(pk=report.pk).update(status=status)
    ReportVersion.objects.create(
        report=report,
        number=1,
        status=status,
        sections=[{"key": "impression", "title": "Impression", "text": text}],
        signed_by=author,
        signed_by_display="Dr Ines Falk",
        signed_at=at,
        digest="0" * 64,
    )
    return report


def match(found, one, at):
    StudyMatch.objects.create(
        study=found,
        requested_procedure=one,
        score=100,
        reason="uid",
        matched_by="system:test",
        matched_at=at,
    )


def build(now):
    """Build the department at the given moment."""
    site = main_site()
    staff = people(site)
    hour, day = datetime.timedelta(hours=1), datetime.timedelta(days=1)
    cta, knee = (
        orders.procedure_save(
            actor=SYSTEM, code=code, meaning=meaning, modality=kind, duration_minutes=20
        )
        for code, meaning, kind in (
            ("CTPA", "Pulmonary angiogram", "CT"),
            ("XRKNEE", "Knee left, after operation", "DX"),
        )
    )
    room = Room.objects.create(
        site=site, code="CT1", name="CT 1", modality="CT", scheduled_station_ae_title="CT_1"
    )
    okonkwo = patient(
        "Okonkwo^Adaeze",
        datetime.date(1967, 11, 4),
        "F",
        "4081773",
        QualifiedId("671104-7731", "NATIONAL", "NI"),
        site=site,
        at=now,
    )
    okoro = patient("Okoro^Daniel", datetime.date(1990, 2, 19), "M", "3990412", site=site, at=now)

    today = exam(okonkwo, site, cta, now - 2 * hour)
    slot = Appointment.objects.create(
        room=room,
        period=DateTimeTZRange(now - hour, now - hour / 2),
        status="booked",
        booked_by="test",
        booked_at=now - 2 * hour,
        arrived_at=now - hour,
    )
    ScheduledStep.objects.create(
        requested_procedure=today,
        appointment=slot,
        site=site,
        status="SCHEDULED",
        scheduled_procedure_step_id="SPS-1",
        modality="CT",
        scheduled_station_ae_title="CT_1",
        start_at=now - hour,
        start_date=(now - hour).date(),
        start_time=(now - hour).time(),
    )
    ScheduledStep.objects.filter(requested_procedure=today).update(status="STARTED")
    ScheduledStep.objects.filter(requested_procedure=today).update(status="COMPLETED")
    images = study(okonkwo, now - hour, "CT PA", uid=today.study_instance_uid)
    match(images, today, now)
    author = staff[Role.RADIOLOGIST]
    read(
        today,
        images,
        author=author,
        at=now,
        status="preliminary",
        text="Acute pulmonary embolism in the right main artery. Nodule in the left upper lobe.",
    )
    before = exam(okonkwo, site, knee, now - 40 * day, "After arthroplasty")
    then = now - 40 * day
    films = study(
        okonkwo, then, "Knee left", modality="DX", images=2, uid=before.study_instance_uid
    )
    match(films, before, now)
    read(before, films, author=author, at=then + day, status="final", text="No loosening.")
    study(okonkwo, now - 900 * day, "Chest with contrast", images=0, availability="OFFLINE")
    study(okonkwo, now - 2 * day, "Wrist right", modality="DX", images=2, completeness="PARTIAL")
    exam(okonkwo, site, knee, now - hour)
    return SimpleNamespace(
        site=site, staff=staff, okonkwo=okonkwo, okoro=okoro, today=today, images=images, room=room
    )
