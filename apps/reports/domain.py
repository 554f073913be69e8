"""The report's state machine."""

from apps.core.machines import Machine

REPORT = Machine(
    name="report",
    field="status",
    source="FHIR R4 diagnostic-report-status",
    initial=("registered",),
    table={
        ("autosave", "registered"): "registered",
        ("autosave", "preliminary"): "preliminary",
        ("autosave", "final"): "final",
        ("autosave", "appended"): "appended",
        ("autosave", "corrected"): "corrected",
        ("preliminary", "registered"): "preliminary",
        ("preliminary", "preliminary"): "preliminary",
        ("sign", "registered"): "final",
        ("sign", "preliminary"): "final",
        ("addend", "final"): "appended",
        ("addend", "appended"): "appended",
        ("addend", "corrected"): "appended",
        ("correct", "final"): "corrected",
        ("correct", "appended"): "corrected",
        ("correct", "corrected"): "corrected",
        ("cancel", "registered"): "cancelled",
        ("cancel", "preliminary"): "cancelled",
        ("cancel", "final"): "cancelled",
        ("cancel", "appended"): "cancelled",
        ("cancel", "corrected"): "cancelled",
    },
)
