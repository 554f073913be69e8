"""Every example file goes in and comes out bit-exact, or is refused or kept as a version.

Sent by pynetdicom as the file has it (C-STORE), fetched by pynetdicom (C-GET, C-MOVE) and over
WADO-RS with `transfer-syntax=*`. What becomes of each shared file stands in `expected`.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from django.test import Client
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pynetdicom import AE, build_role, evt
from pynetdicom import _config as pynetdicom_config
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from apps.accounts.domain import Role
from apps.accounts.services import token_issue, user_save
from apps.archive.models import StoredObject
from apps.archive.part10 import read_file_meta, uids_within
from apps.core import clock
from apps.core.actors import system_actor
from apps.dimse.upper import pdu
from apps.dimse.upper.requestor import Requestor
from tests.dicomweb.conftest import multipart
from tests.dicomweb.test_dicomweb import parts_of
from tests.dimse.installation import free_port
from tests.dimse.peers import query, register
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice, dataset_bytes
from tests.peers import expected

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

GET = StudyRootQueryRetrieveInformationModelGet
MOVE = StudyRootQueryRetrieveInformationModelMove
CONTEXTS = 100  # in one association, of 128
SUCCESS, VERSION, CANNOT_UNDERSTAND, INVALID_INSTANCE = 0x0000, 0xB000, 0xC000, 0x0117


@dataclass(frozen=True)
class File:
    path: Path
    sop_class: str
    uid: str
    syntax: str
    study: str
    data_set: bytes
    told: bool

    @property
    def kind(self) -> tuple[str, str]:
        return self.sop_class, self.syntax


def readable(paths: Iterable[Path]) -> Iterator[File]:
    """The files that say what they are: with file meta, a SOP class and a SOP instance."""
    for path in sorted(paths):
        content = path.read_bytes()
        about = read_file_meta(content)
        if about is None:
            continue
        try:
            ds = dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, ValueError, AttributeError):
            continue
        names = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID")
        uids = [str(ds.get(name) or "") for name in names]
        if all(uids[:2]):
            meta = ds.file_meta
            named = [meta.get(f"MediaStorage{name}") for name in names[:2]]
            told = named == uids[:2] and len(uids[1]) <= 64
            syntax = str(meta.get("TransferSyntaxUID", ""))
            told = told and content[132:140] == b"\2\0\0\0UL\4\0"  # pynetdicom goes by its length
            data_set = content[about.dataset_offset :]
            yield File(path, uids[0], uids[1], syntax, uids[2], data_set, told)


def kinds_in_groups(kinds: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    every = sorted(set(kinds))
    for start in range(0, len(every), CONTEXTS):
        yield every[start : start + CONTEXTS]


def send(server: Server, files: Sequence[File]) -> dict[Path, int]:
    statuses = {}
    for group in kinds_in_groups(file.kind for file in files):
        ae = AE("SENDER")
        for sop_class, syntax in group:
            ae.add_requested_context(sop_class, syntax)
        assoc = ae.associate("127.0.0.1", server.port, ae_title="ISOCENTER")
        assert assoc.is_established
        for file in files:
            if file.kind not in group:
                continue
            if file.told:
                statuses[file.path] = assoc.send_c_store(file.path).Status
            else:
                statuses[file.path] = send_untold(server, file)
        assoc.release()
    return statuses


def send_untold(server: Server, file: File) -> int:
    """Send what pynetdicom does not, for want of group 2."""
    contexts = [pdu.ProposedContext(1, file.sop_class, (file.syntax,))]
    with Requestor.open(
        host="127.0.0.1",
        port=server.port,
        called_ae="ISOCENTER",
        calling_ae="SENDER",
        contexts=contexts,
    ) as peer:
        return peer.store(peer.contexts[1], sop_instance_uid=file.uid, chunks=[file.data_set])


class Kept:
    """What came back: data sets by SOP Instance UID."""

    def __init__(self) -> None:
        self.data_sets: dict[str, bytes] = {}

    def store(self, event: evt.Event) -> int:
        self.data_sets[event.request.AffectedSOPInstanceUID] = event.request.DataSet.getvalue()
        return 0


def get(server: Server, study: str, kinds: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    kept = Kept()
    ae = AE("GETTER")
    ae.add_requested_context(GET)
    roles = []
    for sop_class, syntax in sorted(set(kinds)):
        ae.add_requested_context(sop_class, syntax)
        roles.append(build_role(sop_class, scp_role=True))
    assoc = ae.associate(
        "127.0.0.1",
        server.port,
        ae_title="ISOCENTER",
        ext_neg=list({role.sop_class_uid: role for role in roles}.values()),
        evt_handlers=[(evt.EVT_C_STORE, kept.store)],
    )
    status, _ = list(assoc.send_c_get(query(StudyInstanceUID=study), GET))[-1]
    assert status.Status == 0, status
    assoc.release()
    return kept.data_sets


def move(server: Server, studies: Iterable[str], kinds: Iterable[tuple[str, str]]) -> Kept:
    kept = Kept()
    receiver = AE("RECEIVER")
    for sop_class, syntax in set(kinds):
        receiver.add_supported_context(sop_class, syntax)
    port = free_port()
    register("RECEIVER", port)
    listening = receiver.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, kept.store)]
    )
    try:
        mover = AE("MOVER")
        mover.add_requested_context(MOVE)
        assoc = mover.associate("127.0.0.1", server.port, ae_title="ISOCENTER")
        for study in studies:
            status, _ = list(assoc.send_c_move(query(StudyInstanceUID=study), "RECEIVER", MOVE))[-1]
            assert status.Status == 0, status
        assoc.release()
    finally:
        listening.shutdown()
    return kept


def web() -> Client:
    system = system_actor("test")
    user_save(actor=system, username="sweep", roles=[Role.TECHNOLOGIST], site_codes=["MAIN"])
    token = token_issue(actor=system, username="sweep", at=clock.now())
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    return Client(headers={"Authorization": f"Bearer {token}", "Accept": accept})


def over_the_web(client: Client, study: str) -> dict[str, bytes]:
    answer = client.get(f"/dicom-web/studies/{study}")
    assert answer.status_code == 200
    return {
        headers["Content-Location"].rpartition("/")[2]: dataset_bytes(content)
        for headers, content in parts_of(answer)
    }


def sweep(server: Server, files: Sequence[File], wanted: Callable[[File], int]) -> Counter[int]:
    """Send in this order and fetch; return how many files met which status.

    Args:
        server: ours.
        files: what to send.
        wanted: the status that a file is to have.
    """
    statuses = send(server, files)
    assert {file.path: hex(statuses[file.path]) for file in files} == {
        file.path: hex(wanted(file)) for file in files
    }
    current: dict[str, File] = {}
    for file in files:
        if statuses[file.path] in (SUCCESS, VERSION):
            current.setdefault(file.uid, file)
            assert StoredObject.objects.filter(digest=sha256(file.data_set)).exists(), file.path
    by_study: dict[str, list[File]] = defaultdict(list)
    for file in current.values():
        by_study[file.study].append(file)
    client = web()
    moved = move(server, by_study, (file.kind for file in current.values())).data_sets
    for study, members in by_study.items():
        sent = {file.uid: sha256(file.data_set) for file in members}
        for way, got in (
            ("C-GET", get(server, study, (file.kind for file in members))),
            ("WADO-RS", over_the_web(client, study)),
            ("C-MOVE", {file.uid: moved[file.uid] for file in members}),
        ):
            found = {uid: sha256(data_set) for uid, data_set in got.items()}
            assert found == sent, (way, [file.path.name for file in members])
    return Counter(statuses.values())


@pytest.fixture(autouse=True)
def whole_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pynetdicom send data sets as the files have them, and take any SOP class."""
    monkeypatch.setattr(pynetdicom_config, "STORE_SEND_CHUNKED_DATASET", True)
    monkeypatch.setattr(pynetdicom_config, "UNRESTRICTED_STORAGE_SERVICE", True)


