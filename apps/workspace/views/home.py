"""The shell's own addresses: start page, preferences."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.models import User
from apps.workspace.context import PREFERENCES
from apps.workspace.navigation import home_url
from apps.workspace.services import preferences_save


@require_GET
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Go to the page where this person's work begins."""
    return redirect(home_url(request.actor))  # type: ignore[attr-defined]


@require_GET
@login_required
def no_role(request: HttpRequest) -> HttpResponse:
    """Say that the account has no role yet, and who gives one."""
    return render(request, "workspace/no_role.html")


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep a choice of the person: theme, single keys. Also lengthens the sign-in."""
    chosen = {k: str(v) for k, v in request.POST.items() if v in PREFERENCES.get(k, ())}
    if len(chosen) != len(request.POST):
        return HttpResponseBadRequest("Unknown preference", content_type="text/plain")
    user = request.user
    if isinstance(user, User):
        if chosen:
            preferences_save(user=user, chosen=chosen)
        request.session.modified = True
    else:
        request.session["preferences"] = {**request.session.get("preferences", {}), **chosen}
    return HttpResponse(status=204)
