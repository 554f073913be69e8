"""What every DICOMweb view has in common: who asks, and how errors are said."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import CSRFCheck

from apps.accounts.authentication import bearer_token
from apps.core.actors import Actor
from apps.core.errors import DomainError
from apps.dicomweb.errors import problem, unauthorized

DOOR = "dicomweb"
View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a view says of itself; the conformance statement is made from it.

    Attributes:
        what: the resource in words.
        media_types: it can answer with.
        parameters: query parameters it understands; others are ignored.
        takes: media types of a request's body.
    """

    what: str
    methods: tuple[str, ...]
    media_types: tuple[str, ...]
    parameters: tuple[str, ...]
    takes: tuple[str, ...]


def door(
    *methods: str,
    gives: Iterable[str],
    parameters: Iterable[str] = ("accept",),
    takes: Iterable[str] = (),
) -> Callable[[View], View]:
    """Let a signed-in actor in by the given methods; say domain errors as problems.

    A session may only write with its CSRF token; a bearer token needs none. The rest are the view's
    `facts`.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, **uids: str) -> HttpResponseBase:
            method = "GET" if request.method == "HEAD" else request.method
            if method not in methods:
                return HttpResponse(status=405, headers={"Allow": ", ".join(methods)})
            actor: Actor | None = request.actor  # type: ignore[attr-defined]
            if not actor:
                return unauthorized()
            if request.method == "POST" and not bearer_token(request) and _forged(request):
                return unauthorized()
            try:
                return view(request, **uids)
            except DomainError as error:
                return problem(error)

        what = (view.__doc__ or "").partition("\n")[0]
        guarded.facts = Facts(  # type: ignore[attr-defined]
            what, methods, tuple(gives), tuple(parameters), tuple(takes)
        )
        return guarded

    return decorate


def base_address(request: HttpRequest) -> str:
    """Return our absolute address, as the client reached it.

    Some clients, such as dicomweb-client, leave the port out of Host: then it is the one that we
    listen at, unless a proxy stands before us.
    """
    host, port = request.get_host(), request.META.get("SERVER_PORT")
    unnamed = ("443" if request.is_secure() else "80", "0", None)  # 0: a socket without one
    lacks_port = ":" not in host.rpartition("]")[2]
    if lacks_port and not settings.USE_X_FORWARDED_HOST and port not in unnamed:
        host = f"{host}:{port}"
    return f"{request.scheme}://{host}/dicom-web"


def _forged(request: HttpRequest) -> bool:
    check = CSRFCheck(lambda _: HttpResponse())
    check.process_request(request)
    return check.process_view(request, lambda _: HttpResponse(), (), {}) is not None
