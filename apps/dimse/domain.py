"""How an association ends, as the black box keeps it."""

import enum


class End(enum.StrEnum):
    """The last thing that happened to an association."""

    RELEASED = "released"
    REJECTED = "rejected"
    ABORTED_BY_PEER = "aborted-by-peer"
    ABORTED_BY_US = "aborted-by-us"
    LOST = "lost"
    TIMED_OUT = "timed-out"
    SHUT_DOWN = "shut-down"
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
    End.PROBE: "nothing was sent",
}
"""The same in words."""
