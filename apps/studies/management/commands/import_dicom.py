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
from apps.archive.incoming import Staged, discard_staged
from apps.core import clock
from apps.core.actors import Actor, ActorKind
from apps.core.errors import DomainError
from apps.studies.importing import NotDicomFileError, files_at, stage_file
from apps.studies.services import InstanceStatus, instances_record

BATCH = 64
WORDS = {
    InstanceStatus.STORED: "stored",
    InstanceStatus.ALREADY_HERE: "already here",
    InstanceStatus.OTHER_VERSION: "kept as another version",
    InstanceStatus.QUARANTINED: "kept in quarantine",
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
        waiting: list[tuple[str, Staged]] = []
        try:
            for name, opened in files_at(path):
                try:
                    with opened() as file:
                        waiting.append((name, stage_file(file)))
                except (NotDicomFileError, OSError) as error:
                    self._leave(name, error)
                if len(waiting) == BATCH:
                    self._record(waiting)
                    waiting = []
        except NotDicomFileError as error:
            self._leave(str(path), error)
        except BaseException:
            for _, staged in waiting:
                discard_staged(staged)
            raise
        self._record(waiting)

    def _leave(self, name: str, error: Exception) -> None:
        words = error.message if isinstance(error, DomainError) else f"It cannot be read: {error}"
        self.left[words] += 1
        self.stderr.write(f"{name}: {words}")

    def _record(self, waiting: list[tuple[str, Staged]]) -> None:
        if not waiting:
            return
        results = instances_record(
            actor=self.actor, batch=[s for _, s in waiting], at=clock.now(), door="import"
        )
        for (name, _), result in zip(waiting, results, strict=True):
            if result.error is not None:
                self.refused[result.error.message] += 1
                self.stderr.write(f"{name}: {result.error.message}")
            else:
                self.done[WORDS[result.status]] += 1
        self.stdout.write(f"{sum(self.done.values()):,} files taken")

    def _summary(self) -> None:
        for title, counts in (
            ("Taken", self.done),
            ("Left alone", self.left),
            ("Refused", self.refused),
        ):
            for words, count in counts.most_common():
                self.stdout.write(f"{title}: {count:,} {words}")
