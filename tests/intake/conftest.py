"""The department of tests/shell, with senders whose objects have defects."""

import pytest

from apps.accounts.selectors import actor_for_ae
from apps.core import clock
from apps.core.actors import system_actor
from apps.studies.domain import IntakeAction
from apps.studies.ingest.rules import forget_rules
from apps.studies.services import instances_record
from apps.studies.services.intake import intake_rule_save
from tests.factories.dicom import as_file, ct_slice, stage
from tests.shell.conftest import (
    browser_page,
    front_end,
    hospital,
    quick_passwords,
    sign_in,
    strict_templates,
)

__all__ = [
    "browser_page", "front_end", "hospital", "quick_passwords", "sign_in", "strict_templates",
]  # fmt: skip


@pytest.fixture
def held_back(hospital, settings):
    """Hold back objects of CT_1: defective ones, and those that cannot be read, by number."""
    settings.ISOCENTER_OPEN_AE = True
    forget_rules()
    intake_rule_save(
        actor=system_actor("test"),
        source="ae:CT_1",
        action=IntakeAction.QUARANTINE,
        at=clock.now(),
    )
    sender = actor_for_ae("CT_1", "10.20.1.17").actor

    def hold(defective: int, unreadable: int = 0) -> None:
        files = [as_file(ct_slice(number=n, Rows=15)) for n in range(1, defective + 1)]
        files += [as_file(ct_slice(number=n))[:-20] for n in range(unreadable)]
        batch = [stage(file) for file in files]
        instances_record(actor=sender, batch=batch, at=clock.now(), door="dimse")

    yield hold
    forget_rules()
