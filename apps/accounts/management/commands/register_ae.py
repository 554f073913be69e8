"""Register a DICOM node."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.domain import Verb
from apps.accounts.management.commands.issue_token import console_actor
from apps.accounts.models import MAIN_SITE
from apps.accounts.services import ae_register
from apps.core.errors import DomainError


class Command(BaseCommand):
    help = "Register a DICOM node by AE title, or change the one that has it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("ae_title")
        parser.add_argument("host")
        parser.add_argument("port", type=int)
        parser.add_argument("--site", default=MAIN_SITE, help="site code, MAIN by default")
        parser.add_argument(
            "--allow", default=",".join(Verb), help="verbs, comma-separated; all by default"
        )
        parser.add_argument(
            "--tls",
            choices=("in", "out", "both"),
            help="it has to call over TLS, is called over TLS, or both; neither by default",
        )
        parser.add_argument(
            "--certificate",
            default="",
            help="that it must show over TLS: subject (CN=ct1.example) or SHA-256 fingerprint",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Register it."""
        try:
            verbs = [Verb(verb.strip()) for verb in options["allow"].split(",") if verb.strip()]
        except ValueError as error:
            message = f"{error}; verbs are {', '.join(Verb)}"
            raise CommandError(message) from error
        try:
            entity = ae_register(
                actor=console_actor(),
                ae_title=options["ae_title"],
                host=options["host"],
                port=options["port"],
                site_code=options["site"],
                verbs=verbs,
                calls_over_tls=options["tls"] in ("in", "both"),
                called_over_tls=options["tls"] in ("out", "both"),
                certificate=options["certificate"],
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{entity} of site {options['site']} may {', '.join(entity.verbs)}")
