"""How an association ends, and why TLS fails, as they are kept and explained."""

import enum
from dataclasses import dataclass


class End(enum.StrEnum):
    """The last thing that happened to an association."""

    RELEASED = "released"
    REJECTED = "rejected"
    ABORTED_BY_PEER = "aborted-by-peer"
    ABORTED_BY_US = "aborted-by-us"
    LOST = "lost"
    TIMED_OUT = "timed-out"
    SHUT_DOWN = "shut-down"
    TLS_FAILED = "tls-failed"
    PROBE = "probe"
    """Nothing was sent: counted, not kept."""


ENDS = {
    End.RELEASED: "released",
    End.REJECTED: "rejected by us",
    End.ABORTED_BY_PEER: "aborted by the peer",
    End.ABORTED_BY_US: "aborted by us",
    End.LOST: "connection lost",
    End.TIMED_OUT: "timed out",
    End.SHUT_DOWN: "we shut down",
    End.TLS_FAILED: "TLS failed",
    End.PROBE: "nothing was sent",
}
"""The same in words."""


class TlsFault(enum.StrEnum):
    """Why a TLS connection did not come about, as seen by whoever noticed."""

    NOT_TLS = "not-tls"
    NO_CERTIFICATE = "no-certificate"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    PURPOSE = "wrong-purpose"
    OTHER_NAME = "other-name"
    NOT_ACCEPTED = "not-accepted"
    OURS_REFUSED = "ours-refused"
    CLOSED_AFTER = "closed-after"
    """TLS stood, then it closed without a word."""
    NOTHING_COMMON = "nothing-common"
    BROKEN = "broken"
    NOT_SET_UP = "not-set-up"
    """We have no certificate of our own."""


class Unreachable(enum.StrEnum):
    """How far an association that we asked for did not come."""

    NO_SUCH_HOST = "no-such-host"
    REFUSED = "refused"
    NO_ROUTE = "no-route"
    NO_CONNECTION = "no-connection"
    """Nothing came back within the time."""
    TLS = "tls"
    CLOSED = "closed"
    SILENT = "silent"
    NO_DICOM = "no-dicom"
    REJECTED = "rejected"
    ABORTED = "aborted"
    NOT_THIS = "not-this"
    """It takes associations, but not for this."""


class Question(enum.StrEnum):
    """What an administrator can have a node asked."""

    ECHO = "echo"
    FIND = "find"
    WORKLIST = "worklist"


TLS_REQUIRED, OTHER_CERTIFICATE = "1.3 tls", "1.3 certificate"
"""Rejections (source.reason of PS3.8 9.3.4) with the cause that the standard has no number for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that went wrong, and what to do about it."""

    what: str
    todo: str
