"""A small department: one site with a zone that has summer time, three rooms, a catalogue."""

import datetime
from dataclasses import dataclass
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from apps.accounts.domain import AT_SITES, Role
from apps.accounts.models import Site
from apps.core.actors import Actor, ActorKind
from apps.core.uids import new_uid
from apps.orders.models import Order, Procedure, RequestedProcedure
from apps.patients.domain import name_search
from apps.patients.models import Patient, PatientIdentifier
from apps.scheduling.models import OpeningHours, Room

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime.datetime(2026, 11, 24, 8, 0, tzinfo=datetime.UTC)  # a Tuesday, 09:00 in Berlin
_numbers = count(1)


def berlin(text: str, fold: int = 0) -> datetime.datetime:
    """The instant at which a clock in Berlin shows `2026-11-24 10:00`."""
    naive = datetime.datetime.fromisoformat(text)
    return naive.replace(tzinfo=BERLIN, fold=fold).astimezone(datetime.UTC)


def actor_of(role: Role, *sites: Site, key: str = "user:1") -> Actor:
    return Actor(
        kind=ActorKind.USER,
        key=key,
        display=f"Tester ({role.value})",
        permissions=frozenset(p.value for p in AT_SITES[role]),
        sites=frozenset(site.pk for site in sites),
        home_site=sites[0].pk if sites else None,
        grantees=frozenset({key}),
        roles=frozenset({role.value}),
    )


@dataclass
class Department:
    """What most tests stand on."""

    site: Site
    other: Site
    ct1: Room
    ct2: Room
    mr: Room
    ct: Procedure
    mri: Procedure
    scheduler: Actor
    technologist: Actor
    stranger: Actor

    def order(
        self,
        *procedures: Procedure,
        name: str = "Falk^Ines",
        site: Site | None = None,
        status: str = "RE",
        priority: str = "routine",
        confidentiality: str = "N",
        patient: Patient | None = None,
    ) -> Order:
        number = next(_numbers)
        at_site = site or self.site
        patient = patient or self.patient(name, site=at_site)
        order = Order.objects.create(
            site=at_site,
            patient=patient,
            confidentiality=confidentiality,
            accession_number=f"A{number:07d}",
            issuer_of_accession_number=at_site.issuer_of_accession_number,
            status=status,
            priority=priority,
            ordered_at=NOW - datetime.timedelta(days=1),
        )
        for index, procedure in enumerate(procedures or (self.ct,), start=1):
            RequestedProcedure.objects.create(
                order=order,
                number=index,
                procedure=procedure,
                code=procedure.code,
                coding_scheme="L",
                description=procedure.meaning,
                modality=procedure.modality,
                body_part=procedure.body_part,
                requested_procedure_id=f"RP{number:06d}{index}",
                study_instance_uid=new_uid(),
            )
        return order

    def patient(self, name: str = "Falk^Ines", site: Site | None = None) -> Patient:
        at_site = site or self.site
        groups = [*name.split("="), "", ""]
        patient = Patient.objects.create(
            site=at_site,
            name_alphabetic=groups[0],
            name_ideographic=groups[1],
            name_phonetic=groups[2],
            name_search=name_search(*groups[:3]),
            birth_date=datetime.date(1984, 5, 22),
            sex="F",
            created_at=NOW,
            updated_at=NOW,
        )
        PatientIdentifier.objects.create(
            patient=patient,
            value=f"P{next(_numbers):06d}",
            issuer=at_site.issuer_of_patient_id,
            primary=True,
        )
        return patient

    def exam(self, *procedures: Procedure, **order) -> RequestedProcedure:
        return self.order(*procedures, **order).requested_procedures.get(number=1)


def make_department() -> Department:
    site = Site.objects.create(
        code="NMG",
        name="Northmere",
        timezone="Europe/Berlin",
        issuer_of_patient_id="NMG",
        issuer_of_accession_number="NMG",
    )
    other = Site.objects.create(
        code="SOUTH",
        name="South",
        timezone="Europe/Lisbon",
        issuer_of_patient_id="SOUTH",
        issuer_of_accession_number="SOUTH",
    )

    def room(code: str, name: str, modality: str, position: int) -> Room:
        made = Room.objects.create(
            site=site,
            code=code,
            name=name,
            modality=modality,
            scheduled_station_ae_title=code,
            position=position,
        )
        OpeningHours.objects.bulk_create(
            OpeningHours(room=made, weekday=day, opens=datetime.time(8), closes=datetime.time(17))
            for day in range(5)
        )
        return made

    def procedure(code: str, meaning: str, modality: str, minutes: int) -> Procedure:
        return Procedure.objects.create(
            code=code,
            meaning=meaning,
            modality=modality,
            body_part="CHEST",
            duration_minutes=minutes,
        )

    return Department(
        site=site,
        other=other,
        ct1=room("CT1", "CT 1", "CT", 1),
        ct2=room("CT2", "CT 2", "CT", 2),
        mr=room("MR1", "MR 1", "MR", 3),
        ct=procedure("CTCHEST", "CT chest", "CT", 30),
        mri=procedure("MRBRAIN", "MR brain", "MR", 42),
        scheduler=actor_of(Role.SCHEDULER, site),
        technologist=actor_of(Role.TECHNOLOGIST, site, key="user:2"),
        stranger=actor_of(Role.SCHEDULER, other, key="user:3"),
    )


@pytest.fixture
def department(db) -> Department:
    return make_department()
