"""Make sure that somebody can sign in to an empty installation."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.domain import Role
from apps.accounts.management.commands.issue_token import console_actor
from apps.accounts.models import MAIN_SITE, User
from apps.accounts.services import user_save


class Command(BaseCommand):
    help = (
        "Create the administrator with the password in ISOCENTER_ADMIN_PASSWORD, if there is none."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--username", default="admin")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the account; one that exists stays as it is."""
        if User.objects.filter(username=options["username"]).exists():
            self.stdout.write(f"{options['username']} exists")
            return
        password = os.environ.get("ISOCENTER_ADMIN_PASSWORD", "")
        if not password:
            message = "set ISOCENTER_ADMIN_PASSWORD"
            raise CommandError(message)
        user_save(
            actor=console_actor(),
            username=options["username"],
            roles=[Role.ADMINISTRATOR],
            site_codes=[MAIN_SITE],
            password=password,
            last_name="Administrator",
        )
        self.stdout.write(f"{options['username']} made")
