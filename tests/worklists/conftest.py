"""The department of the scheduling tests, with a scanner at each site."""

import pydicom.config
import pytest

from apps.accounts.models import ApplicationEntity
from apps.accounts.selectors import actor_for_ae
from apps.scheduling import services
from tests.scheduling.conftest import NOW, Department, berlin, make_department


class Hospital:
    """A department and its scanners."""

    def __init__(self) -> None:
        self.department: Department = make_department()
        for title, site in (
            ("CT1", self.department.site),
            ("MR1", self.department.site),
            ("FARCT", self.department.other),
        ):
            ApplicationEntity.objects.create(ae_title=title, host="127.0.0.1", port=1, site=site)
        self.scanner = actor_for_ae("CT1", "127.0.0.1", "a1").actor
        self.far_scanner = actor_for_ae("FARCT", "127.0.0.1", "a2").actor

    def book(self, exam, when="2026-11-24 10:00", room=None):
        appointment = services.appointment_book(
            actor=self.department.scheduler,
            requested_procedure_id=exam.pk,
            room_id=(room or self.department.ct1).pk,
            start_at=berlin(when),
            at=NOW,
        )
        return appointment.scheduled_steps.select_related(
            "appointment", "requested_procedure__order__patient"
        ).get()


@pytest.fixture
def hospital(db) -> Hospital:
    return Hospital()


@pytest.fixture(autouse=True)
def wild_cards_are_values(monkeypatch):
    """Let data sets hold what a peer may send: pydicom warns of `C?` in a CS."""
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.IGNORE)
