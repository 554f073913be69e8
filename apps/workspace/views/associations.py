"""The black box of DICOM associations, for whoever mends a connection."""

import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.core import clock
from apps.core.actors import Actor
from apps.dimse.diagnosis import findings, name_of, summary
from apps.dimse.models import AssociationRecord
from apps.dimse.selectors import Search, associations_found, node_by_title, probes_since
from apps.dimse.upper import pdu
from apps.exchange.models import StorageCommitment
from apps.workspace.forms import AssociationForm
from apps.workspace.navigation import Entry

SHOWN = 100
RESULTS = {
    pdu.ACCEPTED: "accepted",
    pdu.USER_REJECTION: "not answered",
    pdu.ABSTRACT_SYNTAX_NOT_SUPPORTED: "not offered here",
    pdu.TRANSFER_SYNTAXES_NOT_SUPPORTED: "no transfer syntax in common",
}


@require_GET
@page(Permission.ADMINISTER)
def found(request: HttpRequest) -> HttpResponse:
    """Search the associations, the last first."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    form = AssociationForm(request.GET)
    search = _search(form.cleaned_data) if form.is_valid() else Search(end="none")
    before = request.GET.get("before", "")
    rows = associations_found(actor, search)
    if before.isdecimal():
        last = rows.filter(pk=int(before)).first()
        rows = rows.filter(started_at__lt=last.started_at) if last else rows
    shown = list(rows[: SHOWN + 1])
    asked = {k: v for k, v in request.GET.items() if v and k != "before"}
    more = urlencode({**asked, "before": shown[SHOWN - 1].pk}) if shown[SHOWN:] else ""
    context = {
        "form": form,
        "rows": [{"record": row, "words": summary(row)} for row in shown[:SHOWN]],
        "asked": asked,
        "next_query": more,
        "first_query": urlencode(asked),
        "before": before,
        "probes": probes_since(actor, clock.now() - datetime.timedelta(hours=24)),
    }
    return render(request, "workspace/associations.html", context)


@require_GET
@page(Permission.ADMINISTER)
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """One association with all that was recorded: a page, or the panel beside the list."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    row = get_object_or_404(associations_found(actor, Search()), pk=pk)
    context = {
        "one": Entry(
            "Association, administration",
            "One association",
            reverse("workspace:associations"),
            "Associations",
            "admin",
        ),
        "record": row,
        "words": summary(row),
        "findings": list(findings(row)),
        "node": node_by_title(actor, row.calling_ae),
        "contexts": _contexts(row),
        "asked_commitment": StorageCommitment.objects.filter(
            association=str(row.association)
        ).exists(),
        "messages": [(*key.rpartition(" ")[::2], n) for key, n in sorted(row.messages.items())],
    }
    return render(request, "workspace/association.html", context)


def _search(cleaned: dict[str, Any]) -> Search:
    return Search(
        text=cleaned["who"].strip(),
        end=cleaned["end"],
        message=cleaned["message"],
        first=_midnight(cleaned["first"]),
        last=_midnight(cleaned["last"], days=1),
        failed=cleaned["failures"],
    )


def _midnight(day: datetime.date | None, days: int = 0) -> datetime.datetime | None:
    if day is None:
        return None
    wall = datetime.datetime.combine(day + datetime.timedelta(days=days), datetime.time())
    return timezone.make_aware(wall)


def _contexts(row: AssociationRecord) -> list[dict[str, Any]]:
    return [
        {
            "number": number,
            "name": name_of(abstract),
            "offered": ", ".join(name_of(syntax) for syntax in offered),
            "accepted": result == pdu.ACCEPTED,
            "result": RESULTS.get(result, str(result)),
            "syntax": name_of(syntax) if result == pdu.ACCEPTED else "",
        }
        for number, abstract, offered, result, syntax in row.contexts
    ]
