"""From visits to rows of orders, appointments and images, as commands would have left them.

No bytes stand behind the instances: they have no location, and their study says UNAVAILABLE.
"""

import datetime as dt
import random
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from apps.accounts.models import AccessGrant
from apps.archive.models import StoredObject
from apps.demo.seed.history import APPOINTMENT_STATE, ORDER_STATE, STEP_STATE
from apps.demo.synthetic.crowd import Crowd
from apps.demo.synthetic.days import MINUTE, Visit
from apps.demo.synthetic.hospital import Hospital, Referrer
from apps.demo.synthetic.people import Person
from apps.demo.synthetic.reading import ReadingRows
from apps.demo.synthetic.tables import NULL, Table
from apps.orders.models import Order, RequestedProcedure
from apps.scheduling.models import Appointment, ScheduledStep
from apps.scheduling.steps import step_id
from apps.studies.domain import Availability, Completeness, MatchReason
from apps.studies.models import Instance, Series, Study, StudyAttention, StudyMatch
from apps.studies.steps import UNMATCHED

SOURCE = "synthetic"
EVIDENCE = "synthetic: there are no images behind it"
SERIES_SIZES = (4, 3, 3)
"""Instances of each series: 3 series and 10 instances in all a study."""
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
SOP_CLASS = {
    "CT": "1.2.840.10008.5.1.4.1.1.2", "MR": "1.2.840.10008.5.1.4.1.1.4",
    "US": "1.2.840.10008.5.1.4.1.1.6.1", "DX": "1.2.840.10008.5.1.4.1.1.1.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
}  # fmt: skip
SIZE = {
    "CT": (512, 512), "MR": (320, 320), "US": (768, 1024), "DX": (2500, 2048), "MG": (3328, 2560),
}  # fmt: skip
DONE = frozenset({"fulfilled", "loose"})
CAME = frozenset({"arrived", "started", "fulfilled"})
STILL_OPEN = dt.timedelta(days=14)


class Asked(NamedTuple):
    """What a study knows of the order it was made for; empty for images without one."""

    exam: int = 0
    accession: str = ""
    issuer: str = ""
    referrer: str = ""
    service: str = ""