OWN = Path(pydicom.__file__).parent / "data" / "test_files"
OWN_REFUSED = {
    "MR_truncated.dcm": CANNOT_UNDERSTAND,  # ends inside its pixel data
    "rtplan_truncated.dcm": CANNOT_UNDERSTAND,  # ends inside an element
}
REFUSED = {
    **dict.fromkeys((*expected.NO_STUDY, *expected.BROKEN), CANNOT_UNDERSTAND),
    **dict.fromkeys(expected.BAD_UID, INVALID_INSTANCE),
}
QUICK = (
    "charset/chrJapMulti.dcm",
    "charset/chrJapMultiExplicitIR6.dcm",
    "charset/chrX2.dcm",
    "ecg/waveform_ecg.dcm",
    "enhanced/emri_small.dcm",
    "enhanced/emri_small_big_endian.dcm",
    "enhanced/emri_small_RLE.dcm",
    "nm-pt/NM-NmIm-Siemens-s1-1.dcm",
    "odd-but-legal/badVR.dcm",
    "odd-but-legal/report_dfl",
    "odd-but-legal/MR_truncated.dcm",
    "odd-but-legal/no-meta-length-test.dcm",
    "other-objects/doc_evle.dcm",
    "other-objects/fall.dcm",
    "pr/jpeg2000-multiframe-multifragments.dcm",
    "pr/prLUTs.dcm",
    "rdsr/RF-RDSR-GE.dcm",
    "rt/rtdose.dcm",
    "rt/rtplan.dcm",
    "seg/ct_image.dcm",
    "sr/sr-roi.dcm",
    "synthetic/KO_highdicom.dcm",
    "synthetic/VIDEO_XC_HEVC_MP51.107.dcm",
    "synthetic/VL1_JPEGXL_lossless.110.dcm",
    "ts-pydicom-data/liver_deflate.dcm",
    "ts-pydicom/MR_small_jpeg_ls_lossless.dcm",
    "ts-pydicom/MR_small_implicit.dcm",
)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def of_table(folder: Path) -> Callable[[File], int]:
    """The status of a shared file sent by C-STORE."""

    def wanted(file: File) -> int:
        name = str(file.path.relative_to(folder))
        return VERSION if name in expected.VERSION_OF else REFUSED.get(name, SUCCESS)

    return wanted


