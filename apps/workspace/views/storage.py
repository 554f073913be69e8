"""What lies where, and whether it is still what came: for whoever answers for the archive."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.accounts.domain import Permission
from apps.accounts.pages import page
from apps.archive.selectors import SHOWN, storage_states
from apps.core.actors import Actor

PROBLEMS = {
    "missing": "the file is gone",
    "truncated": "the file is cut off",
    "altered": "the content changed",
    "unreadable": "the disk cannot read it",
}


@require_GET
@page(Permission.ADMINISTER)
def report(request: HttpRequest) -> HttpResponse:
    """Each storage: what it holds, what was read again when, and what came of it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    states = storage_states(actor=actor)
    counted = any(state.counts for state in states)
    context = {"states": states, "counted": counted, "problems": PROBLEMS, "shown": SHOWN}
    return render(request, "workspace/storage.html", context)
