"""A reading room: two sites, readers, referrers of two practices, exams with studies."""

import datetime
from dataclasses import dataclass
from functools import cache
from itertools import count

from django.contrib.auth.hashers import make_password
from django.db import transaction

from apps.accounts.domain import Role
from apps.accounts.models import Practice, Site, User
from apps.accounts.selectors import actor_for_user, main_site
from apps.core import clock
from apps.core.actors import Actor, system_actor
from apps.core.steps import publish
from apps.core.tasks import relay_once
from apps.core.uids import new_uid
from apps.orders import services as orders
from apps.orders.domain import ExamRequest, Indication, Priority, Referral
from apps.orders.models import Procedure, RequestedProcedure
from apps.patients.domain import name_search
from apps.patients.models import Patient, PatientIdentifier
from apps.studies.models import Series, Study, StudyMatch
from apps.worklists.models import ReadingItem

SYSTEM = system_actor("test")
PASSWORD = "long enough to pass"
_numbers = count(1)


@cache
def password_hash() -> str:
    """Scrypt is slow by design; the fixtures need it once."""
    return make_password(PASSWORD)


def make_user(username: str, role: Role, *sites: Site, **fields) -> User:
    user = User(username=username, roles=[role.value], **fields)
    user.password = password_hash()
    user.home_site = sites[0] if sites else None
    user.save()
    user.sites.set(sites)
    return user


@dataclass
class ReadingRoom:
    main: Site
    north: Site
    ct: Procedure
    xr: Procedure
    falk: User
    osei: User
    north_reader: User
    technologist: User
    admin: User
    hart: User
    lind: User
    stranger: User

    def actor(self, user: User) -> Actor:
        return actor_for_user(User.objects.get(pk=user.pk), "127.0.0.1")

    def patient(self, name: str = "Okonkwo^Adaeze", site: Site | None = None, **fields) -> Patient:
        groups = [*name.split("="), "", ""]
        patient = Patient.objects.create(
            site=site or self.main,
            name_alphabetic=groups[0],
            name_search=name_search(*groups[:3]),
            created_at=clock.now(),
            updated_at=clock.now(),
            **{"birth_date": datetime.date(1967, 11, 4), "sex": "F", **fields},
        )
        PatientIdentifier.objects.create(
            patient=patient,
            value=f"{next(_numbers):07d}",
            issuer=patient.site.issuer_of_patient_id,
            primary=True,
        )
        return patient

    def exam(
        self,
        patient: Patient | None = None,
        *,
        procedure: Procedure | None = None,
        site: Site | None = None,
        priority: str = "routine",
        referrer: User | None = None,
        reason: str = "Chest pain. Embolism?",
        exams: int = 1,
    ) -> RequestedProcedure:
        procedure = procedure or self.ct
        order = orders.order_place(
            actor=SYSTEM,
            patient_id=(patient or self.patient(site=site)).pk,
            site_id=(site or self.main).pk,
            exams=[
                ExamRequest(code=p.code, coding_scheme="L", procedure_id=p.pk)
                for p in [procedure, self.xr][:exams]
            ],
            at=clock.now(),
            priority=Priority(priority),
            indication=Indication(reason=reason),
            referral=Referral(user_id=(referrer or self.hart).pk, service="ED"),
        )
        return order.requested_procedures.order_by("number").first()

    def study(
        self,
        *exams: RequestedProcedure,
        patient: Patient | None = None,
        site: Site | None = None,
        instances: int = 120,
        completeness: str = "COMPLETE",
        modality: str = "CT",
        date: str = "20261124",
        tell: bool = True,
    ) -> Study:
        first = exams[0] if exams else None
        at = clock.now()
        study = Study.objects.create(
            study_instance_uid=first.study_instance_uid if first else new_uid(),
            patient=first.order.patient if first else patient,
            site=first.order.site if first else site or self.main,
            study_date=date,
            study_time="093100",
            study_description="CT thorax",
            modalities_in_study=[modality],
            body_part="CHEST",
            number_of_series=1,
            number_of_instances=instances,
            completeness=completeness,
            first_received_at=at,
            last_received_at=at,
        )
        Series.objects.create(
            study=study,
            series_instance_uid=new_uid(),
            modality=modality,
            series_number="2",
            series_description="Lung 2.0",
            number_of_instances=instances,
        )
        for exam in exams:
            self.match(study, exam)
        if tell:
            self.tell(study, "matched" if exams else "received")
        return study

    def match(self, study: Study, exam: RequestedProcedure) -> None:
        StudyMatch.objects.create(
            study=study,
            requested_procedure=exam,
            score=100,
            reason="study-instance-uid",
            matched_by="test",
            matched_at=clock.now(),
        )

    def tell(self, study: Study, what: str) -> None:
        """Publish what the study index publishes, and let the relay deliver it."""
        with transaction.atomic():
            publish(
                name=f"studies.study.{what}",
                aggregate=f"study:{study.pk}",
                payload={"study_id": study.pk, "study_instance_uid": study.study_instance_uid},
            )
        while relay_once():
            pass

    def item(self, exam: RequestedProcedure | None = None, **exam_fields) -> ReadingItem:
        """An exam that waits to be read."""
        exam = exam or self.exam(**exam_fields)
        self.study(exam)
        return ReadingItem.objects.get(requested_procedure=exam)


def make_room() -> ReadingRoom:
    main = main_site()
    north = Site.objects.create(
        code="NORTH", name="Northmere", issuer_of_patient_id="N", issuer_of_accession_number="N"
    )
    hart_lind = Practice.objects.create(name="Hart and Lind")
    far = Practice.objects.create(name="Far away")

    def procedure(code: str, meaning: str, modality: str) -> Procedure:
        return Procedure.objects.create(
            code=code, meaning=meaning, modality=modality, body_part="CHEST", duration_minutes=20
        )

    def reader(name: str, *sites: Site) -> User:
        return make_user(
            name.lower(), Role.RADIOLOGIST, *sites, first_name="R", last_name=name, title="Dr"
        )

    def referrer(name: str, practice: Practice) -> User:
        return make_user(
            name.lower(),
            Role.REFERRER,
            first_name="E",
            last_name=name,
            title="Dr",
            practice=practice,
            provider_id=f"D-{name}",
        )

    return ReadingRoom(
        main=main,
        north=north,
        ct=procedure("CTCHEST", "CT chest", "CT"),
        xr=procedure("XRCHEST", "XR chest", "DX"),
        falk=reader("Falk", main),
        osei=reader("Osei", main),
        north_reader=reader("Lindqvist", north),
        technologist=make_user("tech", Role.TECHNOLOGIST, main),
        admin=make_user("admin", Role.ADMINISTRATOR, main, last_name="Admin"),
        hart=referrer("Hart", hart_lind),
        lind=referrer("Lind", hart_lind),
        stranger=referrer("Stranger", far),
    )
