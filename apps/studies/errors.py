"""Refusals of ingest; a peer hears them in its protocol's words, a person in these."""

from apps.core.errors import DomainError


class NotADataSetError(DomainError):
    """The bytes cannot be read as the transfer syntax says."""

    code = "studies.cannot-understand"
    message = "The data set cannot be read in the transfer syntax it was sent in. Nothing was kept."


class TruncatedDataSetError(DomainError):
    """The bytes end before the pixel data does."""

    code = "studies.truncated"
    message = "The data set ends before its pixel data does. Nothing was kept; send it again."


class MissingUidError(DomainError):
    """It does not say which study, series or instance it is."""

    code = "studies.missing-uid"
    message = "A Study, Series, SOP Instance or SOP Class UID is missing or is no UID."


class MismatchError(DomainError):
    """The command named another object than the data set holds."""

    code = "studies.does-not-match"
    message = "The UIDs of the request and of the data set differ. Nothing was kept."


class TransferSyntaxError(DomainError):
    """The object cannot be given in any transfer syntax that the peer takes."""

    code = "studies.no-transfer-syntax"
    message = "The object cannot be given in a transfer syntax that was asked for."


class QueryRefusedError(DomainError):
    """The query is malformed, or would match without bound."""

    code = "studies.query-refused"
    message = "The query cannot be answered."


class DefectiveError(DomainError):
    """The object has defects, and the rule for its sender refuses such."""

    code = "studies.defective"
    message = "The object has defects that are not taken from this sender. Nothing was kept."


class QueryTooBroadError(DomainError):
    """The query would match or cost more than the guard rails let through."""

    code = "studies.query-too-broad"
    message = "The query is too broad to be answered; narrow it by patient, date or accession."
