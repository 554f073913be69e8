"""The four doors that large objects go through, as clients that stream: what comes is hashed."""

import hashlib
import http.client
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing

from apps.dimse.data_sets import encode
from apps.dimse.upper import commands, pdu
from apps.dimse.upper.commands import Command, encode_command, encode_response
from apps.dimse.upper.requestor import Requestor
from tests.large.objects import EXPLICIT, IMPLICIT, LargeObject
from tests.product import Product

GET = "1.2.840.10008.5.1.4.1.2.2.3"
PENDING = 0xFF00
ANSWER_S = 600


class Came:
    """What comes through a door: its digest, and that of the pixel data in it.

    Args:
        pixels: length of the native pixel data to look for, none where it is 0.
        transfer_syntax_uid: in which it is.
    """

    def __init__(self, pixels: int = 0, transfer_syntax_uid: str = EXPLICIT) -> None:
        self._all, self._pixels = hashlib.sha256(), hashlib.sha256()
        self.size = 0
        self._left = pixels
        vr = b"" if transfer_syntax_uid == IMPLICIT else b"OB\0\0"
        self._mark = struct.pack("<HH", 0x7FE0, 0x0010) + vr + struct.pack("<I", pixels)
        self._head: bytes | None = b"" if pixels else None

    def take(self, piece: bytes | memoryview) -> None:
        self._all.update(piece)
        self.size += len(piece)
        if self._head is not None:
            self._head += piece
            at = self._head.find(self._mark)
            if at < 0:
                assert len(self._head) < 1 << 22 or not self._left, "no pixel data came"
                return
            piece, self._head = self._head[at + len(self._mark) :], None
        value = piece[: self._left]
        self._left -= len(value)
        self._pixels.update(value)

    @property
    def digest(self) -> str:
        return self._all.hexdigest()

    @property
    def pixel_digest(self) -> str:
        assert not self._left
        return self._pixels.hexdigest()


def c_store(made: Product, one: LargeObject) -> int:
    """Send by C-STORE; return the status."""
    context = pdu.ProposedContext(1, one.sop_class_uid, (one.transfer_syntax_uid,))
    with _associated(made, [context]) as requestor:
        return requestor.store(
            requestor.contexts[1], sop_instance_uid=one.sop_instance_uid, chunks=one.chunks()
        )


def stow(made: Product, token: str, one: LargeObject) -> int:
    """Send by STOW-RS, in a body whose length is not told; return the status."""

    def body() -> Iterator[bytes]:
        yield b"--large\r\nContent-Type: application/dicom\r\n\r\n"
        yield from one.part10()
        yield b"\r\n--large--\r\n"

    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": 'multipart/related; type="application/dicom"; boundary=large',
        "Accept": "application/dicom+json",
    }
    with closing(_http(made)) as connection:
        path = "/dicom-web/studies"
        connection.request("POST", path, body=body(), headers=headers, encode_chunked=True)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def wado(made: Product, token: str, path: str, accept: str, came: Came) -> Came:
    """GET below `/dicom-web`; the answer must be 200."""
    with closing(_http(made)) as connection:
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        connection.request("GET", f"/dicom-web{path}", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read(2000)
        while data := answer.read(1 << 20):
            came.take(data)
    return came


def path_of(one: LargeObject) -> str:
    """The object's address below `/dicom-web`."""
    ds = one.ds
    return (
        f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}"
        f"/instances/{ds.SOPInstanceUID}"
    )


def c_get(made: Product, one: LargeObject, came: Came, syntax: str = "") -> Came:
    """Fetch by C-GET in a transfer syntax, the stored one if none is named; it must succeed."""
    contexts = [
        pdu.ProposedContext(1, GET, (EXPLICIT,)),
        pdu.ProposedContext(3, one.sop_class_uid, (syntax or one.transfer_syntax_uid,)),
    ]
    roles = [pdu.RoleSelection(one.sop_class_uid, scu=False, scp=True)]
    with _associated(made, contexts, roles) as requestor:
        wire = requestor.wire
        wire.send(wire.message(1, _get_request(), _identifier(one)))
        while True:
            context_id, raw = wire.read_command()
            command = Command.decode(raw)
            if command.field != commands.C_GET_RSP:
                assert command.sop_instance_uid == one.sop_instance_uid
                wire.stream_data_set(context_id, came.take)
                wire.send(wire.message(context_id, encode_response(command, 0)))
            elif command.status != PENDING:
                assert command.status == 0, f"{command.status:04X}"
                return came


def _get_request() -> bytes:
    return encode_command(
        {
            commands.AFFECTED_SOP_CLASS_UID: GET,
            commands.COMMAND_FIELD: commands.C_GET_RQ,
            commands.MESSAGE_ID: 1,
            commands.PRIORITY: 0,
            commands.DATA_SET_TYPE: commands.WITH_DATA_SET,
        }
    )


def _identifier(one: LargeObject) -> bytes:
    keys = {
        0x00080018: one.sop_instance_uid,
        0x00080052: "IMAGE",
        0x0020000D: str(one.ds.StudyInstanceUID),
        0x0020000E: str(one.ds.SeriesInstanceUID),
    }
    return encode(keys, explicit=True)


def _associated(
    made: Product,
    contexts: Sequence[pdu.ProposedContext],
    roles: Sequence[pdu.RoleSelection] = (),
) -> Requestor:
    return Requestor.open(
        host="127.0.0.1",
        port=made.dicom_port,
        called_ae=made.ae_title,
        calling_ae="LARGE",
        contexts=contexts,
        roles=roles,
        answer_s=ANSWER_S,
    )


def _http(made: Product) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", made.http_port, timeout=ANSWER_S)
