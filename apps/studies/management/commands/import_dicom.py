"""Import DICOM files from this machine."""

import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.accounts.domain import Permission
from apps.accounts.models import MAIN_SITE
from apps.accounts.services import site_by_code
from apps.core.actors import Actor, ActorKind
from apps.core.errors import DomainError
from apps.studies.domain import FileOutcome
from apps.studies.importing import files_at
from apps.studies.services.taking import FileTaken, files_take

WORDS = {
    FileOutcome.STORED: "stored",
    FileOutcome.ALREADY_HERE: "already here",
    FileOutcome.OTHER_VERSION: "kept as another version",
    FileOutcome.QUARANTINED: "kept in quarantine",
}


class Command(BaseCommand):
    help = (
        "Import DICOM files, folders and ZIPs through the same ingest as every other door. "
        "Stopped half way it can be started again: what is here already is no second copy. "
        "Ends with 1 where something was refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--site", default=MAIN_SITE, help="site code, MAIN by default")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, and say what became of the files by reason."""
        try:
            site = site_by_code(options["site"])
        except DomainError as error:
            raise CommandError(error.message) from error
        if absent := [str(path) for path in options["paths"] if not path.exists()]:
            message = f"Not there: {', '.join(absent)}"
            raise CommandError(message)
        self.actor = Actor(
            kind=ActorKind.INTERFACE,
            key="import:console",
            display="Import",
            permissions=frozenset({Permission.STUDY_STORE.value}),
            sites=frozenset({site.pk}),
            home_site=site.pk,
        )
        self.done: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        for path in options["paths"]:
            self._import(path)
        self._summary()
        if self.refused:
            sys.exit(1)

    def _import(self, path: Path) -> None:
        for one in files_take(files_at(path), actor=self.actor, door="import"):
            self._tell(one)
        self.stdout.write(f"{sum(self.done.values()):,} files taken")

    def _tell(self, one: FileTaken) -> None:
        if one.outcome in WORDS:
            self.done[WORDS[one.outcome]] += 1
            if sum(self.done.values()) % 1000 == 0:
                self.stdout.write(f"{sum(self.done.values()):,} files taken")
            return
        counts = self.left if one.outcome is FileOutcome.LEFT else self.refused
        counts[one.words] += 1
        self.stderr.write(f"{one.name}: {one.words}")

    def _summary(self) -> None:
        for title, counts in (
            ("Taken", self.done),
            ("Left alone", self.left),
            ("Refused", self.refused),
        ):
            for words, count in counts.most_common():
                self.stdout.write(f"{title}: {count:,} {words}")
