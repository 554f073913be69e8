"""Who makes an HTTP request: a bearer token, else the session."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.accounts.models import User
from apps.accounts.selectors import actor_for_token, actor_for_user
from apps.core.actors import Actor


def client_address(request: HttpRequest) -> str:
    """Return the network address the request came from."""
    return str(request.META.get("REMOTE_ADDR", ""))


def bearer_token(request: HttpRequest) -> str:
    """Return the token of `Authorization: Bearer`, or an empty text."""
    return token_of(request.META)


def token_of(environ: Mapping[str, Any]) -> str:
    """Return the same from a request's environment."""
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def request_actor(request: HttpRequest) -> Actor | None:
    """Return the actor of a request, or None where nobody is signed in.

    A request with a token that is not valid has no actor, whatever its session says.
    """
    token = bearer_token(request)
    if token:
        return actor_for_token(token, client_address(request))
    user = request.user
    if isinstance(user, User) and user.is_active:
        return actor_for_user(user, client_address(request))
    return None


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer`, for the API (RFC 6750)."""

    def authenticate(self, request: Request) -> tuple[User, Actor] | None:
        """Return the token's user and actor; None leaves the request to the session."""
        if get_authorization_header(request).split()[:1] not in ([b"Bearer"], [b"bearer"]):
            return None
        actor = actor_for_token(bearer_token(request._request), client_address(request._request))  # noqa: SLF001
        if actor is None:
            message = "The token is unknown, expired or revoked."
            raise AuthenticationFailed(message)
        return User.objects.get(pk=actor.user_id or 0), actor

    def authenticate_header(self, request: Any) -> str:
        """Return the challenge of a 401."""
        return 'Bearer realm="isocenter"'
