"""What is answered where a request failed: that it passes, if it was the database that was away.

Machines are answered with a problem, people with a page. A client that hears 503 keeps what it had
and sends it again; 500 may make it give up.
Source: RFC 9110 15.6.4, RFC 9457.
"""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.defaults import page_not_found, server_error

RETRY_AFTER_S = 10
FOR_MACHINES = ("/dicom-web/", "/api/", "/fhir/", "/live/")


def failed(request: HttpRequest) -> HttpResponse:
    """Answer a request that ended in an exception (`handler500`)."""
    if not isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return server_error(request)
    if request.path.startswith(FOR_MACHINES):
        title = "The database does not answer. Send it again in a moment."
        response: HttpResponse = _problem(503, "database-away", title)
    else:
        response = render(None, "503.html", status=503)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def absent(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request for an address that there is not (`handler404`)."""
    if request.path.startswith(FOR_MACHINES):
        return _problem(404, "no-such-address", "There is no such address here.")
    return page_not_found(request, exception)


def _problem(status: int, kind: str, title: str) -> HttpResponse:
    return JsonResponse(
        {"type": f"urn:isocenter:{kind}", "title": title, "status": status},
        status=status,
        content_type="application/problem+json",
    )
