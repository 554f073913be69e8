"""Uploads: what is offered, what comes in pieces, what a worker takes up, what is cleaned away."""

import datetime
import hashlib
import io
import json
import threading
import tracemalloc
import zipfile

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError, connection, transaction
from django.http import UnreadablePostError

from apps.accounts.domain import Role
from apps.archive.storage import write_storage
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.actors import system_actor
from apps.core.uids import new_uid
from apps.studies.domain import FileOutcome
from apps.studies.models import Instance, QuarantinedObject, Upload, UploadedFile, UploadPiece
from apps.studies.services.taking import FileTaken
from apps.studies.services.uploads import noting, receiving, taking_up, uploads_expire, uploads_take
from tests.factories.dicom import as_file, ct_slice, dataset_bytes


class Uploading:
    """The page's script, in Python."""

    def __init__(self, client):
        self.client = client
        self.id = self.json(client.post("/upload/begin/"))["id"]

    @staticmethod
    def json(answer, status=200):
        assert answer.status_code == status, answer.content
        return answer.json()

    def offer(self, *files, status=200):
        rows = [self.offered(path, content) for path, content in files]
        answer = self.client.post(
            f"/upload/{self.id}/offer/", json.dumps({"files": rows}), "application/json"
        )
        return self.json(answer, status).get("files")

    @staticmethod
    def offered(path, content):
        dicom = content[128:132] == b"DICM"
        hashed = dataset_bytes(content) if dicom else content if content[:2] == b"PK" else b""
        uid = ""
        if dicom:
            at = content.index(b"\x02\x00\x03\x00UI") + 8
            uid = content[at : at + content[at - 2]].rstrip(b"\0").decode()
        digest = hashlib.sha256(hashed).hexdigest() if hashed else ""
        return {"path": path, "size": len(content), "digest": digest, "sop": uid}

    def piece(self, row, content, offset=0, status=200):
        answer = self.client.post(
            row["url"],
            content,
            "application/octet-stream",
            headers={"Upload-Offset": str(offset)},
        )
        return self.json(answer, status)

    def whole(self, rows, body, status=200):
        answer = self.client.post(
            f"/upload/{self.id}/files/",
            body,
            "application/octet-stream",
            headers={"Upload-Files": ",".join(str(row["id"]) for row in rows)},
        )
        return self.json(answer, status).get("files")

    def send(self, path, content):
        [row] = self.offer((path, content))
        if content[:2] == b"PK":
            return self.piece(row, content)
        return self.whole([row], content)[0]


@pytest.fixture
def uploading(sign_in):
    return Uploading(sign_in(Role.TECHNOLOGIST))


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(receiving, "PIECE_BYTES", 1000)


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def files_on_disk():
    """How many files the archive holds more than when the test began."""

    def count() -> int:
        return len(list(write_storage().keys_of(clock.now().date())))

    before = count()
    return lambda: count() - before


def test_a_small_file_is_taken_with_its_only_request(uploading):
    file = as_file(ct_slice())
    assert uploading.send("cd/IM1", file)["outcome"] == "stored"
    row = Instance.objects.get()
    kept = write_storage().read(row.stored_object.locations.get().key)
    assert dataset_bytes(kept) == dataset_bytes(file)
    assert AuditEvent.objects.filter(event="studies.instances.stored", door="page").count() == 1
    [again] = uploading.offer(("other/name", file))
    assert again["outcome"] == "already-here"


def test_what_is_no_dicom_is_told_and_a_dicomdir_is_no_error(uploading):
    text, listing = uploading.offer(("cd/autorun.inf", b"[autorun]"), ("cd/DICOMDIR", b"\0" * 200))
    assert (text["outcome"], listing["outcome"]) == ("left", "left")
    assert "no DICOM" in text["words"]
    assert "only lists" in listing["words"]


def test_a_long_file_comes_in_pieces_and_goes_on_where_it_broke_off(
    uploading, small_pieces, files_on_disk
):
    file = as_file(ct_slice(size=32))
    [row] = uploading.offer(("big", file))
    assert uploading.piece(row, file[:1000])["received"] == 1000
    assert uploading.piece(row, file[:1000], status=409)["received"] == 1000  # an answer was lost
    [row] = uploading.offer(("big", file))  # the page was loaded again
    assert row["received"] == 1000
    at = 1000
    while at < len(file):
        at = uploading.piece(row, file[at : at + 1000], offset=at)["received"]
    assert not Instance.objects.exists()
    assert uploads_take(at=clock.now()) == 1
    assert UploadedFile.objects.get().outcome == "stored"
    assert not UploadPiece.objects.exists()
    assert files_on_disk() == 1
    assert uploads_take(at=clock.now()) == 0