def every(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_pydicoms_own_files_come_out_as_they_went_in(server: Server) -> None:
    files = list(readable(every(OWN)))
    files = [file for file in files if file.study]
    first: dict[str, File] = {}

    def wanted(file: File) -> int:
        if file.path.name in OWN_REFUSED:
            return OWN_REFUSED[file.path.name]
        same = first.setdefault(file.uid, file).data_set == file.data_set
        return SUCCESS if same else VERSION

    counts = sweep(server, files, wanted)
    assert counts[SUCCESS] >= 60
    assert counts[CANNOT_UNDERSTAND] == 2


def test_some_shared_files_come_out_as_they_went_in(server: Server, shared_data: Path) -> None:
    folder = shared_data / "dicom"
    files = list(readable(folder / name for name in QUICK))
    assert len(files) == len(QUICK)
    firsts = set(QUICK)

    def wanted(file: File) -> int:
        name = str(file.path.relative_to(folder))
        first = expected.VERSION_OF.get(name)
        others = {one for one in expected.VERSIONS.get(first or "", ()) if one < name}
        if first and not firsts & {first, *others}:
            return SUCCESS  # alone here
        return of_table(folder)(file)

    counts = sweep(server, files, wanted)
    assert counts[VERSION] == 5


@pytest.mark.prove
def test_every_shared_file_comes_out_as_it_went_in(server: Server, shared_data: Path) -> None:
    folder = shared_data / "dicom"
    files = list(readable(every(folder)))
    counts = sweep(server, files, of_table(folder))
    assert {str(file.path.relative_to(folder)) for file in files} == {
        str(path.relative_to(folder)) for path in every(folder)
    } - {*expected.NO_FILE, *expected.NO_UIDS}
    assert counts[SUCCESS] >= 350


@pytest.mark.prove
def test_every_shared_file_is_stowed_or_refused_as_expected(shared_data: Path) -> None:
    folder = shared_data / "dicom"
    client = web()
    client.defaults.pop("HTTP_ACCEPT")
    refused = {*REFUSED, *expected.NO_UIDS, *expected.NO_FILE}
    wrong = {}
    for path in sorted(every(folder)):
        name = str(path.relative_to(folder))
        status = client.post("/dicom-web/studies", **multipart(path.read_bytes())).status_code
        wanted = 409 if name in refused else 202 if name in expected.VERSION_OF else 200
        if status != wanted:
            wrong[name] = (status, wanted)
    assert wrong == {}


def test_a_file_goes_by_what_its_data_set_says(client_of, db) -> None:
    web = client_of()
    ds = ct_slice()
    own = ds.SOPInstanceUID
    content = bytearray(as_file(ds))
    place = content.index(own.encode())
    content[place : place + len(own)] = own[:-1].encode() + (b"1" if own[-1] != "1" else b"2")
    answer = web.post("/dicom-web/studies", **multipart(bytes(content)))
    assert answer.status_code == 200
    [item] = answer.json()["00081199"]["Value"]
    assert item["00081155"]["Value"] == [own]
    [(_, kept)] = parts_of(web.get(f"/dicom-web/studies/{ds.StudyInstanceUID}"))
    assert dcmread(BytesIO(kept)).file_meta.MediaStorageSOPInstanceUID == own
    assert dataset_bytes(kept) == dataset_bytes(content)


def test_a_data_set_names_itself_as_pydicom_reads_it() -> None:
    compared = 0
    for path in every(OWN):
        content = path.read_bytes()
        meta = read_file_meta(content)
        if meta is None or path.name in OWN_REFUSED:
            continue
        ds = dcmread(path, stop_before_pixels=True, force=True)
        named = uids_within(content[meta.dataset_offset :], meta.transfer_syntax_uid)
        if named != ("", ""):  # explicit by its meta, implicit in truth: group 2 is taken
            assert named == (ds.get("SOPClassUID", ""), ds.get("SOPInstanceUID", "")), path.name
            compared += 1
    assert compared >= 100


def test_the_table_is_that_of_the_readme(shared_data: Path) -> None:
    folder = shared_data / "dicom"
    readme = (folder / "README.md").read_text()
    shared = {
        frozenset(names.split(", "))
        for names in re.findall(r"^- `[\d.]+`: (.*)$", readme, re.MULTILINE)
    }
    left_out = {*expected.NO_FILE, *expected.BROKEN, *expected.SAME}
    grouped = {frozenset(group - left_out) for group in shared} - {frozenset()}
    assert grouped == {frozenset((first, *others)) for first, others in expected.VERSIONS.items()}
    [none] = re.findall(r"^- no SOP Instance UID at all: (.*)$", readme, re.MULTILINE)
    assert set(none.split(", ")) <= {*expected.NO_UIDS, *expected.NO_FILE}
