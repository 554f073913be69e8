"""`manage.py dimse_scp`: the DICOM listener."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.dimse.certificates import our_tls
from apps.dimse.listener import DRAIN_S, MAX_ASSOCIATIONS, PROCESSES, Listener, ListenerConfig
from apps.dimse.provider import IsocenterProvider
from apps.dimse.scp import HANDLERS
from apps.dimse.upper.provider import Limits
from apps.dimse.upper.tls import TlsSetupError


class Command(BaseCommand):
    """Listen for DICOM associations until SIGTERM, then drain and end."""

    help = "Listen for DICOM associations until SIGTERM, then finish what is in hand and end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        given = Limits()
        parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - modalities are elsewhere
        parser.add_argument("--port", type=int, default=settings.ISOCENTER_DICOM_PORT)
        parser.add_argument(
            "--tls-port",
            type=int,
            default=settings.ISOCENTER_DICOM_TLS_PORT,
            help="where ISOCENTER_DICOM_TLS_CERTIFICATE, _KEY and _CA are set",
        )
        parser.add_argument("--processes", type=int, default=PROCESSES)
        parser.add_argument(
            "--max-associations",
            type=int,
            default=MAX_ASSOCIATIONS,
            help="of each process, at a time",
        )
        parser.add_argument("--artim", type=float, default=given.artim_s, help="seconds")
        parser.add_argument(
            "--idle", type=float, default=given.idle_s, help="seconds between messages"
        )
        parser.add_argument(
            "--stall", type=float, default=given.message_s, help="seconds within a message"
        )
        parser.add_argument("--drain", type=float, default=DRAIN_S, help="seconds after SIGTERM")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the listener."""
        try:
            tls = our_tls()
        except TlsSetupError as error:
            raise CommandError(str(error)) from error
        config = ListenerConfig(
            host=options["host"],
            port=options["port"],
            processes=options["processes"],
            max_associations=options["max_associations"],
            drain_s=options["drain"],
            tls_port=options["tls_port"],
            tls=tls,
            limits=Limits(
                artim_s=options["artim"], idle_s=options["idle"], message_s=options["stall"]
            ),
        )
        try:
            Listener(config, lambda: IsocenterProvider(HANDLERS)).run()
        except OSError as error:
            ports = f"{config.port} and {config.tls_port}" if tls else f"{config.port}"
            message = f"cannot listen on {config.host}, port {ports}: {error.strerror}"
            raise CommandError(message) from error
