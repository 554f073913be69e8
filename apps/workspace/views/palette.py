"""The command palette: what a person may look for and where they may go, as JSON."""

from dataclasses import asdict, dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from apps.accounts.domain import Permission
from apps.audit.steps import record_read
from apps.core.actors import Actor
from apps.core.words import date_words, person_name
from apps.orders.selectors import exams_visible_to
from apps.patients.models import Patient
from apps.patients.selectors import current, patient_search, primary_identifier
from apps.workspace import audit_events
from apps.workspace.navigation import rail_for

SHORTEST = 2
PATIENTS = 6
EXAMS = 5


@dataclass(frozen=True, slots=True)
class Item:
    """One line: words, a fainter detail, and the address it leads to."""

    icon: str
    text: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of one kind under a title."""

    title: str
    items: list[Item]


@require_GET
@login_required
def palette(request: HttpRequest) -> JsonResponse:
    """Answer `?q=` with groups of what the person may open; empty groups are left out."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    query = request.GET.get("q", "").strip()[:100]
    groups = [pages(actor, query)]
    if len(query) >= SHORTEST:
        record_read(actor=actor, event=audit_events.PALETTE_SEARCHED, door="page", query=query)
        groups = [patients(actor, query), exams(actor, query), *groups]
    return JsonResponse({"groups": [asdict(g) for g in groups if g.items]})


def pages(actor: Actor, query: str) -> Group:
    """Pages of the rail whose words contain the query."""
    found = [e for e in rail_for(actor) if query.lower() in e.words.lower()]
    return Group("Pages", [Item(e.icon, e.words, "", e.url) for e in found])


def patients(actor: Actor, query: str) -> Group:
    """People by name or number, for those who have a patient's page at all."""
    if Permission.PATIENT_READ not in actor.permissions:
        return Group("Patients", [])
    return Group("Patients", [person(p) for p in patient_search(actor, query)[:PATIENTS]])


def person(patient: Patient) -> Item:
    """One person: name, birth date, sex, number."""
    number = primary_identifier(patient)
    facts = (
        date_words(patient.birth_date),
        patient.sex,
        f"{number.issuer} {number.value}" if number else "",
    )
    return Item(
        "person",
        str(person_name(patient)),
        " · ".join(fact for fact in facts if fact),
        reverse("workspace:patient", kwargs={"pk": patient.pk}),
    )


def exams(actor: Actor, query: str) -> Group:
    """Exams by accession number, from its beginning."""
    if Permission.ORDER_READ not in actor.permissions:
        return Group("Exams", [])
    found = (
        exams_visible_to(actor)
        .filter(order__accession_number__istartswith=query)
        .select_related("order__patient__survivor")
        .order_by("order__accession_number", "number")[:EXAMS]
    )
    return Group(
        "Exams",
        [
            Item(
                "images",
                f"{exam.modality} {exam.description}".strip(),
                f"{person_name(current(exam.order.patient))} · {exam.order.accession_number}",
                reverse("workspace:patient", kwargs={"pk": current(exam.order.patient).pk})
                + f"?exam=exam-{exam.pk}",
            )
            for exam in found
        ],
    )
