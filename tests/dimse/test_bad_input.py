"""Files that are cut off or no DICOM, over C-STORE and STOW-RS: refused in the protocol's terms.

Nothing is half written (no row, no file), and the refusal is on record.
"""

import os
import subprocess
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from pydicom import dcmread
from pydicom.data import get_testdata_file

from apps.archive.models import StoredObject
from apps.audit.models import AuditEvent
from apps.dimse.upper import pdu
from apps.dimse.upper.requestor import Requestor
from apps.studies.models import Instance, Series, Study
from tests.dicomweb.conftest import client_of, multipart, web
from tests.dimse.servers import Server
from tests.dimse.test_storage import body_of

__all__ = ["client_of", "web"]
pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]

CUT = {  # file: what of it is missing at its end
    "CT_small.dcm": 200,  # within native pixels
    "MR_small_implicit.dcm": 200,
    "MR_small_bigendian.dcm": 200,
    "image_dfl.dcm": 200,  # within the deflated stream
    "JPEG2000.dcm": 200,  # within a fragment
    "SC_rgb_rle.dcm": 4,  # within the delimiter of the fragments
    "rtplan.dcm": 200,  # within a sequence, and no pixels at all
}


def archived() -> set[Path]:
    """Every file of the archive, those on their way in included."""
    folder = Path(settings.HOME) / "archive"
    return {path for path in folder.rglob("*") if path.is_file()}


def file_named(name: str) -> tuple[bytes, str, str, str]:
    """A file of pydicom's, its SOP class, its transfer syntax and its SOP Instance UID."""
    path = str(get_testdata_file(name))
    ds = dcmread(path, stop_before_pixels=True)
    meta = ds.file_meta
    uids = (meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID, ds.SOPInstanceUID)
    return Path(path).read_bytes(), *map(str, uids)  # type: ignore[return-value]


def assert_nothing_is_left(before: set[Path]) -> None:
    for model in (Study, Series, Instance, StoredObject):
        assert not model.objects.exists(), model
    assert archived() - before == set()  # another test may still be clearing up its own
    refused = AuditEvent.objects.filter(event="studies.instances.refused")
    assert refused.get().outcome > 0


@pytest.mark.parametrize("name", CUT)
def test_a_truncated_object_is_c000_to_c_store(server: Server, name: str) -> None:
    raw, sop_class, syntax, uid = file_named(name)
    before = archived()
    contexts = [pdu.ProposedContext(1, sop_class, (syntax,))]
    with Requestor.open(
        host="127.0.0.1",
        port=server.port,
        called_ae="ISOCENTER",
        calling_ae="CT_1",
        contexts=contexts,
    ) as peer:
        body = body_of(raw)
        cut = body[: -CUT[name]]
        assert peer.store(peer.contexts[1], sop_instance_uid=uid, chunks=[cut]) == 0xC000
        assert_nothing_is_left(before)
        # the same, whole, on the same association: nothing was lost by the refusal
        status = peer.store(peer.contexts[1], sop_instance_uid=uid, chunks=[body])
    assert status == 0


def test_rubbish_is_c000_to_c_store(server: Server) -> None:
    _, sop_class, syntax, uid = file_named("CT_small.dcm")
    before = archived()
    with Requestor.open(
        host="127.0.0.1",
        port=server.port,
        called_ae="ISOCENTER",
        calling_ae="CT_1",
        contexts=[pdu.ProposedContext(1, sop_class, (syntax,))],
    ) as peer:
        rubbish = os.urandom(100_000)
        assert peer.store(peer.contexts[1], sop_instance_uid=uid, chunks=[rubbish]) == 0xC000
    assert_nothing_is_left(before)


def test_storescu_says_itself_that_a_file_is_cut_off(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "cut.dcm"
    path.write_bytes(file_named("CT_small.dcm")[0][:-3000])
    before = archived()
    target = ("-aec", "ISOCENTER", "127.0.0.1", str(server.port), str(path))
    done = subprocess.run(
        ["storescu", *target], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0, done.stdout + done.stderr
    assert not Instance.objects.exists()
    assert archived() == before


@pytest.mark.parametrize("name", CUT)
def test_a_truncated_file_is_409_to_stow(web: Client, name: str) -> None:
    raw, _, _, uid = file_named(name)
    before = archived()
    answer = web.post("/dicom-web/studies", **multipart(raw[: -CUT[name]]))
    assert answer.status_code == 409
    [failed] = answer.json()["00081198"]["Value"]
    assert failed["00081197"]["Value"] == [0xC000]
    if name != "rtplan.dcm":  # its meta names another UID
        assert failed["00081155"]["Value"] == [uid]
    assert "00081199" not in answer.json()
    assert_nothing_is_left(before)


def test_a_part_that_is_no_dicom_is_409_to_stow(web: Client) -> None:
    before = archived()
    answer = web.post("/dicom-web/studies", **multipart(b"%PDF-1.7 and so on", b""))
    assert answer.status_code == 409
    failed = answer.json()["0008119A"]["Value"]  # Other Failures: they do not name themselves
    assert [one["00081197"]["Value"] for one in failed] == [[0xC000], [0xC000]]
    assert not Instance.objects.exists()
    assert archived() == before
