"""State machines of appointments and scheduled steps."""

from apps.core.machines import Machine

APPOINTMENT = Machine(
    name="appointment",
    field="status",
    source="FHIR R4 appointmentstatus",
    initial=("proposed", "pending", "booked", "waitlist"),
    table={
        ("confirm", "proposed"): "booked",
        ("confirm", "pending"): "booked",
        ("book", "waitlist"): "booked",
        ("arrive", "booked"): "arrived",
        ("check-in", "booked"): "checked-in",
        ("check-in", "arrived"): "checked-in",
        ("fulfil", "booked"): "fulfilled",
        ("fulfil", "arrived"): "fulfilled",
        ("fulfil", "checked-in"): "fulfilled",
        ("cancel", "proposed"): "cancelled",
        ("cancel", "pending"): "cancelled",
        ("cancel", "booked"): "cancelled",
        ("cancel", "waitlist"): "cancelled",
        ("cancel", "arrived"): "cancelled",
        ("cancel", "checked-in"): "cancelled",
        ("miss", "booked"): "noshow",
        ("undo-arrival", "arrived"): "booked",
        ("undo-arrival", "checked-in"): "booked",
        ("undo-miss", "noshow"): "booked",
        ("undo-cancel", "cancelled"): "booked",
        ("void", "proposed"): "entered-in-error",
        ("void", "pending"): "entered-in-error",
        ("void", "booked"): "entered-in-error",
        ("void", "cancelled"): "entered-in-error",
    },
)

SCHEDULED_STEP = Machine(
    name="sps",
    field="status",
    source="(0040,0020), PS3.3 C.4-10; CANCELED, DISCONTINUED and COMPLETED are an extension",
    initial=("SCHEDULED", "ARRIVED", "READY"),
    table={
        ("arrive", "SCHEDULED"): "ARRIVED",
        ("ready", "SCHEDULED"): "READY",
        ("ready", "ARRIVED"): "READY",
        ("undo-arrival", "ARRIVED"): "SCHEDULED",
        ("undo-arrival", "READY"): "SCHEDULED",
        ("start", "SCHEDULED"): "STARTED",
        ("start", "ARRIVED"): "STARTED",
        ("start", "READY"): "STARTED",
        ("start", "STARTED"): "STARTED",
        ("start", "DISCONTINUED"): "STARTED",
        ("undo-start", "STARTED"): "READY",
        ("depart", "STARTED"): "DEPARTED",
        ("depart", "COMPLETED"): "DEPARTED",
        ("cancel", "SCHEDULED"): "CANCELED",
        ("cancel", "ARRIVED"): "CANCELED",
        ("cancel", "READY"): "CANCELED",
        ("undo-cancel", "CANCELED"): "SCHEDULED",
        ("discontinue", "STARTED"): "DISCONTINUED",
        ("discontinue", "SCHEDULED"): "DISCONTINUED",
        ("discontinue", "ARRIVED"): "DISCONTINUED",
        ("discontinue", "READY"): "DISCONTINUED",
        ("complete", "SCHEDULED"): "COMPLETED",
        ("complete", "ARRIVED"): "COMPLETED",
        ("complete", "READY"): "COMPLETED",
        ("complete", "STARTED"): "COMPLETED",
        ("complete", "COMPLETED"): "COMPLETED",
        ("reopen", "COMPLETED"): "STARTED",
    },
)

HOLDS_SLOT = ("proposed", "pending", "booked", "arrived", "checked-in", "fulfilled")
"""Appointments that keep their room: what the exclusion constraint covers."""

AWAITED = ("SCHEDULED", "ARRIVED", "READY")
"""Steps that the modality has not begun."""

LIVE = (*AWAITED, "STARTED")
"""Steps that are still to be ended."""

SLOT_MINUTES = 5
"""Every appointment begins on a mark of this raster and lasts a multiple of it."""
