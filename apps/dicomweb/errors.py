"""From a rule's refusal to an HTTP answer (PS3.18 8.5; RFC 9457)."""

from collections.abc import Mapping

from django.http import HttpResponse, JsonResponse

from apps.core.errors import DomainError


class NotAcceptableError(DomainError):
    """Nothing that the client accepts can be given."""

    code = "dicomweb.not-acceptable"
    message = "None of the media types in Accept can be given here."


class UnsupportedMediaTypeError(DomainError):
    """The body is of a kind that is not taken here."""

    code = "dicomweb.unsupported-media-type"
    message = (
        'Send multipart/related with type="application/dicom", or metadata with bulk data: '
        'type="application/dicom+json" or type="application/dicom+xml".'
    )


class TooLargeError(DomainError):
    """The request holds more than is taken at once."""

    code = "dicomweb.too-large"
    message = "The request is too large."


class MalformedError(DomainError):
    """The request cannot be understood."""

    code = "dicomweb.malformed"
    message = "The request cannot be understood."


STATUS: Mapping[str, int] = {
    "core.not-found": 404,
    "core.not-permitted": 403,
    "core.invalid": 400,
    "core.conflict": 409,
    "dicomweb.malformed": 400,
    "dicomweb.not-acceptable": 406,
    "dicomweb.too-large": 413,
    "dicomweb.unsupported-media-type": 415,
    "studies.query-refused": 400,
    "studies.query-too-broad": 413,  # PS3.18 Table 10.6.3-1
    "studies.no-transfer-syntax": 406,
    "studies.cannot-render": 406,
    "studies.cannot-present": 406,
    "studies.no-referenced-image": 404,
    "archive.storage-failed": 503,
    "archive.storage-full": 507,
    "archive.no-copy": 503,
    "patients.identifier-conflict": 409,
}

FAILURE_REASON: Mapping[str, int] = {
    "studies.cannot-understand": 0xC000,
    "studies.truncated": 0xC000,
    "studies.missing-uid": 0xC000,
    "studies.does-not-match": 0xA900,
    "studies.defective": 0xA900,
    "studies.metadata": 0xC000,
    "studies.bulk-missing": 0xC000,
    "studies.bulk-syntax": 0xC122,  # PS3.18 Table I.2-2: transfer syntax not supported
    "dicomweb.malformed": 0xC000,
    "dicomweb.unused-part": 0xC000,
    "dicomweb.other-study": 0x0110,
    "archive.storage-failed": 0xA700,
    "archive.storage-full": 0xA700,
}


def problem(error: DomainError) -> HttpResponse:
    """Return the error as problem JSON."""
    status = STATUS[error.code]
    body: dict[str, object] = {
        "type": f"urn:isocenter:{error.code}",
        "title": error.message,
        "status": status,
    }
    if offers := error.details.get("offers"):
        body["offers"] = offers
    response = JsonResponse(
        body,
        status=status,
        content_type="application/problem+json",
    )
    if status == 503:
        response["Retry-After"] = "10"
    return response


def unauthorized() -> HttpResponse:
    """Return the challenge for a request without a valid identity."""
    response = JsonResponse(
        {"type": "urn:isocenter:unauthorized", "title": "Sign in, or send a token.", "status": 401},
        status=401,
        content_type="application/problem+json",
    )
    response["WWW-Authenticate"] = 'Bearer realm="isocenter"'
    return response
