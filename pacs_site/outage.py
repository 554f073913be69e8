"""What is answered where a request failed: that it passes, if it was the database that was away.

A client that hears 503 keeps what it had and sends it again; 500 may make it give up.
Source: RFC 9110 15.6.4, RFC 9457.
"""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.defaults import server_error

RETRY_AFTER_S = 10
FOR_MACHINES = ("/dicom-web/", "/api/", "/fhir/", "/live/")


def failed(request: HttpRequest) -> HttpResponse:
    """Answer a request that ended in an exception (`handler500`)."""
    if not isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return server_error(request)
    if request.path.startswith(FOR_MACHINES):
        response: HttpResponse = JsonResponse(
            {
                "type": "urn:isocenter:database-away",
                "title": "The database does not answer. Send it again in a moment.",
                "status": 503,
            },
            status=503,
            content_type="application/problem+json",
        )
    else:
        response = render(None, "503.html", status=503)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response