class Writer:
    """Turns visits into rows; `flush` copies what was added.

    Args:
        seed: of people and UIDs.
        hospital: what the rows point to.
        at: now, by the synthetic hospital's clock.
        first: number of the first visit to come; accessions and UIDs are made of it.
    """

    def __init__(self, *, seed: int, hospital: Hospital, at: dt.datetime, first: int) -> None:
        """Begin with empty tables."""
        self.hospital, self.at, self.number = hospital, at, first
        self.root = uuid.uuid5(uuid.NAMESPACE_OID, f"isocenter synthetic/{seed}").int >> 64 << 64
        self.crowd = Crowd(seed, hospital, at)
        self.reading = ReadingRows(hospital, at)
        self.orders = Table(
            Order, "id", "site", "confidentiality", "patient", "accession_number",
            "issuer_of_accession_number", "placer_order_number", "placer_issuer", "status",
            "priority", "reason", "requesting_service", "referrer", "referring_physician_name",
            "ordered_at", "cancel_reason", "source",
        )  # fmt: skip
        self.exams = Table(
            RequestedProcedure, "id", "order", "procedure", "code", "coding_scheme", "description",
            "modality", "body_part", "requested_procedure_id", "study_instance_uid",
        )  # fmt: skip
        self.appointments = Table(
            Appointment, "id", "room", "period", "status", "booked_by", "booked_at", "arrived_at",
            "cancel_reason",
        )  # fmt: skip
        self.steps = Table(
            ScheduledStep, "id", "requested_procedure", "appointment", "site", "status",
            "status_source", "started_at", "ended_at", "scheduled_procedure_step_id", "modality",
            "scheduled_station_ae_title", "scheduled_station_name", "start_at", "start_date",
            "start_time", "description",
        )  # fmt: skip
        self.grants = Table(
            AccessGrant, "grantee", "exam_key", "reason", "granted_at", "granted_by"
        )
        self.objects = Table(
            StoredObject, "id", "size_bytes", "dataset_offset", "transfer_syntax_uid", "tier",
            "stored_at",
        )  # fmt: skip
        self.studies = Table(
            Study, "id", "site", "confidentiality", "study_instance_uid", "patient", "study_date",
            "study_time", "accession_number", "issuer_of_accession_number", "study_id",
            "study_description", "referring_physician_name", "modalities_in_study",
            "sop_classes_in_study", "number_of_series", "number_of_instances", "body_part",
            "received_patient_id", "received_issuer_of_patient_id", "received_patient_name",
            "received_patient_birth_date", "received_patient_sex", "character_set", "completeness",
            "completeness_evidence", "availability", "source", "first_received_at",
            "last_received_at",
        )  # fmt: skip
        self.series = Table(
            Series, "id", "study", "series_instance_uid", "modality", "series_number",
            "series_description", "series_date", "series_time", "body_part_examined",
            "station_name", "requested_procedure_id", "number_of_instances",
        )  # fmt: skip
        self.instances = Table(
            Instance, "series", "sop_instance_uid", "sop_class_uid", "instance_number",
            "stored_object", "rows", "columns", "bits_allocated", "received_at",
        )  # fmt: skip
        self.matches = Table(
            StudyMatch, "study", "requested_procedure", "score", "reason", "evidence",
            "matched_by", "matched_at",
        )  # fmt: skip
        self.attention = Table(
            StudyAttention, "kind", "site", "key", "summary", "opened_at", "resolved_at",
            "resolved_by", "resolution", "study",
        )  # fmt: skip

    def add(self, rng: random.Random, visits: Sequence[Visit]) -> int:
        """Add the visits with their people and return how many studies they made."""
        people = [self.crowd.who(rng, visit) for visit in visits]
        self.crowd.register()
        done = sum(visit.state in DONE for visit in visits)
        ordered = sum(visit.state != "loose" for visit in visits)
        studies = iter(self.studies.keys(done))
        self._series_keys = iter(self.series.keys(done * len(SERIES_SIZES)))
        self._object_keys = iter(self.objects.keys(done * sum(SERIES_SIZES)))
        self.reading.expect(ordered)
        keys = zip(
            self.orders.keys(ordered),
            self.exams.keys(ordered),
            self.appointments.keys(ordered),
            self.steps.keys(ordered),
            strict=True,
        )
        for visit, who in zip(visits, people, strict=True):
            asked = Asked() if visit.state == "loose" else self._order(rng, visit, who, *next(keys))
            if visit.state in DONE:
                self._study(rng, visit, who, next(studies), asked)
            self.number += 1
        return done

    def flush(self) -> int:
        """Copy everything that was added, parents first; return how many rows."""
        tables = (
            self.crowd.patients, self.crowd.identifiers, self.orders, self.exams,
            self.appointments, self.steps, self.grants, self.objects, self.studies, self.series,
            self.instances, self.matches, self.attention, *self.reading.tables,
        )  # fmt: skip
        return sum(table.copy() for table in tables)

    @property
    def _uid(self) -> int:
        """Number of the visit's study UID; its series and instances follow within a thousand."""
        return self.root + self.number * 1000

    def _order(
        self, rng: random.Random, visit: Visit, who: Person, order: int, exam: int,
        appointment: int, step: int,
    ) -> Asked:  # fmt: skip
        line, room = visit.line, visit.room
        site = self.hospital.sites[room.site]
        referrer = rng.choice(self.hospital.referrers)
        emergency = rng.random() < line.emergency
        before = dt.timedelta(hours=2) if emergency else dt.timedelta(days=rng.randint(1, 21))
        ordered_at = visit.start - before
        off = visit.state in {"cancelled", "noshow"}
        rebook = off and visit.start > self.at - STILL_OPEN
        status = ("RE" if rebook else "CA") if off else ORDER_STATE[visit.state]
        accession = f"SYN{self.number:09d}"
        self.orders.add(
            order, site.pk, who.confidentiality, self.crowd.keys[who.number], accession,
            site.issuer_of_accession_number, f"EHR{self.number}", "SYNTHETIC-EHR", status,
            visit.priority, visit.reason, "ED" if emergency else "General practice", referrer.key,
            referrer.name, ordered_at, "Synthetic" if status == "CA" else "", "hl7",
        )  # fmt: skip
        self.exams.add(
            exam, order, self.hospital.procedures[line.code], line.code, "L", line.meaning,
            line.modality, line.body_part, accession, f"2.25.{self._uid}",
        )  # fmt: skip
        came = visit.state in CAME
        began, ended = visit.start + 3 * MINUTE, visit.end - MINUTE
        self.appointments.add(
            appointment, room.key, f"[{visit.start},{visit.end})",
            APPOINTMENT_STATE.get(visit.state, visit.state), "Synthetic", ordered_at,
            visit.start - 12 * MINUTE if came else NULL, "Synthetic" if off else "",
        )  # fmt: skip
        self.steps.add(
            step, exam, appointment, site.pk, STEP_STATE[visit.state],
            "" if visit.state == "booked" else "person",
            began if visit.state in {"started", "fulfilled"} else NULL,
            ended if visit.state == "fulfilled" else NULL, step_id(step), line.modality,
            room.line.ae_title, room.name, visit.start, visit.wall.date(), visit.wall.time(),
            line.meaning,
        )  # fmt: skip
        self._grant(referrer, exam, ordered_at)
        return Asked(
            exam, accession, site.issuer_of_accession_number, referrer.name,
            "ED" if emergency else "General practice",
        )  # fmt: skip

    def _grant(self, referrer: Referrer, exam: int, at: dt.datetime) -> None:
        for grantee in referrer.grantees:
            self.grants.add(grantee, exam, "referred the exam", at, "system:synthetic")

    def _study(self, rng: random.Random, visit: Visit, who: Person, key: int, asked: Asked) -> None:
        line, room = visit.line, visit.room
        site = self.hospital.sites[room.site]
        day, time = visit.wall.strftime("%Y%m%d"), visit.wall.strftime("%H%M%S")
        patient = self.crowd.keys[who.number]
        first, last = visit.start + 4 * MINUTE, visit.end
        self.studies.add(
            key, site.pk, who.confidentiality, f"2.25.{self._uid}", patient, day, time,
            asked.accession, asked.issuer, f"S{self.number}", line.meaning, asked.referrer,
            f"{{{line.modality}}}", f"{{{SOP_CLASS[line.modality]}}}", len(SERIES_SIZES),
            sum(SERIES_SIZES), line.body_part, who.identifier, "", who.name, f"{who.born:%Y%m%d}",
            who.sex, "ISO_IR 192", Completeness.COMPLETE.value, EVIDENCE,
            Availability.UNAVAILABLE.value, SOURCE, first, last,
        )  # fmt: skip
        self._images(visit, key, asked.accession, day, time, first)
        if asked.exam:
            self.matches.add(
                key, asked.exam, 100, MatchReason.STUDY_INSTANCE_UID.value, "synthetic",
                "system:synthetic", first,
            )  # fmt: skip
        else:
            self._unmatched(key, site.pk, last)
        self.reading.add(
            rng, visit, who, patient=patient, study=key, exam=asked.exam, site=site.pk,
            service=asked.service,
        )  # fmt: skip

    def _images(
        self, visit: Visit, study: int, exam_id: str, day: str, time: str, at: dt.datetime
    ) -> None:
        line, number = visit.line, self._uid
        rows, columns = SIZE[line.modality]
        sop_class = SOP_CLASS[line.modality]
        for n, size in enumerate(SERIES_SIZES, start=1):
            key = next(self._series_keys)
            self.series.add(
                key, study, f"2.25.{number + 100 * n}", line.modality, n,
                f"{line.meaning} {n}"[:64], day, time, line.body_part, visit.room.name, exam_id,
                size,
            )  # fmt: skip
            for k in range(1, size + 1):
                stored = next(self._object_keys)
                self.objects.add(
                    stored, 0, 0, EXPLICIT_LITTLE_ENDIAN, Availability.UNAVAILABLE.value, at
                )
                self.instances.add(
                    key, f"2.25.{number + 100 * n + k}", sop_class, k, stored, rows, columns, 16, at
                )

    def _unmatched(self, study: int, site: int, at: dt.datetime) -> None:
        waits = at > self.at - STILL_OPEN
        self.attention.add(
            UNMATCHED, site, f"2.25.{self._uid}", "Images without an order", at,
            NULL if waits else at + dt.timedelta(days=1), "" if waits else "Synthetic",
            "" if waits else "Synthetic", study,
        )  # fmt: skip
