"""`manage.py import_dicom`: folders, files and ZIPs through the one ingest."""

import copy
import io
import zipfile

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from apps.accounts.models import Site
from apps.archive.storage import write_storage
from apps.core.uids import new_uid
from apps.studies import importing
from apps.studies.models import Instance, Study
from apps.studies.services import instances_record, taking
from tests.factories.dicom import as_file, ct_slice, dataset_bytes

pytestmark = pytest.mark.django_db


def run(*arguments) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("import_dicom", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Three slices, one of them in a ZIP, a DICOMDIR and a text."""
    study = new_uid()
    files = [as_file(ct_slice(study=study, number=n)) for n in (1, 2, 3)]
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(files[0])
    (tmp_path / "two.dcm").write_bytes(files[1])
    (tmp_path / "DICOMDIR").write_bytes(b"left out")
    (tmp_path / "notes.txt").write_text("no image")
    with zipfile.ZipFile(tmp_path / "z.ZIP", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("deep/three.dcm", files[2])
        archive.writestr("deep/DICOMDIR", b"left out")
    return tmp_path, files


def test_everything_under_a_folder_is_taken_exactly_and_a_second_run_adds_nothing(folder):
    path, files = folder
    out, err = run(path)
    assert "Taken: 3 stored" in out
    assert "Left alone: 1 This is no DICOM file. It was left alone." in out
    assert "notes.txt" in err
    assert "DICOMDIR" not in err
    kept = [
        write_storage().read(i.stored_object.locations.get().key)
        for i in Instance.objects.order_by("instance_number")
    ]
    assert sorted(map(dataset_bytes, kept)) == sorted(map(dataset_bytes, files))
    assert "Taken: 3 already here" in run(path)[0]
    assert Study.objects.get().number_of_instances == 3


def test_what_is_refused_is_named_and_ends_with_1(tmp_path):
    (tmp_path / "cut.dcm").write_bytes(as_file(ct_slice())[:-10])
    with pytest.raises(SystemExit) as ended:
        run(tmp_path)
    assert ended.value.code == 1
    assert not Study.objects.exists()


def test_a_zip_that_would_unpack_to_far_too_much_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "FREE_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.dcm", as_file(ct_slice()) + bytes(20 << 20))
    out, _ = run(tmp_path / "bomb.zip")
    assert "unpacks to far more" in out
    assert not Instance.objects.exists()


def test_the_studies_belong_to_the_site_that_is_named(folder):
    Site.objects.create(
        code="EAST", name="East", issuer_of_patient_id="E", issuer_of_accession_number="E"
    )
    run(folder[0], "--site", "EAST")
    assert Study.objects.get().site.code == "EAST"
    with pytest.raises(CommandError):
        run(folder[0], "--site", "NOWHERE")
    with pytest.raises(CommandError):
        run(folder[0] / "absent")


def test_a_zip_may_not_point_outside_itself_nor_be_packed_for_large_memory(tmp_path):
    file = as_file(ct_slice())
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        for name in ("../up.dcm", "/root.dcm", "a/../../b.dcm", "c:\\windows.dcm", "\\\\share\\x"):
            archive.writestr(name, file)
        archive.writestr("lzma.dcm", file, compress_type=zipfile.ZIP_LZMA)
        archive.writestr("good/..named.dcm", file)
    out, _ = run(tmp_path / "odd.zip")
    assert "Left alone: 5 Its name points outside the ZIP" in out
    assert "Left alone: 1 It is packed in a way that is not read here" in out
    assert "Taken: 1 stored" in out


@pytest.mark.parametrize("damage", ["cut", "overlap", "crc", "many"])
def test_a_damaged_zip_is_told_and_the_folder_goes_on(tmp_path, monkeypatch, damage):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one.dcm", as_file(ct_slice()))
        if damage == "overlap":
            [entry] = archive.infolist()
            for number in range(9):  # the same bytes under ten names, as a bomb is made
                twin = copy.copy(entry)
                twin.filename = f"{number}.dcm"
                archive.filelist.append(twin)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[:-30]
    if damage == "crc":
        content[200] ^= 0xFF
    if damage == "many":
        monkeypatch.setattr(importing, "MOST_ENTRIES", 0)
    path.write_bytes(content)
    (tmp_path / "b.dcm").write_bytes(as_file(ct_slice()))
    out, err = run(tmp_path)
    assert "Taken: 1 stored" in out
    assert "Left alone: 1 " in out
    assert "a.zip" in err
    assert Instance.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_fault_after_a_commit_leaves_no_row_without_its_file(folder, monkeypatch):
    def lost(**arguments):
        instances_record(**arguments)
        raise OperationalError

    monkeypatch.setattr(taking, "BATCH", 2)
    monkeypatch.setattr(taking, "instances_record", lost)
    with pytest.raises(OperationalError):
        run(folder[0])
    kept = [one.stored_object.locations.get().key for one in Instance.objects.all()]
    assert kept
    assert all(write_storage().read(key) for key in kept)
