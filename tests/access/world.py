"""Two sites with one of everything that an address can name, and the people who ask for it."""

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from apps.accounts.domain import Role
from apps.accounts.models import ApplicationEntity, Hl7Peer, Site, User
from apps.accounts.selectors import actor_for_ae, actor_for_user
from apps.accounts.services import token_issue
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.actors import Actor
from apps.core.tasks import relay_once
from apps.core.uids import new_uid
from apps.dimse.models import AssociationRecord
from apps.exchange.models import StorageCommitment
from apps.exchange.services import commitment_request
from apps.orders import services as orders
from apps.orders import steps as order_steps
from apps.orders.domain import ExamRequest, Referral
from apps.orders.models import Order, OrderAttention, Procedure, RequestedProcedure
from apps.patients.models import Patient
from apps.reports import services as reports
from apps.reports.models import DraftKind, KeptText, Report
from apps.scheduling import services as scheduling
from apps.scheduling.models import Appointment, OpeningHours, Room, ScheduledStep
from apps.studies.commitment import Reference
from apps.studies.domain import IntakeAction
from apps.studies.ingest.rules import forget_rules
from apps.studies.models import (
    Instance,
    InstanceVersion,
    QuarantinedObject,
    Study,
    UploadedFile,
)
from apps.studies.services import instances_record
from apps.studies.services.intake import intake_rule_save
from apps.studies.services.quarantine import quarantine_discard
from apps.studies.services.uploads import Offer, files_offer, upload_begin
from apps.worklists import services as worklists
from apps.worklists.models import ReadingFilter, ReadingItem
from apps.worklists.reading.services import reading_claim, reading_release
from apps.workspace.attention.closing import item_close
from tests.factories.dicom import as_file, ct_slice, stage
from tests.reading.builders import SYSTEM, ReadingRoom, make_room, make_user
from tests.reports.writing import draft, sign

ABSENT = 999_999_999
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
OWN_NAME, OTHER_NAME = "Ownmark", "Othermark"


@dataclass
class Place:
    """One site, and one object of it for every state that an address needs.

    Attributes:
        bookable: an exam that waits to be booked.
        vetting: an order that waits to be accepted.
        appointments: by what was done to each: booked, moved, cancelled, arrived, noshow.
        steps: by the deed that each is ready for.
        reports: by state: draft, preliminary, final, revised.
        unknown, mapped, closed: breaks, open and mended in two ways.
    """

    site: Site
    room: Room
    patient: Patient
    bookable: RequestedProcedure
    vetting: Order
    appointments: dict[str, Appointment]
    steps: dict[str, ScheduledStep]
    item: ReadingItem
    claimed: ReadingItem
    study: Study
    series: str
    instance: str
    image: Instance
    version: InstanceVersion
    commitment: StorageCommitment
    reports: dict[str, Report]
    kept: KeptText
    unknown: OrderAttention
    mapped: OrderAttention
    closed: OrderAttention
    saved_filter: ReadingFilter
    colleague: User
    held: QuarantinedObject
    discarded: QuarantinedObject
    uploaded: UploadedFile

    @property
    def name(self) -> str:
        """The family name that a page about this patient must show."""
        return OWN_NAME if self.site.code == "MAIN" else OTHER_NAME


@dataclass
class World:
    """What the table is asked of. `own` is at MAIN, `other` at a second site."""

    own: Place
    other: Place
    people: dict[str, User]
    token: str
    event: AuditEvent
    association: AssociationRecord
    node: ApplicationEntity
    peer: Hl7Peer
    ct: Procedure
    tomorrow: datetime.date

    def slot(self, half_hours: int = 0) -> datetime.datetime:
        """A start tomorrow that nobody has: from 20:00."""
        return at_clock(self.tomorrow, 20 * 60 + 30 * half_hours)


def tomorrow() -> datetime.date:
    return (clock.now() + datetime.timedelta(days=1)).date()


