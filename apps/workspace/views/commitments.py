"""The ledger of storage commitment: who asked whether its images are safe, and what it was told."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.domain import Permission
from apps.accounts.models import ApplicationEntity
from apps.accounts.pages import page
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.words import when
from apps.dimse.models import AssociationRecord
from apps.dimse.tasks import wake_answerer
from apps.exchange import audit_events
from apps.exchange.domain import CommitmentState
from apps.exchange.models import StorageCommitment
from apps.exchange.selectors import commitments_visible_to
from apps.exchange.services import commitments_retry
from apps.studies.commitment import FailureReason
from apps.studies.models import Instance
from apps.studies.selectors import studies_visible_to
from apps.workspace.navigation import Entry

ROWS = 100
INSTANCES_SHOWN = 200
STUDIES_SHOWN = 6
LISTS = {
    "": "All",
    "open": "Not answered",
    "failed": "Not all safe",
}
REASONS = {
    FailureReason.PROCESSING_FAILURE: "is here, but no copy of it could be read back whole",
    FailureReason.NO_SUCH_INSTANCE: "is not here",
    FailureReason.CLASS_INSTANCE_CONFLICT: "is here as another kind of object than was named",
}


@require_GET
@page(Permission.PERFORM_WRITE)
def ledger(request: HttpRequest) -> HttpResponse:
    """List the requests, the last first; `show`, `who` and `association` narrow it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    asked = {key: request.GET.get(key, "").strip()[:64] for key in ("show", "who", "association")}
    rows = _narrowed(commitments_visible_to(actor, Permission.PERFORM_WRITE), asked)
    pages = Paginator(rows.select_related("site"), ROWS)
    shown = pages.get_page(request.GET.get("page"))
    record_read(
        actor=actor, event=audit_events.COMMITMENTS_LISTED, door="page", query=urlencode(asked)
    )
    context = {
        "rows": [{"row": row, "words": summary(row)} for row in shown],
        "page": shown,
        "total": pages.count,
        "lists": LISTS.items(),
        "query": urlencode({key: value for key, value in asked.items() if value}),
        "is_admin": actor.may(Permission.ADMINISTER),
        **asked,
    }
    return render(request, "workspace/commitments.html", context)


def _narrowed(
    rows: QuerySet[StorageCommitment], asked: dict[str, str]
) -> QuerySet[StorageCommitment]:
    if asked["show"] == "open":
        rows = rows.exclude(state=CommitmentState.REPORTED)
    if asked["show"] == "failed":
        rows = rows.exclude(failures=[])
    if asked["who"]:
        rows = rows.filter(
            Q(ae_title__icontains=asked["who"]) | Q(transaction_uid__startswith=asked["who"])
        )
    if asked["association"]:
        rows = rows.filter(association=asked["association"])
    return rows


def summary(row: StorageCommitment) -> str:
    """Say in a sentence what was asked and what the check found."""
    asked = len(row.references)
    images = f"{asked:,} image{'' if asked == 1 else 's'}"
    if row.checked_at is None:
        return f"{images}, not checked yet"
    if not row.failures:
        return f"{images}, all safe here" if asked > 1 else f"{images}, safe here"
    return f"{len(row.failures):,} of {images} not safe here"


@require_GET
@page(Permission.PERFORM_WRITE)
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One request with its check, its answer and every image that is not safe, for the panel."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    row = _access(actor, pk)
    record_read(
        actor=actor, event=audit_events.COMMITMENTS_LISTED, door="page", key=f"commitment:{row.pk}"
    )
    back = reverse("workspace:commitments")
    entry = Entry(
        "Storage commitment",
        "One request",
        back,
        "Commitment",
        "admin" if actor.may(Permission.ADMINISTER) else "attention",
    )
    return render(request, "workspace/commitment.html", {**_shown(actor, row), "one": entry})


def _shown(actor: Actor, row: StorageCommitment) -> dict[str, Any]:
    uids = [uid for _, uid in row.references[:INSTANCES_SHOWN]]
    of_images = Instance.objects.filter(sop_instance_uid__in=uids).values("series__study")
    studies = studies_visible_to(actor).filter(pk__in=of_images).order_by("pk")
    node = association = None
    if actor.may(Permission.ADMINISTER):
        node = ApplicationEntity.objects.filter(ae_title=row.ae_title).first()
        if row.association:
            association = AssociationRecord.objects.filter(association=row.association).first()
    waits = row.state != CommitmentState.REPORTED
    return {
        "row": row,
        "words": summary(row),
        "state": _state_words(row),
        "failures": [
            (uid, REASONS.get(reason, f"was refused with {reason:04X}H"))
            for _, uid, reason in row.failures[:INSTANCES_SHOWN]
        ],
        "more": max(len(row.failures) - INSTANCES_SHOWN, 0),
        "studies": studies[:STUDIES_SHOWN],
        "node": node,
        "association": association,
        "is_admin": actor.may(Permission.ADMINISTER),
        "may_retry": waits and actor.may(Permission.ATTENTION_RESOLVE),
    }


def _state_words(row: StorageCommitment) -> str:
    if row.state == CommitmentState.REPORTED:
        return f"{row.ae_title} took the answer {when(row.done_at)}."
    if row.state == CommitmentState.UNDELIVERED:
        return (
            f"{row.ae_title} did not take the answer for two days. Nothing more is tried until "
            "somebody here, or the sender itself, asks again."
        )
    if row.last_error:
        return f"{row.ae_title} has not taken the answer yet. Next try {when(row.due_at)}."
    return "It is being checked." if row.checked_at is None else "The answer is on its way."


@require_POST
@page(Permission.PERFORM_WRITE)
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Try everything that waits for the peer of one request now."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    row = _access(actor, pk)
    commitments_retry(actor=actor, ae_title=row.ae_title, at=clock.now())
    wake_answerer()
    messages.success(request, f"Trying {row.ae_title} now")
    return redirect(f"{reverse('workspace:commitments')}?{urlencode({'who': row.ae_title})}")


def _access(actor: Actor, pk: int) -> StorageCommitment:
    rows = commitments_visible_to(actor, Permission.PERFORM_WRITE).select_related("site")
    return get_object_or_404(rows, pk=pk)
