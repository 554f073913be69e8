"""What was begun and never recorded goes; what a row names, and what is still new, stays."""

import datetime
from pathlib import Path

import pytest
from django.conf import settings as configured

from apps.accounts.selectors import actor_for_ae
from apps.archive.services.sweeping import LOOK_BACK_DAYS, SETTLED_DAYS, orphans_sweep
from apps.archive.storage import write_storage
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.actors import system_actor
from apps.studies.services import instances_record
from pacs_site.celery import app
from tests.factories.dicom import as_file, ct_slice, stage

pytestmark = pytest.mark.django_db
SWEEPER = system_actor("sweeper")


@pytest.fixture
def began(monkeypatch, settings, tmp_path):
    """Begin files on the day that is so many days back; return where one lies, recorded or not."""
    settings.ARCHIVE_URL = tmp_path.as_uri()
    settings.ISOCENTER_OPEN_AE = True
    now = clock.now()

    def begin(days_back: int, *, recorded: bool) -> Path:
        monkeypatch.setattr(clock, "now", lambda: now - datetime.timedelta(days=days_back))
        staged = stage(as_file(ct_slice()))
        if recorded:
            scanner = actor_for_ae("CT_1", "127.0.0.1").actor
            instances_record(actor=scanner, batch=[staged], at=clock.now(), door="dimse")
        monkeypatch.setattr(clock, "now", lambda: now)
        return Path(write_storage().local_path(staged.key))

    return begin


def test_only_unrecorded_files_of_settled_days_go(began):
    kept = began(3, recorded=True)
    new = [began(days, recorded=False) for days in range(SETTLED_DAYS)]
    orphans = [began(days, recorded=False) for days in (SETTLED_DAYS, LOOK_BACK_DAYS - 1)]
    assert orphans_sweep(actor=SWEEPER, at=clock.now()) == len(orphans)
    assert kept.exists()
    assert all(path.exists() for path in new)
    assert not any(path.exists() for path in orphans)
    assert AuditEvent.objects.get(event="archive.files.swept").details == {"files": 2}
    assert orphans_sweep(actor=SWEEPER, at=clock.now()) == 0


def test_everything_that_beat_plans_is_a_task_here():
    app.loader.import_default_modules()
    planned = {entry["task"] for entry in configured.CELERY_BEAT_SCHEDULE.values()}
    assert planned <= set(app.tasks)
    assert {"apps.audit.tasks.seal_audit", "apps.archive.tasks.sweep_archive"} <= planned
