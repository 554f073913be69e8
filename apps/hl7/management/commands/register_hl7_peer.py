"""Register an HL7 v2 peer."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.management.commands.issue_token import console_actor
from apps.accounts.models import MAIN_SITE
from apps.accounts.services import hl7_peer_register
from apps.core.errors import DomainError


class Command(BaseCommand):
    help = "Register an HL7 v2 peer by name, or change the one of that name."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("name")
        parser.add_argument("--app", default="", help="MSH-3 it sends; any where empty")
        parser.add_argument("--facility", default="", help="MSH-4 it sends; any where empty")
        parser.add_argument("--site", default=MAIN_SITE, help="site code, MAIN by default")
        parser.add_argument("--issuer", default="", help="of patient IDs where PID-3.4 is empty")
        parser.add_argument("--send", default="", metavar="HOST:PORT", help="where results go")
        parser.add_argument("--events", default="", help="what goes there: oru,status")
        parser.add_argument(
            "--accession-field", default="", help="where its accession is if not OBR-18: ORC-3"
        )
        parser.add_argument("--charset", default="", help="table 0211, where MSH-18 is empty")

    def handle(self, *args: Any, **options: Any) -> None:
        """Register it."""
        host, _, port = options["send"].rpartition(":")
        if options["send"] and (not host or not port.isdecimal()):
            message = f"--send takes HOST:PORT, not {options['send']}"
            raise CommandError(message)
        try:
            peer = hl7_peer_register(
                actor=console_actor(),
                name=options["name"],
                app=options["app"],
                facility=options["facility"],
                site_code=options["site"],
                issuer=options["issuer"],
                send_host=host,
                send_port=int(port) if port else None,
                events=[event.strip() for event in options["events"].split(",") if event.strip()],
                accession_field=options["accession_field"],
                charset=options["charset"],
            )
        except DomainError as error:
            raise CommandError(error.message) from error
        sends = f", gets {', '.join(peer.events) or 'nothing'} at {options['send']}" if host else ""
        self.stdout.write(f"{peer.name} of site {options['site']}{sends}")
