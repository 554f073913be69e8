"""The quarantine: what came with defects, why it was held back, and what a person decides."""

import datetime
from collections.abc import Iterable
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import InvalidInputError, NotFoundError
from apps.core.toasts import toast
from apps.studies import audit_events
from apps.studies.domain import IntakeAction, QuarantineState
from apps.studies.models import QuarantinedObject
from apps.studies.quarantine import (
    quarantined_access,
    quarantined_file,
    quarantined_header,
    quarantined_visible_to,
    source_rules,
)
from apps.studies.services.intake import intake_rule_save
from apps.studies.services.quarantine import (
    Release,
    quarantine_discard,
    quarantine_release,
    quarantine_restore,
)
from apps.studies.validation import WORDS

ROWS = 100
AT_ONCE = 200
DOORS = {"dimse": "DICOM", "dicomweb": "DICOMweb", "page": "upload", "import": "import"}
STATE_WORDS = {
    QuarantineState.HELD: "waits",
    QuarantineState.RELEASED: "released",
    QuarantineState.DISCARDED: "discarded",
    QuarantineState.REPLACED: "came again, whole",
}
UNSERVABLE = {
    "studies.cannot-understand": "It cannot be read as an image in the form it was sent in",
    "studies.truncated": "It ends before its pixels do: the transfer broke off",
    "studies.missing-uid": "It does not say to which study, series or image it belongs",
    "studies.does-not-match": "The sender announced another image than it sent",
}
ACTION_WORDS = {
    IntakeAction.ACCEPT: "Take it and tell us",
    IntakeAction.REFUSE: "Refuse it",
    IntakeAction.QUARANTINE: "Hold it back here",
}


def finding_words(code: str) -> str:
    """Return the words of a finding or of a refusal."""
    return WORDS.get(code) or UNSERVABLE.get(code, "It was not taken")


def _shown(row: QuarantinedObject) -> dict[str, Any]:
    return {
        "row": row,
        "why": [(finding_words(f["code"]), f.get("detail", "")) for f in row.findings],
        "door": DOORS.get(row.door, row.door),
        "state": STATE_WORDS[QuarantineState(row.state)],
        "held": row.state == QuarantineState.HELD,
    }


def _wanted(request: HttpRequest, actor: Actor) -> QuerySet[QuarantinedObject]:
    rows = quarantined_visible_to(actor).select_related("site")
    if request.GET.get("show") == "decided":
        rows = rows.exclude(state=QuarantineState.HELD).order_by("-decided_at", "-pk")
    else:
        rows = rows.filter(state=QuarantineState.HELD).order_by("-received_at", "-pk")
    if source := request.GET.get("source"):
        rows = rows.filter(source_key=source)
    if code := request.GET.get("why"):
        rows = rows.filter(findings__contains=[{"code": code}])
    return rows


@require_GET
@page(Permission.STUDY_RECONCILE)
def quarantine(request: HttpRequest) -> HttpResponse:
    """List what waits, or what was decided; `source` and `why` narrow it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    held = quarantined_visible_to(actor).filter(state=QuarantineState.HELD)
    pages = Paginator(_wanted(request, actor), ROWS)
    shown = pages.get_page(request.GET.get("page"))
    record_read(
        actor=actor,
        event=audit_events.QUARANTINE_VIEWED,
        door="page",
        query=urlencode(request.GET.dict()),
    )
    codes = {f["code"] for findings in held.values_list("findings", flat=True) for f in findings}
    return render(
        request,
        "workspace/quarantine.html",
        {
            "rows": [_shown(row) for row in shown],
            "page": shown,
            "total": pages.count,
            "waiting": held.count(),
            "decided": request.GET.get("show") == "decided",
            "sources": sorted(set(held.values_list("source_key", "source"))),
            "reasons": sorted((code, finding_words(code)) for code in codes),
            "source": request.GET.get("source", ""),
            "why": request.GET.get("why", ""),
            "may_rule": actor.may(Permission.ADMINISTER),
        },
    )


@require_GET
@page(Permission.STUDY_RECONCILE)
def held(request: HttpRequest, pk: int) -> HttpResponse:
    """One object with its reasons and its header, for the panel beside the list."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    row = quarantined_access(actor, pk)
    record_read(
        actor=actor,
        event=audit_events.QUARANTINE_VIEWED,
        door="page",
        study=row.study_instance_uid,
        key=f"quarantine:{row.pk}",
    )
    header = quarantined_header(row) if row.stored_object_id else []
    return render(request, "workspace/quarantine_object.html", _shown(row) | {"header": header})


