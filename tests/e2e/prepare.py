"""A small hospital in a running product, made by its own commands: `manage.py shell` calls this."""

import datetime

from apps.accounts.domain import Role
from apps.accounts.models import MAIN_SITE
from apps.accounts.selectors import main_site
from apps.accounts.services import user_save
from apps.core.actors import system_actor
from apps.orders.services import procedure_save
from apps.scheduling.models import OpeningHours, Room

PASSWORD = "chain-of-nine-links"
PEOPLE = {
    "sofia": (Role.SCHEDULER, ""),
    "ines": (Role.RADIOLOGIST, ""),
    "hart": (Role.REFERRER, "D100"),
    "other": (Role.REFERRER, "D200"),
}


def prepare() -> None:
    """Make a room with a scanner that is always open, one procedure, and four people."""
    actor = system_actor("test")
    for name, (role, provider) in PEOPLE.items():
        user_save(
            actor=actor,
            username=name,
            roles=[role],
            site_codes=[MAIN_SITE],
            password=PASSWORD,
            first_name=name.title(),
            last_name="Chain",
            provider_id=provider,
        )
    room, made = Room.objects.get_or_create(
        site=main_site(),
        code="CT1",
        defaults={"name": "CT 1", "modality": "CT", "scheduled_station_ae_title": "CT_NORTH"},
    )
    if not made:
        return
    OpeningHours.objects.bulk_create(
        OpeningHours(room=room, weekday=day, opens=datetime.time(0), closes=datetime.time(23, 59))
        for day in range(7)
    )
    procedure_save(
        actor=actor,
        code="CTHEAD",
        meaning="CT head",
        modality="CT",
        body_part="HEAD",
        duration_minutes=15,
    )
