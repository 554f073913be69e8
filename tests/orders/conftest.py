"""A small hospital for the tests of orders: two sites, a catalogue, a patient, people."""

import datetime
from types import SimpleNamespace

import pytest

from apps.accounts.domain import Role
from apps.accounts.models import Hl7Peer, Practice, Site, User
from apps.accounts.selectors import actor_for_user, main_site
from apps.core.actors import system_actor
from apps.orders import services
from apps.patients import services as patient_services
from apps.patients.domain import Demographics, QualifiedId

AT = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
SYSTEM = system_actor("test")


def make_user(username, role, *sites, **fields):
    user = User.objects.create(username=username, roles=[role.value], **fields)
    user.sites.set(sites)
    return user


def build_hospital():
    main = main_site()
    north = Site.objects.create(
        code="NORTH", name="North", issuer_of_patient_id="N", issuer_of_accession_number="N"
    )
    ct, us = (
        services.procedure_save(
            actor=SYSTEM,
            code=code,
            meaning=meaning,
            modality=modality,
            duration_minutes=20,
            body_part="ABDOMEN",
        )
        for code, meaning, modality in (
            ("CTABD", "CT abdomen", "CT"),
            ("USABD", "Ultrasound abdomen", "US"),
        )
    )
    mr = services.procedure_save(
        actor=SYSTEM,
        code="MRHEAD",
        meaning="MR head",
        modality="MR",
        duration_minutes=30,
        needs_vetting=True,
    )
    practice = Practice.objects.create(name="Dr Hart and Dr Lind")
    referrer = make_user("hart", Role.REFERRER, provider_id="D100", practice=practice)
    return SimpleNamespace(
        main=main,
        north=north,
        ct=ct,
        us=us,
        mr=mr,
        patient=register("4711"),
        referrer=referrer,
        referrer_actor=actor_for_user(referrer),
        colleague=actor_for_user(make_user("lind", Role.REFERRER, practice=practice)),
        other_referrer=actor_for_user(make_user("stone", Role.REFERRER)),
        scheduler=actor_for_user(make_user("sched", Role.SCHEDULER, main)),
        north_scheduler=actor_for_user(make_user("nsched", Role.SCHEDULER, north)),
        radiologist=actor_for_user(make_user("rad", Role.RADIOLOGIST, main)),
        peer=Hl7Peer.objects.create(name="HIS", app="HIS", facility="NORTHHOSP", site=main),
    )


def register(number, name="Falk^Ines", issuer="MRN"):
    return patient_services.patient_register(
        actor=SYSTEM,
        identifiers=[QualifiedId(number, issuer)],
        demographics=Demographics(name=name, sex="F", birth_date=datetime.date(1970, 1, 2)),
        site_id=main_site().pk,
        at=AT,
    ).patient


@pytest.fixture
def hospital(db):
    return build_hospital()