@require_GET
@page(Permission.STUDY_RECONCILE)
def download(request: HttpRequest, pk: int) -> HttpResponse:
    """The file as it is kept: what came, with file meta information of our making before it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    row = quarantined_access(actor, pk)
    chunks: Iterable[bytes] = quarantined_file(row)
    record_read(
        actor=actor,
        event=audit_events.DOWNLOADED,
        door="page",
        study=row.study_instance_uid,
        key=f"quarantine:{row.pk}",
    )
    answer = StreamingHttpResponse(chunks, content_type="application/octet-stream")
    answer["Content-Disposition"] = f'attachment; filename="quarantine-{row.pk}.dcm"'
    answer["Content-Length"] = str(row.size_bytes)
    return cast("HttpResponse", answer)


def _keys(values: Iterable[str]) -> list[int]:
    keys = sorted({int(value) for value in values if value.isdecimal()})
    if not keys:
        message = "Choose at least one object."
        raise InvalidInputError(message, field="key")
    if len(keys) > AT_ONCE:
        message = f"At most {AT_ONCE} objects at once."
        raise InvalidInputError(message, field="key")
    return keys


@require_POST
@page(Permission.STUDY_RECONCILE)
def decide(request: HttpRequest, verb: str) -> HttpResponse:
    """Release or discard the chosen objects, for one reason; a discard can be undone."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    reason = request.POST.get("reason", "")
    undo = ""
    try:
        keys = _keys(request.POST.getlist("key"))
        if verb == "release":
            words, good = _released(
                quarantine_release(actor=actor, keys=keys, reason=reason, at=clock.now())
            )
        elif verb == "discard":
            count = quarantine_discard(actor=actor, keys=keys, reason=reason, at=clock.now())
            words, good = f"{_objects(count)} discarded", True
            undo = f"{reverse('workspace:quarantine-undo')}?{urlencode({'key': keys}, doseq=True)}"
        else:
            raise NotFoundError(verb=verb)
    except InvalidInputError as error:
        messages.error(request, error.message)
        return redirect("workspace:quarantine")
    (messages.success if good else messages.error)(request, words, extra_tags=undo)
    return redirect("workspace:quarantine")


def _released(results: list[Release]) -> tuple[str, bool]:
    good = [one for one in results if one.error is None]
    bad = [one for one in results if one.error is not None]
    words = []
    if good:
        what = good[0].words if len(good) == 1 else "in the archive"
        words.append(f"{_objects(len(good))} released, {what}")
    if bad:
        first = bad[0].error
        words.append(
            f"{_objects(len(bad))} could not be filed and stay here: {first and first.message}"
        )
    return ". ".join(words), not bad


def _objects(count: int) -> str:
    return f"{count} object{'' if count == 1 else 's'}"


@require_POST
@page(Permission.STUDY_RECONCILE)
def undo(request: HttpRequest) -> HttpResponse:
    """Take a discard back; a toast says so, and once more after the page has loaded itself anew."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    count = quarantine_restore(actor=actor, keys=_keys(request.GET.getlist("key")), at=clock.now())
    words = f"{_objects(count)} back in quarantine"
    messages.success(request, words)
    return toast(HttpResponse(status=204), words)


@require_http_methods(["GET", "POST"])
@page(Permission.ADMINISTER)
def rules(request: HttpRequest) -> HttpResponse:
    """Show what becomes of defective objects by sender, and change the rule of one."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if request.method == "POST":
        _save_rule(request, actor, clock.now())
        return redirect("workspace:quarantine-rules")
    return render(
        request,
        "workspace/quarantine_rules.html",
        {
            "rules": source_rules(),
            "actions": [(action.value, words) for action, words in ACTION_WORDS.items()],
            "waiting": quarantined_visible_to(actor).filter(state=QuarantineState.HELD).count(),
        },
    )


def _save_rule(request: HttpRequest, actor: Actor, at: datetime.datetime) -> None:
    chosen = request.POST.get("action", "")
    source = request.POST.get("source", "")
    if chosen and chosen not in list(IntakeAction):
        raise InvalidInputError(field="action")
    try:
        intake_rule_save(
            actor=actor,
            source=source,
            action=IntakeAction(chosen) if chosen else None,
            probe_pixels=bool(request.POST.get("probe_pixels")),
            at=at,
        )
    except InvalidInputError as error:
        messages.error(request, error.message)
        return
    messages.success(request, "Rule saved. It holds within two seconds")
