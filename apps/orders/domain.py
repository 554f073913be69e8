"""The order's state machine and its words."""

import enum

from apps.core.machines import Machine


class Priority(enum.StrEnum):
    """FHIR request-priority, as `status.json` has it; HL7 table 0485 maps to it."""

    STAT = "stat"
    URGENT = "urgent"
    ROUTINE = "routine"


ORDER = Machine(
    name="order",
    field="status",
    source="HL7 table 0038; RE and VT are ours (requested, to vet)",
    initial=("RE", "VT"),
    table={
        ("vet", "RE"): "VT",
        ("accept", "VT"): "RE",
        ("hold", "RE"): "HD",
        ("hold", "VT"): "HD",
        ("hold", "SC"): "HD",
        ("resume", "HD"): "RE",
        ("schedule", "RE"): "SC",
        ("schedule", "SC"): "SC",
        ("unschedule", "SC"): "RE",
        ("start", "RE"): "IP",
        ("start", "SC"): "IP",
        ("start", "VT"): "IP",
        ("start", "IP"): "IP",
        ("complete", "IP"): "CM",
        ("complete", "SC"): "CM",
        ("complete", "RE"): "CM",
        ("complete", "CM"): "CM",
        ("cancel", "RE"): "CA",
        ("cancel", "VT"): "CA",
        ("cancel", "HD"): "CA",
        ("cancel", "SC"): "CA",
        ("discontinue", "IP"): "DC",
        ("discontinue", "SC"): "DC",
        ("fail", "RE"): "ER",
        ("fail", "VT"): "ER",
        ("reopen", "CM"): "IP",
        ("reopen", "DC"): "IP",
    },
)
