"""Every copy is read again; what is damaged is found, mended from another, or shown to a person."""

import hashlib
import threading

import pytest
from django.db import connection

from apps.archive.models import Location, VerificationPass
from apps.archive.services import copies_make, copies_verify
from apps.archive.services.copying import alone
from apps.audit.models import AuditEvent
from apps.core.tasks import relay_once
from apps.studies.models import Instance, StudyAttention
from apps.studies.retrieve import part10_chunks, select
from apps.studies.services import InstanceStatus
from tests.archive.conftest import VERIFIER
from tests.factories.dicom import as_file, ct_slice, dataset_bytes

pytestmark = pytest.mark.django_db(transaction=True)


def verify(**changes):
    copies_verify(actor=VERIFIER, seconds=30, now=True, **changes)


def copy_all():
    return copies_make(actor=VERIFIER, seconds=30)


def truncate(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 7)


def append(path):
    with path.open("ab") as file:
        file.write(b"more")


def flip(path, at=-11):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def flip_transfer_syntax(path):
    content = path.read_bytes()
    path.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0", 1))


DAMAGE = {
    "missing": (lambda path: path.unlink(), "missing"),
    "truncated": (truncate, "truncated"),
    "empty": (lambda path: path.write_bytes(b""), "truncated"),
    "altered": (flip, "altered"),
    "longer": (append, "altered"),
    "other transfer syntax": (flip_transfer_syntax, "altered"),
}


def test_what_is_good_is_noted_as_verified(archive):
    stored = archive.send()
    archive.send()
    verify()
    assert set(archive.copies(stored)) == {("default", "available", "")}
    assert not Location.objects.filter(verified_at=None).exists()
    done = VerificationPass.objects.get(storage="default")
    assert (done.copies, done.damaged) == (2, 0)
    assert done.bytes_read == sum(archive.path(each).stat().st_size for each in locations())
    assert done.finished_at
    event = AuditEvent.objects.get(event="archive.pass.finished", object_key="storage:default")
    assert event.details["copies"] == 2


def locations():
    return list(Location.objects.order_by("pk"))


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_and_mended_from_the_other_copy(archive, kind):
    damage, problem = DAMAGE[kind]
    ds = ct_slice()
    stored = archive.send(ds)
    assert copy_all() == 1
    first, second = locations()
    damage(archive.path(first))
    left = archive.path(first).read_bytes() if archive.path(first).exists() else None
    verify()
    status = "missing" if problem == "missing" else "corrupt"
    assert archive.copies(stored) == [
        ("default", status, problem),
        ("second", "available", ""),
        ("default", "available", ""),
    ]
    new = locations()[-1]
    assert new.key != first.key
    assert archive.path(new).read_bytes() == archive.path(second).read_bytes()
    if left is not None:  # the evidence is as it was found
        assert archive.path(first).read_bytes() == left
    done = VerificationPass.objects.get(storage="default")
    assert (getattr(done, problem), done.damaged, done.repaired) == (1, 1, 1)
    events = set(AuditEvent.objects.values_list("event", flat=True))
    assert {"archive.copy.damaged", "archive.copy.repaired"} <= events
    relay_once()
    assert not StudyAttention.objects.filter(kind="damaged").exists()


def test_where_no_good_copy_is_left_a_person_is_shown(archive):
    stored = archive.send()
    assert copy_all() == 1
    for location in locations():
        flip(archive.path(location))
    verify()
    assert [row[1] for row in archive.copies(stored)] == ["corrupt", "corrupt"]
    relay_once()
    item = StudyAttention.objects.get(kind="damaged", resolved_at=None)
    assert item.study.study_instance_uid == item.key
    verify()  # and stays one item, however often it is found
    relay_once()
    assert StudyAttention.objects.filter(kind="damaged").count() == 1