def test_a_file_that_changed_on_its_way_is_refused_and_may_come_again(uploading, files_on_disk):
    file, other = (as_file(ct_slice()) for _ in range(2))
    rows = uploading.offer(("one", file), ("two", other))
    answer = uploading.whole(rows, file[:-1] + b"\xff" + other)
    assert [one["outcome"] for one in answer] == ["refused", "stored"]
    assert "damaged" in answer[0]["words"]
    assert (Instance.objects.count(), files_on_disk()) == (1, 1)
    rows = uploading.offer(("one", file), ("two", other))
    assert [row["outcome"] for row in rows] == ["", "stored"]
    answer = uploading.whole(rows, file + other)  # what is here already is passed over
    assert [one["outcome"] for one in answer] == ["stored", "stored"]
    assert (Instance.objects.count(), files_on_disk()) == (2, 2)


def test_a_request_that_breaks_off_is_no_files_fault(uploading, files_on_disk, monkeypatch):
    files = [as_file(ct_slice(number=n)) for n in range(3)]
    rows = uploading.offer(*((f"f{n}", file) for n, file in enumerate(files)))
    read, calls = WSGIRequest.read, []

    def broken(request, *size):
        if not request.path.endswith("/files/"):
            return read(request, *size)
        calls.append(size)
        if len(calls) > 1:
            raise UnreadablePostError
        return read(request, len(files[0]) + 100)

    with monkeypatch.context() as patched:
        patched.setattr(WSGIRequest, "read", broken)
        uploading.whole(rows, b"".join(files), status=422)
    assert (Instance.objects.count(), files_on_disk()) == (0, 0)
    assert not UploadedFile.objects.exclude(outcome="").exists()
    assert [one["outcome"] for one in uploading.whole(rows, b"".join(files))] == ["stored"] * 3


@pytest.mark.parametrize("ids", ["", "x", "1,", "999999999", "9" * 30])
def test_files_that_are_not_of_the_upload_are_not_taken(uploading, ids):
    answer = uploading.client.post(
        f"/upload/{uploading.id}/files/",
        b"x",
        "application/octet-stream",
        headers={"Upload-Files": ids},
    )
    assert answer.status_code in (404, 422)


def test_a_zip_is_unpacked_by_a_worker_and_each_entry_answered_for(uploading):
    study = new_uid()
    files = [as_file(ct_slice(study=study, number=n)) for n in (1, 2)]
    content = zipped(
        **{"a/1": files[0], "a/2": files[1], "a/cut": as_file(ct_slice())[:-9]},
        DICOMDIR=b"x",
        readme=b"hello",
    )
    uploading.send("cd.zip", content)
    assert uploads_take(at=clock.now()) == 1
    rows = {r.path: r.outcome for r in UploadedFile.objects.all()}
    assert rows == {
        "cd.zip": "unpacked",
        "cd.zip:a/1": "stored",
        "cd.zip:a/2": "stored",
        "cd.zip:a/cut": "refused",
        "cd.zip:readme": "left",
    }
    page = uploading.client.get(f"/upload/{uploading.id}/").content.decode()
    assert "2 new" in page
    assert "kind=unmatched" in page
    assert "cd.zip:readme" in page
    viewed = AuditEvent.objects.filter(event="studies.upload.viewed")
    assert viewed.get().study_instance_uid == study


def test_a_worker_that_died_is_followed_by_another_that_takes_the_rest(uploading, monkeypatch):
    content = zipped(**{str(n): as_file(ct_slice(number=n)) for n in range(3)})
    uploading.send("cd.zip", content)
    noted = taking_up._note_entries

    def die(*arguments):
        raise MemoryError

    monkeypatch.setattr(taking_up, "_note_entries", die)
    with pytest.raises(MemoryError):
        uploads_take(at=clock.now())
    monkeypatch.setattr(taking_up, "_note_entries", noted)
    assert uploads_take(at=clock.now()) == 0  # it may be alive yet
    assert uploads_take(at=clock.now() + taking_up.LEASE * 2) == 0
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + taking_up.LEASE * 2)
    assert uploads_take(at=clock.now()) == 1
    assert Instance.objects.count() == 3
    assert UploadedFile.objects.filter(outcome="already-here").count() == 3


@pytest.mark.parametrize("name", ["bomb.zip", "cut.zip"])
def test_a_zip_that_cannot_be_read_is_left_alone_with_words(
    uploading, monkeypatch, name, files_on_disk
):
    monkeypatch.setattr("apps.studies.importing.FREE_BYTES", 1 << 10)
    content = zipped(a=bytes(5 << 20)) if name == "bomb.zip" else zipped(a=b"abc" * 99)[:-30]
    uploading.send(name, content)
    uploads_take(at=clock.now())
    row = UploadedFile.objects.get()
    assert row.outcome == "left"
    assert row.reason
    assert not UploadPiece.objects.exists()
    assert files_on_disk() == 0


def test_what_waits_in_quarantine_is_told_with_its_place(uploading, held_back):
    from apps.studies.domain import IntakeAction
    from apps.studies.services.intake import intake_rule_save

    user = Upload.objects.get().user
    intake_rule_save(
        actor=system_actor("test"),
        source=f"user:{user.pk}",
        action=IntakeAction.QUARANTINE,
        at=clock.now(),
    )
    assert uploading.send("odd", as_file(ct_slice(Rows=15)))["outcome"] == "quarantined"
    assert QuarantinedObject.objects.get().door == "page"
    page = uploading.client.get(f"/upload/{uploading.id}/").content.decode()
    assert f"/quarantine/?source=user%3A{user.pk}" in page


