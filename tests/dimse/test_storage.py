"""C-STORE against the real listener, archive and index."""

import hashlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE

from apps.dimse.upper import pdu
from apps.dimse.upper.requestor import Requestor, store_command
from tests.dimse.installation import Installation

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"


def make_series(folder: Path, count: int, pixels: int = 64, patient: str = "P1") -> list[Path]:
    """Write a CT series; return its files."""
    folder.mkdir(parents=True, exist_ok=True)
    study, series = generate_uid(), generate_uid()
    files = []
    for number in range(count):
        ds, meta = Dataset(), FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta = meta
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study, series
        ds.PatientID, ds.PatientName = patient, "Store^Test"
        ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20261124", "101010", ""
        ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 1, number + 1
        ds.Rows = ds.Columns = pixels
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.PixelData = os.urandom(1024) * (2 * pixels * pixels // 1024)
        path = folder / f"{number:04}.dcm"
        ds.save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def body_of(raw: bytes) -> bytes:
    """The data set behind preamble and group 2."""
    return raw[144 + int.from_bytes(raw[140:144], "little") :]


def storescu(port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["storescu", "-aec", "ISOCENTER", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def kept(installed: Installation) -> dict[str, list[tuple[bytes, str]]]:
    """By SOP Instance UID, what the archive holds: its data set and its recorded digest."""
    found: dict[str, list[tuple[bytes, str]]] = {}
    for uid, key, digest in installed.rows(
        "SELECT i.sop_instance_uid, l.key, o.digest FROM studies_instance i"
        " JOIN archive_storedobject o ON o.id = i.stored_object_id"
        " JOIN archive_location l ON l.stored_object_id = o.id"
    ):
        raw = (installed.home / "archive" / key).read_bytes()
        found.setdefault(uid, []).append((body_of(raw), digest))
    return found


def assert_kept(installed: Installation, files: list[Path]) -> None:
    have = kept(installed)
    for path in files:
        raw = path.read_bytes()
        uid = str(dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
        body = body_of(raw)
        assert [(found, digest) for found, digest in have[uid]] == [
            (body, hashlib.sha256(body).hexdigest())
        ]


def files_of(installed: Installation) -> set[Path]:
    return {path for path in (installed.home / "archive").rglob("*") if path.is_file()}


def open_peer(installed: Installation, *contexts: tuple[str, str]) -> Requestor:
    return Requestor.open(
        host="127.0.0.1",
        port=installed.port,
        called_ae="ISOCENTER",
        calling_ae="HOSTILE",
        contexts=[
            pdu.ProposedContext(2 * index + 1, abstract, (syntax,))
            for index, (abstract, syntax) in enumerate(contexts)
        ],
    )


def test_storescu_stores_and_it_is_kept_byte_for_byte(
    listener: Installation, tmp_path: Path
) -> None:
    files = make_series(tmp_path / "a", 12)
    done = storescu(listener.port, "+sd", "127.0.0.1", str(listener.port), str(tmp_path / "a"))
    assert done.returncode == 0, done.stderr
    assert_kept(listener, files)


def test_the_same_again_is_a_success_and_kept_once(listener: Installation, tmp_path: Path) -> None:
    files = make_series(tmp_path / "a", 3)
    target = ("+sd", "127.0.0.1", str(listener.port), str(tmp_path / "a"))
    assert storescu(listener.port, *target).returncode == 0
    before = files_of(listener)
    assert storescu(listener.port, *target).returncode == 0
    assert files_of(listener) == before
    assert_kept(listener, files)


def test_other_content_under_the_same_uid_is_a_warning_and_both_are_kept(
    listener: Installation, tmp_path: Path
) -> None:
    (path,) = make_series(tmp_path, 1)
    first = path.read_bytes()
    target = ("-v", "127.0.0.1", str(listener.port), str(path))
    assert storescu(listener.port, *target).returncode == 0
    ds = dcmread(path)
    ds.ImageComments = "changed"
    ds.save_as(path)
    done = storescu(listener.port, *target)
    assert "0xb000" in done.stdout + done.stderr or "Warning" in done.stdout + done.stderr
    (still, _) = kept(listener)[str(ds.SOPInstanceUID)][0]
    assert still == body_of(first)
    versions = listener.rows(
        "SELECT count(*) FROM studies_instanceversion v JOIN studies_instance i"
        " ON i.id = v.instance_id WHERE i.sop_instance_uid = %s",
        str(ds.SOPInstanceUID),
    )
    assert versions == [(1,)]


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "JPEG2000.dcm",
        "SC_rgb_rle.dcm",
        "image_dfl.dcm",
        "examples_ybr_color.dcm",
    ],
)
def test_any_transfer_syntax_is_kept_as_it_came(listener: Installation, name: str) -> None:
    path = Path(str(get_testdata_file(name)))
    ds = dcmread(path, stop_before_pixels=True)
    body = body_of(path.read_bytes())
    kind = (str(ds.SOPClassUID), str(ds.file_meta.TransferSyntaxUID))
    with open_peer(listener, kind) as peer:
        uid = str(ds.SOPInstanceUID)
        status = peer.store(peer.contexts[1], sop_instance_uid=uid, chunks=[body])
    assert status in (0, 0xB000)
    if status == 0:
        assert kept(listener)[uid][0][0] == body


def test_a_private_sop_class_is_kept(listener: Installation, tmp_path: Path) -> None:
    (path,) = make_series(tmp_path, 1)
    ds = dcmread(path)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.3.12.2.1107.5.9.1"
    ds.save_as(path)
    with open_peer(listener, ("1.3.12.2.1107.5.9.1", EXPLICIT)) as peer:
        uid, body = str(ds.SOPInstanceUID), body_of(path.read_bytes())
        assert peer.store(peer.contexts[1], sop_instance_uid=uid, chunks=[body]) == 0
    assert kept(listener)[uid][0][0] == body


def test_what_is_wrong_is_refused_in_dimse_terms(listener: Installation, tmp_path: Path) -> None:
    (path,) = make_series(tmp_path, 1)
    uid = str(dcmread(path).SOPInstanceUID)
    body = body_of(path.read_bytes())
    before = files_of(listener)
    with open_peer(listener, (CT, EXPLICIT)) as peer:
        context = peer.contexts[1]

        def status(instance: str, data: bytes) -> int:
            return peer.store(context, sop_instance_uid=instance, chunks=[data])

        assert status(uid, body[:-100]) == 0xC000  # truncated pixel data
        assert status(uid, b"this is no data set, not at all....") == 0xC000
        assert status("1.2.3.4", body) == 0xA900  # another UID than in the data set
        assert status("not a uid", body) == 0x0117
        command = store_command("1.2.840.10008.5.1.4.1.1.4", uid, 9)
        peer.wire.send(peer.wire.message(1, command, body))
        assert peer.read_response().status == 0x0122  # another class than the context's
        assert status(uid, body) == 0  # and the association still serves
    assert len(files_of(listener) - before) == 1


def test_half_an_object_leaves_nothing(listener: Installation, tmp_path: Path) -> None:
    (path,) = make_series(tmp_path, 1, pixels=512)
    uid, body = str(dcmread(path).SOPInstanceUID), body_of(path.read_bytes())
    before = files_of(listener)
    for end in ("close", "abort"):
        peer = open_peer(listener, (CT, EXPLICIT))
        command = store_command(CT, uid, 1)
        peer.wire.send(peer.wire.message(1, command))
        half = body[:200_000]
        peer.wire.send(b"".join(peer.wire._fragments(1, half, 0, last=False)))
        if end == "abort":
            peer.wire.send(pdu.encode_abort(pdu.ABORT_BY_USER))
        peer.wire.close()
    deadline = time.monotonic() + 10
    while files_of(listener) != before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert uid not in kept(listener)


def test_an_ae_that_may_not_store_is_told_so(installed: Installation, tmp_path: Path) -> None:
    (path,) = make_series(tmp_path, 1)
    uid, body = str(dcmread(path).SOPInstanceUID), body_of(path.read_bytes())
    installed.manage("register_ae", "HOSTILE", "127.0.0.1", "10400", "--allow", "echo,find")
    installed.start(open_ae=False)
    before = files_of(installed)
    with open_peer(installed, (CT, EXPLICIT)) as peer:
        status = peer.store(peer.contexts[1], sop_instance_uid=uid, chunks=[body])
    assert status == 0x0124
    assert files_of(installed) == before
    installed.manage("register_ae", "HOSTILE", "127.0.0.1", "10400")
    assert installed.stop() == 0


def memory_kb(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    match = re.search(r"VmHWM:\s+(\d+)", text)
    assert match
    return int(match[1])


def test_a_64_mib_object_costs_no_memory(listener: Installation, tmp_path: Path) -> None:
    (path,) = make_series(tmp_path, 1)
    ds = dcmread(path)
    ds.Rows, ds.Columns = 8192, 4096
    ds.PixelData = os.urandom(1 << 20) * 64
    ds.save_as(path)
    body = body_of(path.read_bytes())
    uid = str(ds.SOPInstanceUID)
    for _ in range(4):  # warm both processes
        with open_peer(listener, (CT, EXPLICIT)) as peer:
            peer.store(peer.contexts[1], sop_instance_uid="1.2.3", chunks=[b""])
    before = {pid: memory_kb(pid) for pid in listener.children()}
    with open_peer(listener, (CT, EXPLICIT)) as peer:
        chunks = (body[at : at + (1 << 20)] for at in range(0, len(body), 1 << 20))
        assert peer.store(peer.contexts[1], sop_instance_uid=uid, chunks=chunks) == 0
    for pid, kb in before.items():
        assert memory_kb(pid) - kb < 16 * 1024
    assert kept(listener)[uid][0][0] == body


def test_pynetdicom_with_128_contexts_stores(listener: Installation, tmp_path: Path) -> None:
    (path,) = make_series(tmp_path, 1)
    ae = AE("PYNET")
    for index in range(127):
        ae.add_requested_context(f"1.3.6.1.4.1.99999.{index + 1}")
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    assoc = ae.associate("127.0.0.1", listener.port, ae_title="ISOCENTER")
    assert len(assoc.accepted_contexts) == 128
    assert assoc.send_c_store(path).Status == 0
    assoc.release()
    assert_kept(listener, [path])


def test_sigterm_drains_with_transfers_under_way(installed: Installation, tmp_path: Path) -> None:
    files = make_series(tmp_path / "a", 200, pixels=128)
    installed.start()
    acknowledged = send_in_thread(installed, files)
    acknowledged.wait_for(20)
    assert installed.stop() == 0
    acknowledged.join()
    assert 20 <= len(acknowledged.uids) < 200
    assert_kept(installed, [path for path in files if path.name in acknowledged.uids])


class Sending(threading.Thread):
    """Sends files over one association; remembers what was acknowledged with success."""

    def __init__(self, installed: Installation, files: list[Path]) -> None:
        super().__init__(daemon=True)
        self._installed, self._files = installed, files
        self._changed = threading.Condition()
        self.uids: list[str] = []

    def run(self) -> None:
        try:
            with open_peer(self._installed, (CT, EXPLICIT)) as peer:
                for path in self._files:
                    body = body_of(path.read_bytes())
                    uid = str(dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
                    if peer.store(peer.contexts[1], sop_instance_uid=uid, chunks=[body]) == 0:
                        with self._changed:
                            self.uids.append(path.name)
                            self._changed.notify_all()
        except Exception:  # the other side was stopped or killed: what counts is in `uids`
            return

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.uids) >= count, 60)


def send_in_thread(installed: Installation, files: list[Path]) -> Sending:
    sending = Sending(installed, files)
    sending.start()
    return sending


def test_kill_in_the_middle_of_500_images_loses_nothing_acknowledged(
    installed: Installation, tmp_path: Path
) -> None:
    files = make_series(tmp_path / "a", 500)
    installed.start()
    sending = send_in_thread(installed, files)
    sending.wait_for(200)
    installed.kill()
    sending.join(20)
    acknowledged = set(sending.uids)
    assert 200 <= len(acknowledged) < 500
    assert_kept(installed, [path for path in files if path.name in acknowledged])

    installed.start()
    done = storescu(installed.port, "+sd", "127.0.0.1", str(installed.port), str(tmp_path / "a"))
    assert done.returncode == 0, done.stderr
    assert_kept(installed, files)
    [study] = {
        str(dcmread(path, specific_tags=["StudyInstanceUID"]).StudyInstanceUID) for path in files
    }
    counts = installed.rows(
        "SELECT number_of_instances FROM studies_study WHERE study_instance_uid = %s", study
    )
    assert counts == [(500,)]
    assert installed.stop() == 0


def in_order(lines: Iterable[str]) -> Iterator[str]:
    """strace's lines: a sync where it ended, all else where it began, if threads came between."""
    begun: dict[str, str] = {}
    for line in lines:
        pid = line.split(maxsplit=1)[0]
        if line.endswith("<unfinished ...>") and "fsync(" in line:
            begun[pid] = line
        elif "fsync resumed>" in line:
            yield begun.pop(pid)
        else:
            yield line


def test_file_and_folder_are_synced_before_success_leaves(
    installed: Installation, strace: str, tmp_path: Path
) -> None:
    files = make_series(tmp_path / "a", 5)
    trace = tmp_path / "trace"
    calls = "openat,write,fsync,fdatasync,sendto,sendmsg,accept4,close"
    installed.start(
        "--processes",
        "1",
        wrapper=(strace, "-D", "-f", "-o", str(trace), "-e", f"trace={calls}", "-yy", "-s", "0"),
    )
    done = storescu(installed.port, "+sd", "127.0.0.1", str(installed.port), str(tmp_path / "a"))
    assert done.returncode == 0, done.stderr
    assert installed.stop() == 0
    assert_kept(installed, files)
    archive = re.escape(str(installed.home / "archive"))
    file_sync = re.compile(rf"fsync\(\d+<{archive}/\S+\.dcm>")
    folder_sync = re.compile(rf"fsync\(\d+<{archive}/\d+/\d+/\d+/\w\w>")
    answer = re.compile(r"send(to|msg)\(\d+<TCP(v6)?:")
    synced_files = synced_folders = answers = 0
    for line in in_order(trace.read_text().splitlines()):
        if file_sync.search(line):
            synced_files += 1
        elif folder_sync.search(line):
            synced_folders += 1
        elif answer.search(line) and synced_files > answers:
            answers += 1
            assert synced_files >= answers
            assert synced_folders >= answers
    assert (synced_files, synced_folders, answers) == (5, 5, 5)
