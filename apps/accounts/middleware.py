"""Puts the actor on every request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from apps.accounts.authentication import request_actor


class ActorMiddleware:
    """Sets `request.actor`, worked out at its first use; falsy where nobody is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle one request."""
        request.actor = SimpleLazyObject(lambda: request_actor(request))  # type: ignore[attr-defined]
        return self.get_response(request)
