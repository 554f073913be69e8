"""Short ways through the report's commands, for tests."""

from apps.core import clock
from apps.reports import services
from apps.reports.models import Report, ReportVersion


def sections(**texts: str) -> list[dict[str, str]]:
    wanted = texts or {"findings": "Filling defect, right main artery.", "impression": "Embolism."}
    return [{"key": k, "title": k.capitalize(), "text": v} for k, v in wanted.items()]


def draft(room, item=None, user=None, **texts: str) -> Report:
    """A report with a text, not released."""
    actor = room.actor(user or room.falk)
    item = item or room.item()
    report = services.report_start(actor=actor, reading_item_id=item.pk, at=clock.now())
    services.report_autosave(
        actor=actor,
        report_id=report.pk,
        revision=report.draft_revision,
        sections=sections(**texts),
        at=clock.now(),
    )
    report.refresh_from_db()
    return report


def sign(room, report: Report | None = None, user=None, **texts: str) -> ReportVersion:
    report = report or draft(room, user=user, **texts)
    report.refresh_from_db()
    return services.report_sign(
        actor=room.actor(user or room.falk),
        report_id=report.pk,
        revision=report.draft_revision,
        reauthenticated_at=clock.now(),
        at=clock.now(),
    )


def preliminary(room, report: Report | None = None) -> ReportVersion:
    report = report or draft(room)
    report.refresh_from_db()
    return services.report_preliminary(
        actor=room.actor(room.falk),
        report_id=report.pk,
        revision=report.draft_revision,
        at=clock.now(),
    )


def addend(room, report: Report, text: str = "Compared with Eastfield.") -> ReportVersion:
    return services.report_addend(
        actor=room.actor(room.falk),
        report_id=report.pk,
        text=text,
        reauthenticated_at=clock.now(),
        at=clock.now(),
    )


def correct(room, report: Report, reason: str = "Side", **texts: str) -> ReportVersion:
    return services.report_correct(
        actor=room.actor(room.falk),
        report_id=report.pk,
        sections=sections(**(texts or {"findings": "Left, not right.", "impression": "Left."})),
        reason=reason,
        reauthenticated_at=clock.now(),
        at=clock.now(),
    )
