"""Print a bearer token."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.services import token_issue
from apps.core import clock
from apps.core.actors import Actor, ActorKind
from apps.core.errors import DomainError


def console_actor() -> Actor:
    """Return the actor of a command typed on the server's own console."""
    return Actor(kind=ActorKind.SYSTEM, key="system:console", display="Console", all_sites=True)


class Command(BaseCommand):
    help = "Print, last and alone on its line, a bearer token for an account."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("username")
        parser.add_argument("--label", default="console")

    def handle(self, *args: Any, **options: Any) -> None:
        """Issue the token."""
        try:
            token = token_issue(
                actor=console_actor(),
                username=options["username"],
                at=clock.now(),
                label=options["label"],
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(token)
