"""Fill an empty installation with the demo hospital."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.core.actors import system_actor
from apps.core.errors import DomainError
from apps.demo.seed.plan import Scale
from apps.demo.services import demo_seed

SMALL = Scale(patients=60, days_past=40, days_coming=10, today=24, past_day=4, images=8, priors=2)


class Command(BaseCommand):
    help = (
        "Make the demo hospital: sites, rooms, staff, patients, six months of exams, images. The "
        "demo accounts get the password in ISOCENTER_DEMO_PASSWORD. Doing it again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--small", action="store_true", help="a tenth of it, in seconds")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, telling each part as it is done."""
        if settings.PRODUCTION:
            message = "The demo hospital is not for production settings."
            raise CommandError(message)
        password = os.environ.get("ISOCENTER_DEMO_PASSWORD", "")
        if not password:
            message = "Set ISOCENTER_DEMO_PASSWORD: the demo accounts' password."
            raise CommandError(message)
        try:
            made = demo_seed(
                actor=system_actor("demo"),
                password=password,
                at=clock.now(),
                scale=SMALL if options["small"] else None,
                tell=self.stdout.write,
            )
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write("The demo hospital is here already." if made is None else "Done.")
