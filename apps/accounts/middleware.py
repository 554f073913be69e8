"""Puts the actor on every request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from apps.accounts.authentication import bearer_token, request_actor


class ActorMiddleware:
    """Sets `request.actor`; falsy where nobody is signed in.

    Of a session it is worked out at its first use, of a token at once: the proxy costs more then.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        request.actor = (  # type: ignore[attr-defined]
            request_actor(request)
            if bearer_token(request)
            else SimpleLazyObject(lambda: request_actor(request))
        )
        return self.get_response(request)
