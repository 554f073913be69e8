"""Reading orders, exams and the catalogue. What the actor may not see does not exist."""

import datetime
from collections.abc import Callable, Collection

from django.db.models import Prefetch, Q, QuerySet

from apps.accounts import policy
from apps.accounts.domain import Permission
from apps.accounts.models import Hl7Peer
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.orders import policies
from apps.orders.domain import OPEN_STATES
from apps.orders.models import (
    Order,
    OrderAttention,
    Procedure,
    ProcedureMapping,
    RequestedProcedure,
)
from apps.patients.models import Patient
from apps.patients.selectors import alias_keys

DUPLICATE_WINDOW = datetime.timedelta(days=30)


def orders_visible_to(
    actor: Actor, permission: Permission = Permission.ORDER_READ
) -> QuerySet[Order]:
    """Return the orders on which the actor holds the permission."""
    return Order.objects.filter(policy.visible(actor, permission, policies.ORDER_FIELDS))


def order_access(actor: Actor, key: int, permission: Permission = Permission.ORDER_READ) -> Order:
    """Return an order with its patient, exams and referrer.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    order = (
        orders_visible_to(actor, permission)
        .select_related("patient__survivor", "referrer", "site")
        .prefetch_related(
            Prefetch(
                "requested_procedures",
                RequestedProcedure.objects.select_related("procedure").order_by("number"),
            )
        )
        .filter(pk=key)
        .first()
    )
    if order is None:
        raise NotFoundError(order=key)
    return order


def exams_visible_to(
    actor: Actor, permission: Permission = Permission.ORDER_READ
) -> QuerySet[RequestedProcedure]:
    """Return the requested procedures on which the actor holds the permission."""
    return RequestedProcedure.objects.filter(
        policy.visible(actor, permission, policies.EXAM_FIELDS)
    )


def exams_granted_to(
    actor: Actor, permission: Permission = Permission.ORDER_READ
) -> QuerySet[RequestedProcedure]:
    """Return the requested procedures on which a grant gives the actor the permission.

    The policy's rule for an actor who has nothing else, as a union that each index serves: the
    two kinds of grant in one condition would read every exam there is.
    """
    exams = RequestedProcedure.objects.all()
    if permission not in actor.granted or not actor.grantees:
        return exams.none()
    named = exams.filter(pk__in=policy.granted_exams(actor)).values("pk").order_by()
    of_patients = exams.filter(order__patient__in=policy.granted_patients(actor)).values("pk")
    return exams.filter(pk__in=named.union(of_patients.order_by()))


def newest_exams_granted_to(
    actor: Actor,
    count: int,
    *,
    which: Callable[[str], Q] = lambda _: Q(),
    permission: Permission = Permission.ORDER_READ,
) -> QuerySet[RequestedProcedure]:
    """Return the newest of `exams_granted_to`, newest first.

    Read from each holder's newest grant on until there are enough, however many there are.

    Args:
        actor: who asks; only its grants count.
        count: how many at most.
        which: given the lookup of an exam's key, the filter for those wanted.
        permission: held by the grants.
    """
    exams = RequestedProcedure.objects.all()
    if permission not in actor.granted or not actor.grantees:
        return exams.none()
    named = [
        grants.filter(which("exam_key")).order_by("-exam_key").values("exam_key").distinct()[:count]
        for grants in policy.exam_grants(actor)
    ]
    of_patients = exams.filter(which("pk"), order__patient__in=policy.granted_patients(actor))
    newest = of_patients.order_by("-pk").values("pk")[:count].union(*named)
    return exams.filter(pk__in=newest).order_by("-pk")[:count]


def exam_access(
    actor: Actor, key: int, permission: Permission = Permission.ORDER_READ
) -> RequestedProcedure:
    """Return a requested procedure with its order and patient.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    exam = (
        exams_visible_to(actor, permission)
        .select_related("order__patient__survivor", "order__referrer", "order__site", "procedure")
        .filter(pk=key)
        .first()
    )
    if exam is None:
        raise NotFoundError(exam=key)
    return exam


def orders_of_patient(actor: Actor, patient: Patient) -> QuerySet[Order]:
    """Return a person's orders, those under merged numbers too, newest first."""
    return (
        orders_visible_to(actor)
        .filter(patient__in=alias_keys(patient))
        .prefetch_related("requested_procedures__procedure")
        .order_by("-ordered_at", "-pk")
    )


def order_by_accession(*, value: str, issuer: str) -> Order | None:
    """Return the order of an accession number and its issuer."""
    return Order.objects.filter(accession_number=value, issuer_of_accession_number=issuer).first()


def order_by_placer(*, number: str, issuer: str) -> Order | None:
    """Return the order that the sender keeps under this number."""
    if not number:
        return None
    return Order.objects.filter(placer_order_number=number, placer_issuer=issuer).first()


def procedures_active() -> QuerySet[Procedure]:
    """Return what can be ordered, by modality and name."""
    return Procedure.objects.filter(active=True).order_by("modality", "meaning", "pk")


def procedures_matching(text: str, limit: int = 12) -> list[Procedure]:
    """Return catalogue lines whose words all begin so, or whose code is so: 'ct abd' finds it."""
    found = procedures_active()
    for word in text.split():
        found = found.filter(
            Q(meaning__istartswith=word)
            | Q(meaning__icontains=f" {word}")
            | Q(modality__istartswith=word)
            | Q(body_part__istartswith=word)
            | Q(code__istartswith=word)
        )
    return list(found[:limit])


def procedure_for_code(
    *, code: str, coding_scheme: str = "", peer: Hl7Peer | None = None
) -> Procedure | None:
    """Return the catalogue's procedure for a code as sent.

    First what was said of this sender's code, then our own code under its scheme, then our own
    code where the sender names no scheme or its local one and only one procedure has it.
    """
    if not code:
        return None
    if peer is not None:
        mapping = (
            ProcedureMapping.objects.select_related("procedure")
            .filter(peer=peer, code=code)
            .first()
        )
        if mapping is not None:
            return mapping.procedure
    candidates = list(Procedure.objects.filter(code=code, active=True).order_by("pk"))
    exact = [one for one in candidates if one.coding_scheme == coding_scheme]
    if exact:
        return exact[0]
    if len(candidates) == 1 and coding_scheme in ("", "L", "99LOC", "LOCAL"):
        return candidates[0]
    return None


def duplicates(
    actor: Actor,
    *,
    patient: Patient,
    procedure_ids: Collection[int],
    at: datetime.datetime,
    window: datetime.timedelta = DUPLICATE_WINDOW,
) -> list[RequestedProcedure]:
    """Return open exams of the same kind ordered for this person within the window (OR7, OR15)."""
    return list(
        exams_visible_to(actor)
        .filter(
            order__patient__in=alias_keys(patient),
            order__status__in=(*OPEN_STATES, "IP"),
            order__ordered_at__gte=at - window,
            procedure__in=procedure_ids,
        )
        .select_related("order", "procedure")
        .order_by("-order__ordered_at", "pk")
    )


def attention_visible_to(
    actor: Actor, permission: Permission = Permission.ATTENTION_READ
) -> QuerySet[OrderAttention]:
    """Return orders' open breaks at the actor's sites, oldest first."""
    return (
        OrderAttention.objects.filter(
            policy.visible(actor, permission, policies.ATTENTION_FIELDS), resolved_at=None
        )
        .select_related("order__patient", "site")
        .order_by("opened_at", "pk")
    )
