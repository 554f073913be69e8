"""`manage.py conformance_statement`: what DICOM peers can rely on, as the code has it."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.conformance.markdown import render
from apps.conformance.statement import facts


class Command(BaseCommand):
    """Print the statement of this installation, or keep the one in docs/ as the code is."""

    help = "Print this installation's DICOM conformance statement; --write puts it into docs/."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="the facts alone, as JSON")
        parser.add_argument("--write", action="store_true", help="write docs/conformance.md")
        parser.add_argument(
            "--check", action="store_true", help="fail where docs/conformance.md is another"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it."""
        known = facts()
        text = render(known)
        path = Path(settings.BASE_DIR) / "docs" / "conformance.md"
        if options["json"]:
            self.stdout.write(json.dumps(known, indent=2, ensure_ascii=False))
        elif options["write"]:
            path.write_text(text)
            self.stdout.write(f"written: {path}")
        elif options["check"]:
            if not path.exists() or path.read_text() != text:
                message = f"{path} is stale: run manage.py conformance_statement --write"
                raise CommandError(message)
        else:
            self.stdout.write(text)