def at_clock(date: datetime.date, minutes: int) -> datetime.datetime:
    start = datetime.datetime.combine(date, datetime.time(), datetime.UTC)
    return start + datetime.timedelta(minutes=minutes)


def actor(user: User) -> Actor:
    return actor_for_user(User.objects.get(pk=user.pk), "127.0.0.1")


def build() -> World:
    """Build both sites with the product's own commands."""
    reading = make_room()
    main, north = reading.main, reading.north
    people = {
        "scheduler": make_user("scheduler", Role.SCHEDULER, main),
        "technologist": reading.technologist,
        "radiologist": reading.falk,
        "referrer": reading.hart,
        "privacy": make_user("privacy", Role.PRIVACY_OFFICER, main),
        "admin": reading.admin,
        "elsewhere": make_user("elsewhere", Role.RADIOLOGIST, north),
        "stranger": reading.stranger,
    }
    everyone = [role.value for role in Role if role is not Role.ADMINISTRATOR]
    User.objects.filter(username="elsewhere").update(roles=everyone)
    away = people["elsewhere"] = User.objects.get(username="elsewhere")
    own = Builder(reading, main, reading.hart, reading.falk, reading.osei).place(OWN_NAME)
    other = Builder(reading, north, reading.stranger, away, reading.north_reader).place(OTHER_NAME)
    event = AuditEvent.objects.order_by("pk").first()
    assert event is not None
    return World(
        own=own,
        other=other,
        people={key: User.objects.get(pk=user.pk) for key, user in people.items()},
        token=token_issue(actor=SYSTEM, username=reading.technologist.username, at=clock.now()),
        event=event,
        association=AssociationRecord.objects.create(
            association=uuid.uuid4(),
            started_at=clock.now(),
            seconds=0.1,
            address="10.0.0.9",
            end="released",
            words="released",
        ),
        node=ApplicationEntity.objects.create(ae_title="NODE", host="127.0.0.1", port=1, site=main),
        peer=Hl7Peer.objects.create(name="HIS", app="HIS", facility="F", site=main),
        ct=reading.ct,
        tomorrow=tomorrow(),
    )


