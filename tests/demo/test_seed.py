"""The demo hospital: made once, as the commands would have left it, within its limits."""

import datetime as dt

import pytest

from apps.accounts.models import Site, User
from apps.audit.models import AuditEvent
from apps.core.actors import system_actor
from apps.demo.seed.plan import Scale
from apps.demo.services import demo_seed
from apps.orders.models import Order, Procedure, RequestedProcedure
from apps.patients.models import Patient
from apps.reports.models import Report, ReportVersion
from apps.scheduling.models import Appointment, Room, ScheduledStep
from apps.studies.models import Instance, Series, Study, StudyMatch
from apps.worklists.models import ReadingItem

pytestmark = pytest.mark.django_db(transaction=True)
NOON = dt.datetime(2026, 11, 24, 13, 10, tzinfo=dt.UTC)
TINY = Scale(patients=40, days_past=35, days_coming=6, today=20, past_day=3, images=4, priors=1)


@pytest.fixture
def archive(settings, tmp_path):
    settings.ARCHIVE_URL = tmp_path.as_uri()


@pytest.fixture
def seeded(archive):
    return demo_seed(actor=system_actor("demo"), password="a demo password", at=NOON, scale=TINY)


def counted():
    models = [Site, Room, Procedure, User, Patient, Order, RequestedProcedure, Appointment,
              ScheduledStep, Study, Series, Instance, StudyMatch, Report, ReportVersion,
              ReadingItem]  # fmt: skip
    return {model.__name__: model.objects.count() for model in models}


def test_seed_twice_is_seed_once(seeded):
    before = counted()
    again = demo_seed(actor=system_actor("demo"), password="another", at=NOON, scale=TINY)
    assert again is None
    assert counted() == before
    assert AuditEvent.objects.filter(event="demo.hospital.seeded").count() == 1
    assert User.objects.get(username="radiologist").check_password("a demo password")
