"""Fill the index with synthetic exams, for measuring at the size of a large hospital."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock
from apps.core.actors import system_actor
from apps.core.errors import DomainError
from apps.demo.synthetic.load import SEED, Progress, synthetic_load


class Command(BaseCommand):
    help = (
        "Fill the index with synthetic patients, orders, appointments, studies without images and "
        "reports. All are marked as synthetic. Asked again with a larger number, or after it was "
        "stopped, it goes on where it ended."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--studies", type=int, required=True, help="how many there are to be")
        parser.add_argument("--seed", type=int, default=SEED, help="the same seed, the same exams")
        parser.add_argument(
            "--beside-real-data",
            action="store_true",
            help="load even into a production installation that has exams of its own",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, telling each chunk as it is done."""
        began = time.monotonic()

        def tell(progress: Progress) -> None:
            spent = time.monotonic() - began
            self.stdout.write(f"{progress.studies:,} studies, {spent:,.0f} s")

        try:
            synthetic_load(
                actor=system_actor("synthetic"),
                studies=options["studies"],
                at=clock.now(),
                seed=options["seed"],
                beside_real_data=options["beside_real_data"],
                tell=tell,
            )
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"Done in {time.monotonic() - began:,.0f} s.")
