"""State table of exchange: where a storage commitment stands."""

import enum

from apps.core.machines import Machine


class CommitmentState(enum.StrEnum):
    """Where the answer to a storage commitment request stands."""

    REQUESTED = "REQUESTED"
    CHECKED = "CHECKED"
    REPORTED = "REPORTED"
    UNDELIVERED = "UNDELIVERED"


S = CommitmentState

COMMITMENT = Machine(
    name="commitment",
    field="state",
    source="PS3.4 J.3 (N-ACTION, then N-EVENT-REPORT); the states are ours",
    initial=(S.REQUESTED,),
    table={
        ("check", S.REQUESTED): S.CHECKED,
        ("not-sent", S.REQUESTED): S.REQUESTED,
        ("not-sent", S.CHECKED): S.REQUESTED,
        ("report", S.CHECKED): S.REPORTED,
        ("give-up", S.REQUESTED): S.UNDELIVERED,
        ("give-up", S.CHECKED): S.UNDELIVERED,
        ("ask-again", S.REQUESTED): S.REQUESTED,
        ("ask-again", S.CHECKED): S.REQUESTED,
        ("ask-again", S.REPORTED): S.REQUESTED,
        ("ask-again", S.UNDELIVERED): S.REQUESTED,
        ("retry", S.REQUESTED): S.REQUESTED,
        ("retry", S.CHECKED): S.CHECKED,
        ("retry", S.UNDELIVERED): S.REQUESTED,
    },
)
