import pytest

from apps.accounts.selectors import actor_for_ae
from apps.archive.models import Location, StoredObject
from apps.archive.storage import storage_named
from apps.core import clock
from apps.core.actors import system_actor
from apps.studies.services import instances_record
from tests.factories.dicom import as_file, ct_slice, stage

VERIFIER = system_actor("verifier")


class Archive:
    """An archive of one or two folders, filled through the one ingest."""

    def __init__(self, settings, folder):
        self.settings, self.folder = settings, folder
        settings.ISOCENTER_OPEN_AE = True
        settings.ARCHIVE_URL = (folder / "first").as_uri()
        settings.ARCHIVE_STORAGES = {"second": (folder / "second").as_uri()}
        settings.ARCHIVE_COPY_TO = ["second"]
        settings.ARCHIVE_RESERVE_MB = 0

    def send(self, ds=None):
        """Store one object as a modality does; return its stored object."""
        staged = stage(as_file(ds if ds is not None else ct_slice()))
        scanner = actor_for_ae("CT_1", "127.0.0.1").actor
        [result] = instances_record(actor=scanner, batch=[staged], at=clock.now(), door="dimse")
        self.last = result
        StoredObject.objects.update(stored_at="2026-01-01T00:00Z")  # settled
        return StoredObject.objects.get(digest=staged.digest)

    @staticmethod
    def path(location):
        return storage_named(location.storage).root / location.key

    @staticmethod
    def copies(stored):
        """What is recorded: (storage, status, problem), in the order of recording."""
        rows = Location.objects.filter(stored_object=stored).order_by("pk")
        return [(row.storage, row.status, row.problem) for row in rows]


@pytest.fixture
def archive(settings, tmp_path):
    return Archive(settings, tmp_path)
