"""Sending objects: to dcmtk's storescp, back to getscu, and when it goes wrong."""

import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from itertools import zip_longest
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet

from apps.core.errors import DomainError
from apps.dimse.scp.senders import BackOverAssociation, ToDestination
from apps.dimse.scp.sub_operations import Progress
from apps.dimse.upper import commands
from apps.dimse.upper.acceptor import Association
from apps.dimse.upper.commands import Command
from apps.dimse.upper.negotiation import EXPLICIT_LE, Context
from tests.dimse.peers import sink
from tests.dimse.servers import OpenProvider, Server

pytestmark = pytest.mark.peer

NAMES = ["CT_small.dcm", "MR_small_implicit.dcm", "JPEG2000.dcm", "SC_rgb_rle.dcm", "rtplan.dcm"]


@dataclass
class FromFile:
    """An object of pydicom's wheel, given in pieces as the archive gives them."""

    path: Path
    piece_bytes: int = 10_000
    fail_after: int = -1

    def __post_init__(self) -> None:
        ds = dcmread(self.path, stop_before_pixels=True)
        self.sop_class_uid = str(ds.file_meta.MediaStorageSOPClassUID)
        self.sop_instance_uid = str(ds.file_meta.MediaStorageSOPInstanceUID)
        self.transfer_syntax_uid = str(ds.file_meta.TransferSyntaxUID)
        raw = self.path.read_bytes()
        length = ds.file_meta.FileMetaInformationGroupLength
        self.body = raw[144 + length :]

    def data_set(self, transfer_syntax_uid: str) -> Iterable[bytes]:
        if transfer_syntax_uid == self.transfer_syntax_uid:
            body = self.body
        else:
            ds = dcmread(self.path)
            if ds.file_meta.TransferSyntaxUID.is_compressed:
                ds.decompress(generate_instance_uid=False)
            ds.file_meta.TransferSyntaxUID = transfer_syntax_uid
            out = BytesIO()
            ds.save_as(out, implicit_vr=transfer_syntax_uid != EXPLICIT_LE, little_endian=True)
            raw = out.getvalue()
            body = raw[144 + int.from_bytes(raw[140:144], "little") :]
        for number, offset in enumerate(range(0, len(body), self.piece_bytes)):
            if number == self.fail_after:
                message = "the disk is gone"
                raise DomainError(message)
            yield body[offset : offset + self.piece_bytes]


def objects() -> list[FromFile]:
    return [FromFile(Path(str(get_testdata_file(name)))) for name in NAMES]


def received(folder: Path) -> dict[str, FromFile]:
    found = [FromFile(path) for path in folder.iterdir()]
    return {one.sop_instance_uid: one for one in found}


def destination(port: int, wanted: list[FromFile]) -> ToDestination:
    return ToDestination(
        host="127.0.0.1",
        port=port,
        ae_title="SINK",
        calling_ae="ISOCENTER",
        originator=("VIEWER", 5),
        objects=wanted,
    )


def sent(sender: ToDestination, wanted: list[FromFile]) -> list[int]:
    return [sender.send(one, following) for one, following in zip_longest(wanted, wanted[1:])]


@pytest.mark.parametrize("pdu_bytes", ["4096", "131072"])
def test_a_destination_that_takes_everything_gets_it_as_stored(
    tmp_path: Path, pdu_bytes: str
) -> None:
    wanted = objects()
    with sink(tmp_path, "+xa", "-pdu", pdu_bytes, "+B") as port:
        sender = destination(port, wanted)
        assert sent(sender, wanted) == [0] * len(wanted)
        sender.close()
    got = received(tmp_path)
    for one in wanted:
        assert got[one.sop_instance_uid].transfer_syntax_uid == one.transfer_syntax_uid
        assert got[one.sop_instance_uid].body == one.body


def test_a_destination_of_uncompressed_only_gets_it_decompressed(tmp_path: Path) -> None:
    wanted = objects()[:4]  # the plan's meta names another instance, which storescp minds
    with sink(tmp_path, "+xi") as port:
        sender = destination(port, wanted)
        assert sent(sender, wanted) == [0] * len(wanted)
        sender.close()
    got = received(tmp_path)
    for one in wanted:
        ours, theirs = dcmread(one.path), dcmread(got[one.sop_instance_uid].path)
        assert theirs.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
        if "PixelData" in ours:
            assert (ours.pixel_array == theirs.pixel_array).all()


def test_an_object_that_cannot_be_read_fails_alone(tmp_path: Path) -> None:
    first, broken_at_once, broken_midway, last = objects()[:4]
    broken_at_once.fail_after = 0
    broken_midway.piece_bytes, broken_midway.fail_after = 500, 1
    with sink(tmp_path, "+xa") as port:
        sender = destination(port, objects())
        statuses = sent(sender, [first, broken_at_once, broken_midway, last])
        sender.close()
    assert statuses[0] == statuses[3] == 0
    assert 0 not in statuses[1:3]
    assert received(tmp_path).keys() == {first.sop_instance_uid, last.sop_instance_uid}