def test_what_nobody_goes_on_with_is_cleaned_away_after_a_day(
    uploading, small_pieces, files_on_disk
):
    file = as_file(ct_slice(size=32))
    [row] = uploading.offer(("big", file))
    uploading.piece(row, file[:1000])
    now = clock.now()
    system = system_actor("test")
    assert uploads_expire(actor=system, at=now + datetime.timedelta(hours=23)) == 0
    assert files_on_disk() == 1
    assert uploads_expire(actor=system, at=now + datetime.timedelta(hours=25)) == 1
    assert files_on_disk() == 0
    assert "ended" in UploadedFile.objects.get().reason
    assert Upload.objects.get().ended_at
    assert AuditEvent.objects.filter(event="studies.upload.abandoned").count() == 1
    uploads_expire(actor=system, at=now + datetime.timedelta(days=31))
    assert not Upload.objects.exists()


def test_ending_gives_up_what_is_half_here(uploading, small_pieces, files_on_disk):
    file = as_file(ct_slice(size=32))
    [row] = uploading.offer(("big", file))
    uploading.piece(row, file[:1000])
    assert uploading.client.post(f"/upload/{uploading.id}/end/").status_code == 204
    assert files_on_disk() == 0
    uploading.piece(row, file[1000:2000], offset=1000, status=404)
    uploading.offer(("big", file), status=409)


@pytest.mark.parametrize(
    ("content", "offset"), [(b"", 0), (b"x" * 1001, 0), (b"x" * 999, 3_000_000)]
)
def test_a_piece_that_does_not_fit_is_refused_and_leaves_nothing(
    uploading,
    small_pieces,
    content,
    offset,
    files_on_disk,
):
    [row] = uploading.offer(("big", as_file(ct_slice(size=32))))
    assert uploading.piece(row, content, offset, status=409 if offset else 422)["message"]
    assert files_on_disk() == 0


@pytest.mark.parametrize(
    "body",
    ["", "[]", "{}", '{"files": [7]}', '{"files": [{"path": "a", "size": "1", "digest": ""}]}',
     '{"files": [{"path": "a", "size": -1, "digest": ""}]}',
     '{"files": [{"path": "a\\u0000", "size": 1, "digest": ""}]}',
     '{"files": [{"path": "a", "size": 1, "digest": "short"}]}'],
)  # fmt: skip
def test_an_offer_that_makes_no_sense_is_refused(uploading, body):
    answer = uploading.client.post(f"/upload/{uploading.id}/offer/", body, "application/json")
    assert answer.status_code == 422


def test_an_upload_is_its_owners_alone(uploading, sign_in, client):
    [row] = uploading.offer(("a", as_file(ct_slice())))
    other = sign_in(Role.ADMINISTRATOR)
    assert other.get(f"/upload/{uploading.id}/").status_code == 404
    assert uploading.piece(row, b"x", status=404)["message"]
    assert other.post(f"/upload/{uploading.id}/end/").status_code == 404


def test_a_zip_passes_without_being_held(uploading):
    """32 MiB of pixels in a ZIP are unpacked with memory for a few chunks."""
    large = ct_slice(size=16, Rows=4096, Columns=4096, PixelData=bytes(32 << 20))
    uploading.send("large.zip", zipped(large=as_file(large)))
    tracemalloc.start()
    try:
        assert uploads_take(at=clock.now()) == 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert Instance.objects.get().stored_object.size_bytes > 32 << 20
    assert peak < 12 << 20


@pytest.mark.django_db(transaction=True)
def test_an_offer_and_what_settles_the_same_file_do_not_wait_for_each_other(uploading):
    """The page asks again what became of a file just when a worker writes it down."""
    [row] = uploading.offer(("cd.zip", zipped(a=b"x")))
    file = UploadedFile.objects.get(pk=row["id"])
    one = FileTaken(file.path, FileOutcome.UNPACKED)
    failures = []

    def settle_it():
        try:
            noting.settle(uploading.id, [(file, one)], clock.now())
        except OperationalError as error:  # the database ends a deadlock so
            failures.append(error)
        finally:
            connection.close()

    worker = threading.Thread(target=settle_it)
    with transaction.atomic():
        Upload.objects.select_for_update().get(pk=uploading.id)
        worker.start()
        with connection.cursor() as cursor:
            for _ in range(1000):
                cursor.execute("SELECT pg_sleep(0.01), count(*) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone()[1]:
                    break
        twin = UploadedFile(upload_id=uploading.id, path=file.path, digest=file.digest)
        UploadedFile.objects.bulk_create([twin], ignore_conflicts=True)
    worker.join()
    assert failures == []
    assert UploadedFile.objects.get().outcome == "unpacked"
