"""Making the demo hospital."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from apps.accounts.selectors import actor_for_user
from apps.audit.steps import record
from apps.core.actors import Actor
from apps.core.errors import ConflictError
from apps.demo import audit_events
from apps.demo.seed.history import Written, write_exams, write_patients
from apps.demo.seed.images import ingest
from apps.demo.seed.outside import ingest_outside
from apps.demo.seed.plan import Scale, make_plan
from apps.demo.seed.reading import write_old_archive, write_reading
from apps.demo.seed.staff import OUTSIDE_CODE, Hospital, write_hospital
from apps.demo.selectors import is_seeded
from apps.orders.domain import ExamRequest, Indication, Priority, Referral
from apps.orders.models import Order
from apps.orders.steps import order_place


class NotEmptyError(ConflictError):
    """The installation has orders of its own."""

    code = "demo.not-empty"
    message = "This installation has orders already. The demo hospital needs an empty one."


@dataclass(frozen=True)
class Seeded:
    """What was made."""

    patients: int
    exams: int
    images: int
    outside: int


def demo_seed(
    *,
    actor: Actor,
    password: str,
    at: dt.datetime,
    scale: Scale | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Seeded | None:
    """Make the demo hospital as it stands at a moment; None where it is there already.

    The hospital and its history are one transaction, audited as one event; the images then come
    through the ingest of all doors, study by study.

    Args:
        actor: the system.
        password: of the demo accounts.
        at: now: what lies before it has happened.
        scale: how large; by default a busy small hospital.
        tell: is given a line for each part that is done.

    Raises:
        NotEmptyError: the installation has orders that are not the demo's.
    """
    if is_seeded():
        return None
    scale = scale or Scale()
    hospital, rows = _history(actor, password, at, scale, tell)
    imaged = [row for row in rows if row.plan.imaged]
    images = ingest(imaged, at)
    tell(f"{images} images of {len(imaged)} exams")
    admin = actor_for_user(hospital.people["admin"])
    outside = ingest_outside(admin, hospital.procedures[OUTSIDE_CODE], at - dt.timedelta(hours=3))
    tell(f"{outside} objects of outside studies")
    return Seeded(scale.patients, len(rows), images, outside)


@transaction.atomic(durable=True)
def _history(
    actor: Actor, password: str, at: dt.datetime, scale: Scale, tell: Callable[[str], None]
) -> tuple[Hospital, list[Written]]:
    if Order.objects.exists():
        raise NotEmptyError
    plan = make_plan(at, scale)
    hospital = write_hospital(password, at)
    tell("sites, rooms, catalogue and staff")
    patients = write_patients(hospital, plan)
    rows = write_exams(hospital, plan, patients)
    tell(f"{len(patients)} patients, {len(rows)} orders")
    done = [row for row in rows if row.plan.state == "fulfilled"]
    films = write_old_archive([row for row in done if not row.plan.imaged])
    write_reading(hospital, done, films, at)
    tell(f"{len(done)} exams read, or waiting to be read")
    _break(actor, hospital, rows, at)
    record(
        actor=actor,
        event=audit_events.SEEDED,
        door="task",
        key="demo",
        patients=len(patients),
        orders=len(rows),
    )
    return hospital, rows


def _break(actor: Actor, hospital: Hospital, rows: list[Written], at: dt.datetime) -> None:
    """Leave something to mend: an order whose code the catalogue does not know."""
    patient = rows[0].order.patient
    referrer = hospital.people["h.castell"]
    order_place(
        actor=actor,
        patient=patient,
        site=hospital.sites["MAIN"],
        exams=[ExamRequest(code="DXHIP2", description="Hip, two views")],
        at=at - dt.timedelta(minutes=25),
        door="task",
        source="hl7",
        priority=Priority.URGENT,
        indication=Indication(reason="Pain after hip replacement. Loosening?"),
        referral=Referral(user_id=referrer.pk, name="Castell^Hugo^^Mr", service="Orthopaedics"),
    )
