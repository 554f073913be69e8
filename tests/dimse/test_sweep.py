"""Every example file goes in and comes out bit-exact, or is refused or kept as a version.

Sent by pynetdicom as the file has it (C-STORE), fetched by pynetdicom (C-GET, C-MOVE) and over
WADO-RS with `transfer-syntax=*`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
from apps.core import clock
from apps.core.actors import system_actor
from apps.dimse.upper import pdu
from apps.dimse.upper.requestor import Requestor
from tests.dicomweb.test_dicomweb import parts_of
from tests.dimse.installation import free_port
from tests.dimse.peers import query, register
from tests.dimse.servers import Server
from tests.factories.dicom import dataset_bytes

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
    """The files that say what they are: with file meta, a SOP class and all UIDs."""
    for path in sorted(paths):
        content = path.read_bytes()
        if content[128:132] != b"DICM" or content[132:140] != b"\2\0\0\0UL\4\0":
            continue
        try:
            ds = dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, ValueError, AttributeError):
            continue
        names = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
        uids = [str(ds.get(name) or "") for name in names]
        if all(uids):
            meta = ds.file_meta
            named = [meta.get(f"MediaStorage{name}") for name in names[:2]]
            told = named == uids[:2] and len(uids[1]) <= 64
            syntax = str(meta.get("TransferSyntaxUID", ""))
            yield File(path, uids[0], uids[1], syntax, uids[2], dataset_bytes(content), told)


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


def sweep(server: Server, files: Sequence[File], expected: dict[str, int]) -> dict[str, int]:
    """Send and fetch; return how many files met which end.

    Args:
        server: ours.
        files: what to send.
        expected: status by file name, where it is not what the file's UID lets expect.
    """
    statuses = send(server, files)
    current: dict[str, File] = {}
    counts: dict[str, int] = defaultdict(int)
    for file in sorted(files, key=lambda one: list(statuses).index(one.path)):
        status = statuses[file.path]
        if (named := expected.get(file.path.name)) is not None:
            assert status == named, (file.path, hex(status))
            counts["refused"] += 1
            continue
        first = current.setdefault(file.uid, file)
        same = first.data_set == file.data_set
        assert status == (SUCCESS if same else VERSION), (file.path, hex(status))
        counts["stored" if first is file else "again" if same else "version"] += 1
    by_study: dict[str, list[File]] = defaultdict(list)
    for file in current.values():
        by_study[file.study].append(file)
    digests = {uid: hashlib.sha256(file.data_set).hexdigest() for uid, file in current.items()}
    client = web()
    moved = move(server, by_study, (file.kind for file in current.values())).data_sets
    for study, members in by_study.items():
        wanted = {file.uid: digests[file.uid] for file in members}
        for way, got in (
            ("C-GET", get(server, study, (file.kind for file in members))),
            ("WADO-RS", over_the_web(client, study)),
            ("C-MOVE", {file.uid: moved[file.uid] for file in members}),
        ):
            found = {uid: hashlib.sha256(data_set).hexdigest() for uid, data_set in got.items()}
            assert found == wanted, (way, [file.path.name for file in members])
    return dict(counts)


@pytest.fixture(autouse=True)
def whole_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pynetdicom send data sets as the files have them, and take any SOP class."""
    monkeypatch.setattr(pynetdicom_config, "STORE_SEND_CHUNKED_DATASET", True)
    monkeypatch.setattr(pynetdicom_config, "UNRESTRICTED_STORAGE_SERVICE", True)


REFUSED = {
    "MR_truncated.dcm": CANNOT_UNDERSTAND,  # ends inside its pixel data
    "rtplan_truncated.dcm": CANNOT_UNDERSTAND,  # ends inside an element
    "MG-Im-Hologic-PropProj.dcm": CANNOT_UNDERSTAND,  # a sequence that leaves the file; dcmtk too
    "jpeg2000-multiframe-multifragments.dcm": INVALID_INSTANCE,  # a UID of 67 characters
}


def test_pydicoms_own_files_come_out_as_they_went_in(server: Server) -> None:
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    files = list(readable(path for path in folder.rglob("*") if path.is_file()))
    counts = sweep(server, files, REFUSED)
    assert counts["stored"] >= 60
    assert counts["refused"] == 2


def test_every_shared_file_comes_out_as_it_went_in(server: Server, shared_data: Path) -> None:
    folder = shared_data / "dicom"
    files = list(readable(path for path in folder.rglob("*") if path.is_file()))
    counts = sweep(server, files, REFUSED)
    assert counts["stored"] >= 350
    assert counts["version"] >= 20
    assert counts["refused"] == 3
