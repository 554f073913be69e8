"""The attention page: kinds of break, the list of one kind, one break as a case, and its deeds."""

import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.domain import Permission
from apps.accounts.models import AttentionItem
from apps.accounts.pages import page
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import DomainError, NotFoundError, NotPermittedError
from apps.core.toasts import toast
from apps.workspace import audit_events
from apps.workspace.attention import selectors
from apps.workspace.attention.closing import item_close, item_reopen
from apps.workspace.attention.kinds import Case, Kind

MENDED = "mended"
CLOSE, REOPEN = "close", "reopen"


@require_GET
@page(Permission.ATTENTION_READ)
def attention(request: HttpRequest) -> HttpResponse:
    """Show the breaks of one kind, and one of them as a case."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    counts = selectors.counts(actor)
    midnight = _midnight()
    chosen = request.GET.get("kind") or next((k for k, n in counts.items() if n), "")
    if chosen == MENDED:
        items = selectors.items_mended(actor, midnight)
    elif chosen in selectors.BY_KEY:
        items = selectors.items_of(actor, selectors.BY_KEY[chosen])
    else:
        items = []
    asked = request.GET.get("item", "")
    current = next((item for item in items if item.key == asked), items[0] if items else None)
    context: dict[str, Any] = {
        "groups": _groups(counts),
        "total": sum(counts.values()),
        "oldest": selectors.oldest(actor),
        "mended": selectors.mended_count(actor, midnight),
        "chosen": chosen,
        "kind_words": selectors.BY_KEY[chosen].words if chosen in selectors.BY_KEY else "Mended",
        "items": items,
        "current": current,
    }
    if current is not None:
        kind, row = selectors.row_access(actor, current.key)
        context |= _case(actor, kind, row)
    return render(request, "workspace/attention.html", context)


@require_GET
@page(Permission.ATTENTION_READ)
def case(request: HttpRequest, key: str) -> HttpResponse:
    """Show one break, for the list beside it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    kind, row = selectors.row_access(actor, key)
    return render(request, "workspace/attention/case.html", _case(actor, kind, row))


@require_POST
@page(Permission.ATTENTION_READ)
def deed(request: HttpRequest, key: str, verb: str) -> HttpResponse:
    """Do what mends a break, then show what is left of its kind."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    kind, row = selectors.row_access(actor, key)
    said = request.POST.dict()
    back = f"{reverse('workspace:attention')}?{urlencode({'kind': kind.key})}"
    try:
        if verb == CLOSE:
            item_close(
                actor=actor,
                model=kind.model,
                key=row.pk,
                reason=said.get("reason", ""),
                at=clock.now(),
            )
            words, undo, facts = "Closed", REOPEN, {}
        elif verb in kind.acts:
            done = kind.acts[verb](actor, row, said, clock.now())
            words, undo, facts = done.words, done.undo, dict(done.facts)
        else:
            raise NotFoundError(verb=verb)
    except (NotFoundError, NotPermittedError):
        raise
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(f"{back}&{urlencode({'item': key})}")
    address = ""
    if undo:
        address = reverse("workspace:attention-undo", kwargs={"key": key, "verb": undo})
        address += f"?{urlencode(facts)}" if facts else ""
    messages.success(request, words, extra_tags=address)
    return redirect(back)


@require_POST
@page(Permission.ATTENTION_READ)
def undo(request: HttpRequest, key: str, verb: str) -> HttpResponse:
    """Take a deed back; a toast says so, and the page refreshes itself."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    kind, row = selectors.row_access(actor, key)
    facts = request.GET.dict()
    if verb == REOPEN:
        item_reopen(actor=actor, model=kind.model, key=row.pk, at=clock.now())
        words = "It stands open again"
    elif verb in kind.undos and all(value.isdecimal() for value in facts.values()):
        words = kind.undos[verb](actor, row, facts, clock.now())
    else:
        raise NotFoundError(verb=verb)
    return toast(HttpResponse(status=204), words)


def _case(actor: Actor, kind: Kind, row: AttentionItem) -> dict[str, Any]:
    shown: Case = kind.case(actor, row)
    record_read(
        actor=actor,
        event=audit_events.ITEM_VIEWED,
        door="page",
        patient=shown.patient_id or "",
        study=shown.study,
        key=f"attention:{row.address}",
    )
    is_open = row.resolved_at is None
    deeds = [deed for deed in shown.deeds if is_open and actor.may(deed.permission)]
    return {
        "case": shown,
        "item": row,
        "is_open": is_open,
        "deeds": deeds,
        "may_close": is_open and actor.may(Permission.ATTENTION_RESOLVE),
        **shown.context,
    }


def _groups(counts: dict[str, int]) -> list[tuple[str, list[tuple[Kind, int]]]]:
    groups: dict[str, list[tuple[Kind, int]]] = {}
    for kind in selectors.KINDS:
        groups.setdefault(kind.group, []).append((kind, counts[kind.key]))
    return list(groups.items())


def _midnight() -> datetime.datetime:
    return timezone.localtime(clock.now()).replace(hour=0, minute=0, second=0, microsecond=0)
