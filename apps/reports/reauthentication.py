"""The password that a signature needs, checked by allauth, counted by its rate limit."""

import datetime

from allauth.account.forms import ReauthenticateForm
from allauth.account.internal.flows.reauthentication import reauthenticate_by_password
from allauth.core import ratelimit
from django.http import HttpRequest

from apps.audit.models import Outcome
from apps.audit.steps import record_read
from apps.core import clock
from apps.core.actors import Actor
from apps.core.errors import DomainError
from apps.reports import audit_events


class WrongPasswordError(DomainError):
    """The password of the signature is not the signer's."""

    code = "reports.wrong-password"
    message = "That is not your password. Nothing was signed; the text is saved."


class TooManyTriesError(DomainError):
    """Passwords were tried too often."""

    code = "reports.too-many-tries"
    message = "Too many tries. Wait some minutes; the text is saved."


def reauthenticate(request: HttpRequest, report_id: int) -> datetime.datetime:
    """Check the password that came with the request, and return the instant at which it held.

    Raises:
        WrongPasswordError: it is not the signer's; the refusal is audited.
        TooManyTriesError: it was tried too often.
    """
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if not ratelimit.consume(request, action="reauthenticate", user=request.user):
        raise TooManyTriesError
    form = ReauthenticateForm(request.POST, user=request.user)
    if not form.is_valid():
        record_read(
            actor=actor,
            event=audit_events.SIGNATURE_REFUSED,
            door="page",
            outcome=Outcome.MINOR_FAILURE,
            key=f"report:{report_id}",
        )
        raise WrongPasswordError
    reauthenticate_by_password(request)
    return clock.now()