def test_the_sender_mends_what_is_lost_by_sending_it_again(archive):
    ds = ct_slice()
    stored = archive.send(ds)
    archive.path(locations()[0]).unlink()
    verify()
    relay_once()
    assert StudyAttention.objects.filter(kind="damaged", resolved_at=None).count() == 1
    archive.send(ds)
    assert archive.last.status is InstanceStatus.ALREADY_HERE
    assert [row[:2] for row in archive.copies(stored)] == [
        ("default", "missing"),
        ("default", "available"),
    ]
    relay_once()
    assert not StudyAttention.objects.filter(kind="damaged", resolved_at=None).exists()
    sent = dataset_bytes(as_file(ds))
    [one] = select(actor=VERIFIER, door="page", sop_instance_uids=[ds.SOPInstanceUID])
    [item] = one.items
    assert b"".join(part10_chunks(item)).endswith(sent)
    assert Instance.objects.get().pixel_offset == item.pixel_offset


def test_a_copy_that_came_back_is_good_again(archive):
    stored = archive.send()
    path = archive.path(locations()[0])
    path.rename(path.with_suffix(".away"))
    verify()
    assert archive.copies(stored) == [("default", "missing", "missing")]
    relay_once()
    path.with_suffix(".away").rename(path)
    verify()
    assert archive.copies(stored) == [("default", "available", "")]
    relay_once()
    assert StudyAttention.objects.get(kind="damaged").resolved_at is not None


def test_a_storage_that_is_not_mounted_damages_nothing(archive):
    stored = archive.send()
    root = archive.folder / "first"
    root.rename(archive.folder / "away")
    for mounted in ("gone", "empty"):
        if mounted == "empty":
            root.mkdir()
        verify()
        assert archive.copies(stored) == [("default", "available", "")]
        assert VerificationPass.objects.get(storage="default").copies == 0
    root.rmdir()
    (archive.folder / "away").rename(root)
    verify()  # and the pass goes on where it stood
    assert VerificationPass.objects.get(storage="default").copies == 1


def test_a_pass_goes_on_where_the_last_run_ended_and_rests_after(archive):
    for _ in range(3):
        archive.send()
    copies_verify(actor=VERIFIER, seconds=0)
    assert VerificationPass.objects.get(storage="default").copies == 0
    copies_verify(actor=VERIFIER, seconds=30)
    done = VerificationPass.objects.get(storage="default")
    assert done.copies == 3
    assert done.finished_at
    copies_verify(actor=VERIFIER, seconds=30)
    assert VerificationPass.objects.filter(storage="default").count() == 1


def test_the_rate_is_held(archive):
    archive.send(ct_slice(size=512))
    size = archive.path(locations()[0]).stat().st_size
    verify(bytes_per_second=size * 2)
    done = VerificationPass.objects.get(storage="default")
    assert done.busy_seconds >= 0.45
    assert done.bytes_per_second <= size * 2.3


def test_two_verifiers_do_not_meet(archive):
    archive.send()
    taken, leave = threading.Event(), threading.Event()

    def other():
        with alone("archive-verify default") as mine:
            assert mine
            taken.set()
            leave.wait(20)
        connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    assert taken.wait(20)
    verify()
    assert not VerificationPass.objects.filter(storage="default").exists()
    leave.set()
    thread.join()
    verify()
    assert VerificationPass.objects.get(storage="default").copies == 1


def test_copying_goes_on_after_a_fault_and_copies_nothing_twice(archive):
    kept = [archive.send() for _ in range(3)]
    blocked = archive.folder / "second"
    blocked.write_text("a file where the folder should be")
    assert copy_all() == 0
    blocked.unlink()
    assert copy_all() == 3
    assert copy_all() == 0
    for stored in kept:
        copy = Location.objects.get(stored_object=stored, storage="second")
        content = archive.path(copy).read_bytes()[stored.dataset_offset :]
        assert hashlib.sha256(content).hexdigest() == stored.digest
        assert copy.verified_at


def test_a_damaged_source_is_never_copied(archive):
    stored = archive.send()
    flip(archive.path(locations()[0]))
    assert copy_all() == 0
    assert archive.copies(stored) == [("default", "corrupt", "altered")]
    assert not list((archive.folder / "second").rglob("*.dcm"))


def test_with_two_good_copies_an_image_is_given_out_once(archive):
    ds = ct_slice()
    archive.send(ds)
    copy_all()
    [one] = select(actor=VERIFIER, door="page", sop_instance_uids=[ds.SOPInstanceUID])
    assert len(one.items) == 1