def serve_get(wanted: list[FromFile], *, cancel_after: int = -1):
    def get(association: Association, context: Context, command: Command) -> None:
        association.read_data_set(context, command)
        progress = Progress(association, context, command, len(wanted))
        sender = BackOverAssociation(association, command)
        for one, following in zip_longest(wanted, wanted[1:]):
            if sender.cancelled:
                break
            progress.done(one.sop_instance_uid, sender.send(one, following))
        progress.finish(cancelled=sender.cancelled)

    return {commands.C_GET_RQ: get}


def getscu(folder: Path, port: int, *options: str) -> str:
    done = subprocess.run(
        [
            *("getscu", "-d", "-S", *options, "-k", "QueryRetrieveLevel=STUDY"),
            *("-k", "StudyInstanceUID=1.2.3", "-od", str(folder), "127.0.0.1", str(port)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_getscu_gets_them_over_its_own_association(tmp_path: Path) -> None:
    wanted = [FromFile(Path(str(get_testdata_file(n)))) for n in (NAMES[0], NAMES[1], NAMES[4])]
    with Server(OpenProvider(serve_get(wanted))) as server:
        said = getscu(tmp_path, server.port, "+B")
    got = received(tmp_path)
    assert got.keys() == {one.sop_instance_uid for one in wanted}, said
    assert "Success" in said
    assert got[wanted[0].sop_instance_uid].body == wanted[0].body


def test_pynetdicom_hears_what_could_not_be_sent() -> None:
    wanted = objects()[:2]
    wanted[1].fail_after = 0
    kept: list[str] = []

    def keep(event: evt.Event) -> int:
        kept.append(event.request.AffectedSOPInstanceUID)
        return 0

    ae = AE("PYNET")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    roles = []
    for one in wanted:
        ae.add_requested_context(one.sop_class_uid)
        roles.append(build_role(one.sop_class_uid, scp_role=True))
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", "1.2.3"
    with Server(OpenProvider(serve_get(wanted))) as server:
        assoc = ae.associate(
            "127.0.0.1", server.port, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, keep)]
        )
        answers = list(assoc.send_c_get(query, StudyRootQueryRetrieveInformationModelGet))
        assoc.release()
    status, failed = answers[-1]
    assert kept == [wanted[0].sop_instance_uid]
    assert status.Status == 0xB000
    counts = (
        status.NumberOfCompletedSuboperations,
        status.NumberOfFailedSuboperations,
        status.NumberOfWarningSuboperations,
    )
    assert counts == (1, 1, 0)
    assert failed.FailedSOPInstanceUIDList == wanted[1].sop_instance_uid


class Watched(FromFile):
    """Says when it is first read."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.read = threading.Event()

    def data_set(self, transfer_syntax_uid: str) -> Iterable[bytes]:
        self.read.set()
        return super().data_set(transfer_syntax_uid)


@pytest.mark.parametrize("way", ["get", "move"])
def test_the_next_is_read_while_the_peer_works_on_the_one_before(way: str) -> None:
    first, second = (Watched(Path(str(get_testdata_file(name)))) for name in NAMES[:2])
    in_time: list[bool] = []

    def keep(event: evt.Event) -> int:
        if not in_time:  # the answer to the first is held back until the second is read
            in_time.append(second.read.wait(10))
        return 0

    ae = AE("PYNET")
    handlers = [(evt.EVT_C_STORE, keep)]
    if way == "move":
        for one in (first, second):
            ae.add_supported_context(one.sop_class_uid, one.transfer_syntax_uid)
        peer = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        sender = destination(peer.socket.getsockname()[1], [first, second])
        assert sent(sender, [first, second]) == [0, 0]
        sender.close()
        peer.shutdown()
    else:
        ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
        for one in (first, second):
            ae.add_requested_context(one.sop_class_uid, one.transfer_syntax_uid)
        roles = [build_role(one.sop_class_uid, scp_role=True) for one in (first, second)]
        query = Dataset()
        query.QueryRetrieveLevel = "STUDY"
        with Server(OpenProvider(serve_get([first, second]))) as server:
            assoc = ae.associate("127.0.0.1", server.port, ext_neg=roles, evt_handlers=handlers)
            answers = list(assoc.send_c_get(query, StudyRootQueryRetrieveInformationModelGet))
            assoc.release()
        assert answers[-1][0].NumberOfCompletedSuboperations == 2
    assert in_time == [True]


def test_nothing_is_sent_after_a_cancel() -> None:
    wanted = objects()[:2] * 20
    kept: list[str] = []

    def keep(event: evt.Event) -> int:
        kept.append(event.request.AffectedSOPInstanceUID)
        if len(kept) == 3:
            event.assoc.send_c_cancel(1, query_model=StudyRootQueryRetrieveInformationModelGet)
        return 0

    ae = AE("PYNET")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    roles = []
    for one in wanted[:2]:
        ae.add_requested_context(one.sop_class_uid)
        roles.append(build_role(one.sop_class_uid, scp_role=True))
    query = Dataset()
    query.QueryRetrieveLevel = "STUDY"
    with Server(OpenProvider(serve_get(wanted))) as server:
        assoc = ae.associate(
            "127.0.0.1", server.port, ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, keep)]
        )
        answers = list(assoc.send_c_get(query, StudyRootQueryRetrieveInformationModelGet))
        assoc.release()
    status, _ = answers[-1]
    assert status.Status == 0xFE00
    assert len(kept) < 40
    assert status.NumberOfRemainingSuboperations == 40 - len(kept)
