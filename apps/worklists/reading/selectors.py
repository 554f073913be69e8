"""Reading the reading list. What the actor may not see does not exist."""

import datetime
from dataclasses import dataclass

from django.db.models import (
    Count,
    Exists,
    F,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce

from apps.accounts.domain import Permission
from apps.accounts.models import User
from apps.core.actors import Actor
from apps.core.errors import NotFoundError
from apps.orders.models import Procedure
from apps.patients.domain import fold
from apps.patients.models import Patient
from apps.studies import policies as study_policies
from apps.studies.domain import Completeness
from apps.studies.models import Study, StudyMatch
from apps.worklists.models import ReadingFilter, ReadingItem
from apps.worklists.reading import policies
from apps.worklists.reading.domain import (
    CLAIM_LASTS,
    COUNT_CAP,
    LISTS,
    PAGE,
    Cursor,
    ReadingFilters,
)


@dataclass(frozen=True, slots=True)
class ReadingPage:
    """Some lines of the list, and where the next ones begin; None at the end."""

    items: list[ReadingItem]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class ReadingCount:
    """How many lines a list has; `more` where counting stopped at the cap."""

    number: int
    more: bool

    def __str__(self) -> str:
        return f"{self.number}+" if self.more else str(self.number)


def claim_holds(item: ReadingItem, at: datetime.datetime) -> bool:
    """Tell whether somebody has the item and was heard of lately."""
    seen = item.claim_seen_at
    return item.claimed_by_id is not None and seen is not None and seen > at - CLAIM_LASTS


def own_claim(actor: Actor, study_id: int, at: datetime.datetime) -> ReadingItem | None:
    """Return the line of a study that the actor has claimed; None where nobody, or another, has."""
    rows = items_visible_to(actor).filter(
        Q(study=study_id) | Q(requested_procedure__matches__study=study_id),
        claimed_by=actor.user_id or 0,
    )
    return next((item for item in rows.order_by("pk") if claim_holds(item, at)), None)


def items_visible_to(
    actor: Actor, permission: Permission = Permission.READING_READ
) -> QuerySet[ReadingItem]:
    """Return every line on which the actor holds the permission, read ones included."""
    return ReadingItem.objects.filter(policies.visible(actor, permission))


def item_access(
    actor: Actor, key: int, permission: Permission = Permission.READING_READ
) -> ReadingItem:
    """Return one line with what its row shows.

    Raises:
        NotFoundError: absent, or hidden from the actor.
    """
    rows = _with_evidence(actor, items_visible_to(actor, permission))
    item = rows.filter(pk=key).first()
    if item is None:
        raise NotFoundError(reading_item=key)
    return item


def reading_list(
    actor: Actor,
    filters: ReadingFilters | None = None,
    after: Cursor | None = None,
    size: int = PAGE,
) -> ReadingPage:
    """Return one page of what waits to be read, most urgent and soonest due first.

    One query along the index of open items, whatever their number: pages follow the keyset
    (priority, due, key), never an offset.

    Each item carries `images` (instances of its studies), `completeness` (the worst of them),
    `evidence` (by what that is known) and `priors` (other studies of the same person that the
    actor may see).
    """
    rows = _with_evidence(actor, _open(actor, filters or ReadingFilters()))
    if after is not None:
        rows = rows.filter(
            Q(priority_rank__gt=after.priority_rank)
            | Q(priority_rank=after.priority_rank, due_at__gt=after.due_at)
            | Q(priority_rank=after.priority_rank, due_at=after.due_at, pk__gt=after.pk),
            priority_rank__gte=after.priority_rank,  # where the index scan starts
        )
    found = list(rows.order_by("priority_rank", "due_at", "pk")[: size + 1])
    items, last = found[:size], found[size - 1 : size]
    more = len(found) > size
    return ReadingPage(
        items, Cursor(last[0].priority_rank, last[0].due_at, last[0].pk) if more else None
    )


def reading_count(actor: Actor, filters: ReadingFilters) -> ReadingCount:
    """Return how many lines a list has, by the same policy as its rows, up to a cap."""
    number = _open(actor, filters).order_by()[: COUNT_CAP + 1].count()
    return ReadingCount(min(number, COUNT_CAP), number > COUNT_CAP)


def reading_counts(actor: Actor) -> dict[str, ReadingCount]:
    """Return the count of each built-in list."""
    return {show: reading_count(actor, ReadingFilters(show=show)) for show in LISTS}


def saved_filters(actor: Actor) -> list[tuple[ReadingFilter, ReadingFilters]]:
    """Return the reader's own lists, in the order of their names."""
    rows = ReadingFilter.objects.filter(user=actor.user_id).order_by("name", "pk")
    return [(row, ReadingFilters.read(row.filters)) for row in rows]


def filter_choices() -> dict[str, list[str]]:
    """Return the modalities and body parts of the catalogue, to choose from."""
    active = Procedure.objects.filter(active=True).order_by()
    return {
        name: sorted(value for value in active.values_list(name, flat=True).distinct() if value)
        for name in ("modality", "body_part")
    }


def readers_for(actor: Actor, item: ReadingItem) -> QuerySet[User]:
    """Return to whom the item can be handed: radiologists of its site, the actor excepted."""
    return (
        User.objects.filter(is_active=True, roles__contains=["radiologist"], sites=item.site_id)
        .exclude(pk=actor.user_id or 0)
        .order_by("last_name", "first_name", "pk")
    )


def studies_of(item: ReadingItem) -> QuerySet[Study]:
    """Return the item's studies, in the order in which they came."""
    if item.requested_procedure_id is None:
        return Study.objects.filter(pk=item.study_id or 0)
    matched = StudyMatch.objects.filter(requested_procedure=item.requested_procedure_id)
    return Study.objects.filter(pk__in=matched.values("study")).order_by("first_received_at", "pk")


def priors_of(actor: Actor, item: ReadingItem) -> QuerySet[Study]:
    """Return the other studies of the same person that the actor may see, newest first."""
    root = item.patient.survivor_id or item.patient_id or 0
    people = Patient.objects.filter(Q(pk=root) | Q(survivor=root))
    return (
        Study.objects.filter(study_policies.visible(actor), patient__in=people)
        .exclude(pk__in=studies_of(item).values("pk"))
        .order_by("-study_date", "-study_time", "-pk")
    )


def items_of_study(study: Study) -> QuerySet[ReadingItem]:
    """Return the items that the study belongs to: of its exams, or its own where it has none."""
    exams = StudyMatch.objects.filter(study=study).values("requested_procedure")
    return ReadingItem.objects.filter(
        Q(requested_procedure__in=exams) | Q(requested_procedure=None, study=study)
    )


def candidates_for(actor: Actor, filters: ReadingFilters, at: datetime.datetime) -> list[int]:
    """Return the keys of the first items that nobody holds, in the order of the list.

    What was handed to the actor goes first; what was handed to others is left to them.
    """
    free = Q(claimed_by=None) | Q(claim_seen_at=None) | Q(claim_seen_at__lte=at - CLAIM_LASTS)
    rows = _open(actor, filters, Permission.READING_CLAIM).filter(free)
    order = ("priority_rank", "due_at", "pk")
    keys: list[int] = []
    for whose in (actor.user_id, None):
        own = rows.filter(assigned_to=whose).order_by(*order)
        keys += own.values_list("pk", flat=True)[:PAGE]
    return keys


def _open(
    actor: Actor, filters: ReadingFilters, permission: Permission = Permission.READING_READ
) -> QuerySet[ReadingItem]:
    """Return the open lines that the filters let through."""
    State = ReadingItem.State  # noqa: N806 - the class it is
    rows = items_visible_to(actor, permission).filter(~Q(state=State.DONE))
    match filters.show:
        case "stat":
            rows = rows.filter(priority_rank__lte=1)
        case "mine":
            rows = rows.filter(Q(claimed_by=actor.user_id) | Q(assigned_to=actor.user_id))
        case "to-sign":
            rows = rows.filter(state=State.PRELIMINARY)
        case "unmatched":
            rows = rows.filter(requested_procedure=None)
    equal = {
        "modality": filters.modality,
        "body_part": filters.body_part,
        "site__code": filters.site,
        "state": filters.state,
    }
    rows = rows.filter(**{name: value for name, value in equal.items() if value})
    if filters.images:
        complete = Q(arrival=Completeness.COMPLETE)
        rows = rows.annotate(arrival=_worst_completeness())
        rows = rows.filter(complete if filters.images == "complete" else ~complete)
    if filters.text:
        name = Q(patient__name_search__startswith=fold(filters.text))
        number = Q(requested_procedure__order__accession_number=filters.text)
        rows = rows.filter(name | number)
    return rows


def _with_evidence(actor: Actor, rows: QuerySet[ReadingItem]) -> QuerySet[ReadingItem]:
    """Add what a row shows. PostgreSQL works these out after the limit: for one page only."""
    return rows.select_related(
        "site",
        "study",
        "patient__survivor",
        "requested_procedure__order__referrer",
        "claimed_by",
        "assigned_to",
        "handed_by",
    ).annotate(
        root=Coalesce("patient__survivor_id", "patient_id"),
        images=Coalesce(
            _images_by_match(), F("study__number_of_instances"), 0, output_field=IntegerField()
        ),
        completeness=_worst_completeness(),
        evidence=_worst_completeness("completeness_evidence"),
        priors=_number_of_priors(actor),
    )


def _matched() -> QuerySet[StudyMatch]:
    return StudyMatch.objects.filter(
        requested_procedure=OuterRef("requested_procedure_id")
    ).order_by()


def _images_by_match() -> Subquery:
    total = _matched().values("requested_procedure").annotate(n=Sum("study__number_of_instances"))
    return Subquery(total.values("n"), output_field=IntegerField())


def _worst_completeness(field: str = "completeness") -> Coalesce:
    """RECEIVING before PARTIAL before COMPLETE, which is the alphabet backwards."""
    worst = _matched().order_by("-study__completeness").values(f"study__{field}")[:1]
    return Coalesce(Subquery(worst), F(f"study__{field}"))


def _number_of_priors(actor: Actor) -> Coalesce:
    root = OuterRef(OuterRef("root"))
    people = Patient.objects.filter(Q(pk=root) | Q(survivor=root)).values("pk")
    own = StudyMatch.objects.filter(
        study=OuterRef("pk"), requested_procedure=OuterRef(OuterRef("requested_procedure_id"))
    )
    others = (
        Study.objects.filter(study_policies.visible(actor), patient__in=people)
        .exclude(pk=Coalesce(OuterRef("study_id"), 0))
        .exclude(Exists(own))
        .order_by()
        .values(one=Value(1))
        .annotate(n=Count("pk"))
    )
    return Coalesce(Subquery(others.values("n"), output_field=IntegerField()), 0)
