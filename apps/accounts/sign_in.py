"""Signing in and out as events of the audit trail."""

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.http import HttpRequest

from apps.accounts import audit_events
from apps.accounts.authentication import client_address
from apps.accounts.models import User
from apps.accounts.selectors import actor_for_user
from apps.audit.models import Outcome
from apps.audit.steps import record
from apps.core.actors import Actor, ActorKind


def connect() -> None:
    """Listen to Django's signals, which every way of signing in sends."""
    user_logged_in.connect(signed_in, dispatch_uid="audit-signed-in")
    user_logged_out.connect(signed_out, dispatch_uid="audit-signed-out")
    user_login_failed.connect(refused, dispatch_uid="audit-refused")


@transaction.atomic
def signed_in(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Record who signed in, and from where."""
    actor = actor_for_user(user, client_address(request))
    record(actor=actor, event=audit_events.SIGNED_IN, door="page", key=actor.key)


@transaction.atomic
def signed_out(request: HttpRequest, user: User | None, **kwargs: Any) -> None:
    """Record who signed out."""
    if user is not None:
        actor = actor_for_user(user, client_address(request))
        record(actor=actor, event=audit_events.SIGNED_OUT, door="page", key=actor.key)


@transaction.atomic
def refused(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Record the name that was tried; whether there is such an account is not said."""
    tried = str(credentials.get("username") or credentials.get("login") or "")[:150]
    stranger = Actor(
        kind=ActorKind.USER,
        key="user:unknown",
        display=tried or "nobody",
        address=client_address(request) if request else "",
    )
    record(
        actor=stranger,
        event=audit_events.SIGN_IN_FAILED,
        door="page",
        outcome=Outcome.MINOR_FAILURE,
        tried=tried,
    )
