"""Commands of reports."""

from apps.reports.services.drafting import (
    Autosave,
    kept_text_settle,
    report_autosave,
    report_discard,
    report_revise,
    report_start,
)
from apps.reports.services.releasing import (
    EmptyReportError,
    OpenFieldsError,
    ReauthenticationRequiredError,
    report_addend,
    report_cancel,
    report_correct,
    report_preliminary,
    report_sign,
)

__all__ = [
    "Autosave",
    "EmptyReportError",
    "OpenFieldsError",
    "ReauthenticationRequiredError",
    "kept_text_settle",
    "report_addend",
    "report_autosave",
    "report_cancel",
    "report_correct",
    "report_discard",
    "report_preliminary",
    "report_revise",
    "report_sign",
    "report_start",
]