class Builder:
    """Makes the objects of one site."""

    def __init__(self, reading: ReadingRoom, site: Site, *people: User) -> None:
        self.reading, self.site = reading, site
        self.referrer, self.reader, self.colleague = people
        self.tomorrow = tomorrow()
        self.slots = iter(range(6 * 60, 20 * 60, 30))
        self.room = Room.objects.create(
            site=site,
            code="CT1",
            name="CT 1",
            modality="CT",
            scheduled_station_ae_title=f"CT1_{site.code}",
        )
        OpeningHours.objects.bulk_create(
            OpeningHours(
                room=self.room, weekday=day, opens=datetime.time(0), closes=datetime.time(23, 59)
            )
            for day in range(7)
        )

    def place(self, name: str) -> Place:
        self.patient = self.reading.patient(f"{name}^Adaeze", site=self.site)
        appointments = {
            key: self.appointment() for key in ("booked", "moved", "cancelled", "arrived", "noshow")
        }
        self.change(appointments)
        study, series, instance = self.images()
        item = ReadingItem.objects.get(requested_procedure__matches__study=study)
        found = {state: self.report(state) for state in ("draft", "preliminary", "final")}
        found["revised"] = self.report("final")
        reports.report_revise(
            actor=actor(self.reader),
            report_id=found["revised"].pk,
            kind=DraftKind.ADDENDUM,
            at=clock.now(),
        )
        kept = KeptText.objects.create(
            report=found["draft"],
            author=self.reader,
            sections=found["draft"].draft_sections,
            base_revision=1,
            kept_at=clock.now(),
        )
        claimed = self.reading.item(self.exam())
        reading_claim(actor=actor(self.reader), item_id=claimed.pk, at=clock.now())
        unknown, mapped, closed = self.breaks()
        held, discarded = self.quarantine()
        return Place(
            site=self.site,
            room=self.room,
            patient=self.patient,
            bookable=self.exam(),
            vetting=self.vetting(),
            appointments=appointments,
            steps=self.steps(),
            item=item,
            claimed=claimed,
            study=study,
            series=series,
            instance=instance,
            image=Instance.objects.get(sop_instance_uid=instance),
            version=InstanceVersion.objects.get(instance__sop_instance_uid=instance),
            commitment=self.commitment(),
            reports=found,
            kept=kept,
            unknown=unknown,
            mapped=mapped,
            closed=closed,
            saved_filter=ReadingFilter.objects.create(
                user=self.reader, name="Mine", filters={"modality": "CT"}
            ),
            colleague=self.colleague,
            held=held,
            discarded=discarded,
            uploaded=self.uploaded(),
        )

    def uploaded(self) -> UploadedFile:
        """A file that is coming, in an upload of the technologist, or of the one elsewhere."""
        at_main = self.site == self.reading.main
        who = actor(self.reading.technologist if at_main else self.reader)
        upload = upload_begin(actor=who, at=clock.now())
        offer = Offer("image", 1000, "0" * 64)
        [file] = files_offer(actor=who, upload_id=upload.pk, offers=[offer], at=clock.now())
        return file

    def exam(self) -> RequestedProcedure:
        return self.reading.exam(self.patient, site=self.site, referrer=self.referrer)

    def vetting(self) -> Order:
        vetted = Procedure.objects.filter(code="CTVETTED").first() or Procedure.objects.create(
            code="CTVETTED",
            meaning="CT to be vetted",
            modality="CT",
            duration_minutes=20,
            needs_vetting=True,
        )
        exam = self.reading.exam(
            self.patient, procedure=vetted, site=self.site, referrer=self.referrer
        )
        return exam.order

    def appointment(self) -> Appointment:
        return scheduling.appointment_book(
            actor=SYSTEM,
            requested_procedure_id=self.exam().pk,
            room_id=self.room.pk,
            start_at=at_clock(self.tomorrow, next(self.slots)),
            at=clock.now(),
        )

    def change(self, appointments: dict[str, Appointment]) -> None:
        by: dict[str, Any] = {"actor": SYSTEM, "at": clock.now()}
        scheduling.appointment_move(
            appointment_id=appointments["moved"].pk,
            room_id=self.room.pk,
            start_at=at_clock(self.tomorrow, next(self.slots)),
            **by,
        )
        scheduling.appointment_cancel(
            appointment_id=appointments["cancelled"].pk, reason="Ill", **by
        )
        scheduling.appointment_arrive(appointment_id=appointments["arrived"].pk, **by)
        scheduling.appointment_noshow(appointment_id=appointments["noshow"].pk, **by)
        for appointment in appointments.values():
            appointment.refresh_from_db()

    def steps(self) -> dict[str, ScheduledStep]:
        """A step for each deed: as it must stand for the deed to be possible."""
        by: dict[str, Any] = {"actor": SYSTEM, "at": clock.now()}
        found = {
            deed: self.appointment()
            for deed in (
                "arrive", "ready", "missed", "start", "end", "stop",
                "undo-arrival", "undo-missed", "undo-exam",
            )
        }  # fmt: skip
        for deed in ("ready", "start", "end", "stop", "undo-arrival", "undo-exam"):
            scheduling.appointment_arrive(appointment_id=found[deed].pk, **by)
        scheduling.appointment_noshow(appointment_id=found["undo-missed"].pk, **by)
        steps = {deed: held.scheduled_steps.get() for deed, held in found.items()}
        for deed in ("end", "stop", "undo-exam"):
            worklists.exam_start(step_id=steps[deed].pk, **by)
        return steps

    def images(self) -> tuple[Study, str, str]:
        """One CT slice, matched by the UID that we issued, that came once more with other words."""
        exam = self.exam()
        number = self.patient.identifiers.get()
        ds = ct_slice(
            study=exam.study_instance_uid,
            PatientName=self.patient.name_alphabetic,
            PatientID=number.value,
            IssuerOfPatientID=number.issuer,
            AccessionNumber=exam.order.accession_number,
        )
        title = f"SCAN_{self.site.code}"
        ApplicationEntity.objects.create(ae_title=title, host="127.0.0.1", port=104, site=self.site)
        first = as_file(ds)
        ds.ImageComments = "once more"
        instances_record(
            actor=actor_for_ae(title, "127.0.0.1").actor,
            batch=[stage(first), stage(as_file(ds))],
            at=clock.now(),
            door="dimse",
        )
        while relay_once():
            pass
        study = Study.objects.get(study_instance_uid=exam.study_instance_uid)
        return study, str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID)

    def commitment(self) -> StorageCommitment:
        """A question of the scanner's that waits for its answer."""
        title = f"SCAN_{self.site.code}"
        return commitment_request(
            actor=actor_for_ae(title, "127.0.0.1").actor,
            ae_title=title,
            site_id=self.site.pk,
            association="",
            transaction_uid=new_uid(),
            references=[Reference(CT_IMAGE, new_uid())],
            at=clock.now(),
        )

    def quarantine(self) -> tuple[QuarantinedObject, QuarantinedObject]:
        """Two objects that were held back; a person discarded the second."""
        title, at = f"SCAN_{self.site.code}", clock.now()
        intake_rule_save(actor=SYSTEM, source=f"ae:{title}", action=IntakeAction.QUARANTINE, at=at)
        forget_rules()
        instances_record(
            actor=actor_for_ae(title, "127.0.0.1").actor,
            batch=[stage(as_file(ct_slice(Modality=""))) for _ in range(2)],
            at=at,
            door="dimse",
        )
        forget_rules()
        held, discarded = QuarantinedObject.objects.filter(site=self.site).order_by("pk")
        quarantine_discard(actor=SYSTEM, keys=[discarded.pk], reason="A test", at=at)
        return held, discarded

    def report(self, state: str) -> Report:
        item = self.reading.item(self.exam())
        report = draft(self.reading, item, self.reader)
        if state == "preliminary":
            reports.report_preliminary(
                actor=actor(self.reader),
                report_id=report.pk,
                revision=report.draft_revision,
                at=clock.now(),
            )
        if state == "final":
            sign(self.reading, report, self.reader)
        reading_release(actor=actor(self.reader), item_id=item.pk, at=clock.now())
        report.refresh_from_db()
        return report

    def breaks(self) -> tuple[OrderAttention, OrderAttention, OrderAttention]:
        """Three orders with a code that the catalogue does not know; two were mended."""
        at = clock.now()
        for code in ("ZZ1", "ZZ2", "ZZ3"):
            order_steps.order_place(
                actor=SYSTEM,
                patient=self.patient,
                site=self.site,
                exams=[ExamRequest(code=code, coding_scheme="L", description="Unknown")],
                at=at,
                door="hl7",
                source="hl7",
                referral=Referral(user_id=self.referrer.pk),
            )
        unknown, mapped, closed = OrderAttention.objects.filter(site=self.site).order_by("pk")
        orders.unknown_procedure_resolve(
            actor=SYSTEM, item_id=mapped.pk, procedure_id=self.reading.ct.pk, remember=False, at=at
        )
        item_close(actor=SYSTEM, model=OrderAttention, key=closed.pk, reason="Settled", at=at)
        return unknown, mapped, closed


def another_slice(place: Place) -> bytes:
    """A new object for the study of a place."""
    number = place.patient.identifiers.get()
    return as_file(
        ct_slice(
            study=place.study.study_instance_uid,
            PatientName=place.patient.name_alphabetic,
            PatientID=number.value,
            IssuerOfPatientID=number.issuer,
        )
    )


def foreign_slice() -> bytes:
    """A new object of a study that nobody knows."""
    return as_file(ct_slice(study=new_uid(), PatientID="NEW1"))
