"""State machines of performed steps and of reading."""

from apps.core.machines import Machine

PERFORMED_STEP = Machine(
    name="mpps",
    field="status",
    source="(0040,0252), PS3.4 F.7.2",
    initial=("IN PROGRESS",),
    table={
        ("change", "IN PROGRESS"): "IN PROGRESS",
        ("complete", "IN PROGRESS"): "COMPLETED",
        ("discontinue", "IN PROGRESS"): "DISCONTINUED",
    },
)
