"""A copy that is bad is not what a peer gets: another is read, and the bad one is noted.

Through WADO-RS and C-GET, with two storages.
"""

import hashlib
import shutil

import pytest
from django.test import Client
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt

from apps.accounts.domain import Role
from apps.accounts.models import MAIN_SITE
from apps.accounts.services import token_issue, user_save
from apps.archive.models import Location
from apps.archive.reading import Copy, NoCopyError, read, stream
from apps.archive.services import copies_make, copies_verify
from apps.archive.storage import StorageError, storages
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.tasks import relay_once
from apps.dimse.provider import IsocenterProvider
from apps.dimse.scp import HANDLERS
from apps.dimse.upper.provider import Limits
from apps.studies.models import StudyAttention
from tests.archive.conftest import VERIFIER
from tests.archive.test_verifying import DAMAGE, flip, truncate
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice, dataset_bytes

pytestmark = pytest.mark.django_db(transaction=True)
GET = "1.2.840.10008.5.1.4.1.2.2.3"
LARGE = 2048  # a slice of so many rows and columns is 8 MiB
CANNOT_PERFORM, WARNING = 0xA702, 0xB000
SHORTER = {kind: DAMAGE[kind] for kind in ("missing", "truncated", "empty")}


@pytest.fixture
def web(archive) -> Client:
    user_save(actor=VERIFIER, username="t", roles=[Role.TECHNOLOGIST], site_codes=[MAIN_SITE])
    token = token_issue(actor=VERIFIER, username="t", at=clock.now())
    return Client(headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def by_wado(web):
    """Fetch a study by WADO-RS: status, answer and what came in one piece."""

    def fetch(ds):
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        return web.get(f"/dicom-web/studies/{ds.StudyInstanceUID}", headers={"Accept": accept})

    return fetch


@pytest.fixture
def by_get(archive):
    """Fetch a study by C-GET: the final status, its identifier, and the data sets as they came."""
    limits = Limits(artim_s=5, message_s=20, idle_s=20)
    with Server(IsocenterProvider(HANDLERS), limits) as server:

        def fetch(ds):
            came: list[bytes] = []

            def keep(event: evt.Event) -> int:
                came.append(event.encoded_dataset(include_meta=False))
                return 0

            ae = AE("PYNET")
            ae.add_requested_context(GET)
            ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
            assoc = ae.associate(
                "127.0.0.1",
                server.port,
                ae_title="ISOCENTER",
                ext_neg=[build_role(CTImageStorage, scp_role=True)],
                evt_handlers=[(evt.EVT_C_STORE, keep)],
            )
            wanted = Dataset()
            wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", ds.StudyInstanceUID
            status, identifier = list(assoc.send_c_get(wanted, GET))[-1]
            assoc.release()
            return status, identifier, came

        yield fetch


def given(answer) -> bytes:
    return b"".join(answer.streaming_content)


def sent_twice(archive, **attributes):
    """An object with a copy in each storage."""
    ds = ct_slice(**attributes)
    stored = archive.send(ds)
    assert copies_make(actor=VERIFIER, seconds=30) == 1
    first, second = Location.objects.filter(stored_object=stored).order_by("pk")
    return ds, stored, first, second


@pytest.mark.parametrize("size", [16, LARGE])
@pytest.mark.parametrize("kind", SHORTER)
def test_a_copy_that_is_not_whole_is_left_for_the_other(archive, by_wado, kind, size):
    damage, problem = SHORTER[kind]
    ds, stored, first, _ = sent_twice(archive, size=size)
    damage(archive.path(first))
    answer = by_wado(ds)
    assert answer.status_code == 200
    assert dataset_bytes(as_file(ds)) in given(answer)
    status = "missing" if problem == "missing" else "corrupt"
    assert archive.copies(stored) == [("default", status, problem), ("second", "available", "")]
    event = AuditEvent.objects.get(event="archive.copy.damaged")
    assert (event.details["storage"], event.details["problem"]) == ("default", problem)
    copies_verify(actor=VERIFIER, seconds=30)  # as beat does each minute
    assert archive.copies(stored)[-1] == ("default", "available", "")


@pytest.mark.parametrize("kind", [*SHORTER, "altered"])
def test_the_same_by_c_get(archive, by_get, kind):
    damage, problem = DAMAGE[kind]
    ds, stored, first, _ = sent_twice(archive)
    damage(archive.path(first))
    status, _, came = by_get(ds)
    assert (status.Status, came) == (0, [dataset_bytes(as_file(ds))])
    assert archive.copies(stored)[0][2] == problem


def test_a_copy_that_ends_on_the_way_is_gone_on_with_in_the_other(archive, by_get):
    ds, stored, first, _ = sent_twice(archive, size=LARGE)
    with archive.path(first).open("r+b") as file:
        file.truncate(5_000_000)
    status, _, [came] = by_get(ds)
    assert status.Status == 0
    expected = dataset_bytes(as_file(ds))
    assert hashlib.sha256(came).digest() == hashlib.sha256(expected).digest()
    assert archive.copies(stored)[0] == ("default", "corrupt", "truncated")


def test_what_was_altered_never_goes_out_whole(archive, by_wado):
    """A small object is exchanged before it goes out; a large one is broken off at its end."""
    ds, _, first, _ = sent_twice(archive)
    flip(archive.path(first))
    assert dataset_bytes(as_file(ds)) in given(by_wado(ds))
    ds, stored, first, _ = sent_twice(archive, size=LARGE)
    flip(archive.path(first))
    answer = by_wado(ds)
    with pytest.raises(StorageError, match="not what was received"):
        given(answer)
    assert archive.copies(stored)[0] == ("default", "corrupt", "altered")
    assert dataset_bytes(as_file(ds)) in given(by_wado(ds))


def test_a_storage_that_is_away_damages_nothing(archive, by_wado, by_get):
    ds, stored, _, _ = sent_twice(archive)
    shutil.move(archive.folder / "first", archive.folder / "away")
    assert dataset_bytes(as_file(ds)) in given(by_wado(ds))
    assert by_get(ds)[2] == [dataset_bytes(as_file(ds))]
    assert {row[1] for row in archive.copies(stored)} == {"available"}
    assert storages()[0].recently_down  # and is tried last for a while
    shutil.rmtree(archive.folder / "second")
    answer = by_wado(ds)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    status, identifier, came = by_get(ds)
    assert (status.Status, status.NumberOfFailedSuboperations, came) == (CANNOT_PERFORM, 1, [])
    assert identifier.FailedSOPInstanceUIDList == ds.SOPInstanceUID
    assert {row[1] for row in archive.copies(stored)} == {"available"}


def test_where_no_copy_is_left_the_peer_is_told_and_a_person(archive, web, by_wado, by_get):
    ds, _, first, second = sent_twice(archive)
    archive.path(first).unlink()
    truncate(archive.path(second))
    for answer in (by_wado(ds), web.get(f"/dicom-web/studies/{ds.StudyInstanceUID}/metadata")):
        assert answer.status_code == 503
        assert "No good copy of this object is left" in answer.json()["title"]
    status, identifier, came = by_get(ds)
    assert (status.Status, status.NumberOfFailedSuboperations, came) == (CANNOT_PERFORM, 1, [])
    assert identifier.FailedSOPInstanceUIDList == ds.SOPInstanceUID
    relay_once()
    assert StudyAttention.objects.filter(kind="damaged", resolved_at=None).count() == 1


def test_of_a_study_what_is_left_is_given_and_the_rest_named(archive, web, by_wado, by_get):
    lost = ct_slice()
    here = ct_slice(study=lost.StudyInstanceUID, series=lost.SeriesInstanceUID, number=2)
    stored = archive.send(lost)
    archive.send(here)
    archive.path(Location.objects.get(stored_object=stored)).unlink()
    answer = by_wado(lost)
    assert answer.status_code == 206
    assert "damaged here" in answer["Warning"]
    body = given(answer)
    assert dataset_bytes(as_file(here)) in body
    assert body.count(b"Content-Type: application/dicom") == 1
    status, identifier, came = by_get(lost)
    assert (status.Status, came) == (WARNING, [dataset_bytes(as_file(here))])
    assert identifier.FailedSOPInstanceUIDList == lost.SOPInstanceUID
    address = f"/dicom-web/studies/{lost.StudyInstanceUID}/metadata"
    [row] = web.get(address).json()
    assert row["00080018"]["Value"] == [here.SOPInstanceUID]
    archive.send(lost)  # sent again, it is whole, and so is what is said of it
    assert len(web.get(address).json()) == 2


def test_frames_and_metadata_come_from_the_other_copy_too(archive, web):
    ds, stored, first, _ = sent_twice(archive)
    archive.path(first).unlink()
    path = f"/dicom-web/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
    path += f"/instances/{ds.SOPInstanceUID}"
    octets = {"Accept": "application/octet-stream"}
    assert web.get(f"{path}/frames/1", headers=octets).content == ds.PixelData
    [row] = web.get(f"{path}/metadata").json()
    assert row["00080018"]["Value"] == [ds.SOPInstanceUID]
    assert archive.copies(stored)[0] == ("default", "missing", "missing")


def test_a_storage_that_settings_no_longer_name_is_passed_over(archive):
    _, _, first, second = sent_twice(archive)
    gone = Copy("tape", first.key)
    assert read([gone, Copy("second", second.key)], 128, 4) == b"DICM"
    with pytest.raises(StorageError) as caught:
        list(stream([gone], 0, 1))
    assert not isinstance(caught.value, NoCopyError)
