"""The edge that every page stands behind: who may open it, and how a refusal looks to a browser."""

import datetime
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, cast
from zoneinfo import ZoneInfo

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from apps.accounts import policy
from apps.accounts.authentication import bearer_token
from apps.accounts.domain import Permission
from apps.accounts.models import User
from apps.core.errors import (
    ConflictError,
    DomainError,
    NotFoundError,
    NotPermittedError,
    TransitionNotAllowedError,
)
from apps.core.toasts import toast

View = ParamSpec("View")
STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (NotFoundError, 404),
    (NotPermittedError, 403),
    (ConflictError, 409),
    (TransitionNotAllowedError, 409),
    (DomainError, 422),
)


def wall_zone(request: HttpRequest) -> datetime.tzinfo:
    """The time zone whose wall clock the person works by: their home site's."""
    user = request.user
    site = user.home_site if isinstance(user, User) else None
    return ZoneInfo(site.timezone) if site else timezone.get_default_timezone()


def status_of(error: DomainError) -> int:
    """The HTTP status of a refusal: the first line of the table that fits its class."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def refusal(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A refusal as the browser shows it: a toast where htmx asked, else a page.

    Raises:
        Http404: absent and hidden look the same, and like any other missing page.
    """
    status = status_of(error)
    if request.headers.get("HX-Request"):
        response = toast(HttpResponse(status=status), error.message, tone="crit")
        response["HX-Reswap"] = "none"
        return response
    if status == 404:
        raise Http404(error.message)
    return render(request, "refusal.html", {"error": error}, status=status)


def page(
    permission: Permission | None = None,
) -> Callable[[Callable[View, HttpResponse]], Callable[View, HttpResponse]]:
    """Decorate a page's view: sign-in, then the permission at all, then errors become answers.

    The view finds the actor at `request.actor` and lets `DomainError` pass. A bearer token is for
    programs and opens no page.
    """

    def decorate(view: Callable[View, HttpResponse]) -> Callable[View, HttpResponse]:
        @wraps(view)
        def opened(*args: View.args, **kwargs: View.kwargs) -> HttpResponse:
            request = cast("HttpRequest", args[0])
            actor = request.actor  # type: ignore[attr-defined]
            if not actor or bearer_token(request):
                if request.headers.get("HX-Request"):
                    return HttpResponse(status=401)
                return redirect_to_login(request.get_full_path())
            with timezone.override(wall_zone(request)):
                try:
                    if permission is not None:
                        policy.require(actor, permission)
                    return view(*args, **kwargs)
                except DomainError as error:
                    return refusal(request, error)

        return opened

    return decorate
