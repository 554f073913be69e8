"""DIMSE command sets: group 0000, always implicit VR little endian.

Source: PS3.7 6.3.1 and Annex E.
"""

import struct
from collections.abc import Mapping

C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
C_GET_RQ, C_GET_RSP = 0x0010, 0x8010
C_FIND_RQ, C_FIND_RSP = 0x0020, 0x8020
C_MOVE_RQ, C_MOVE_RSP = 0x0021, 0x8021
C_ECHO_RQ, C_ECHO_RSP = 0x0030, 0x8030
C_CANCEL_RQ = 0x0FFF
N_EVENT_REPORT_RQ, N_GET_RQ, N_SET_RQ = 0x0100, 0x0110, 0x0120
N_ACTION_RQ, N_CREATE_RQ, N_DELETE_RQ = 0x0130, 0x0140, 0x0150
RESPONSE = 0x8000

NAMES = {
    C_STORE_RQ: "C-STORE",
    C_GET_RQ: "C-GET",
    C_FIND_RQ: "C-FIND",
    C_MOVE_RQ: "C-MOVE",
    C_ECHO_RQ: "C-ECHO",
    C_CANCEL_RQ: "C-CANCEL",
    N_EVENT_REPORT_RQ: "N-EVENT-REPORT",
    N_GET_RQ: "N-GET",
    N_SET_RQ: "N-SET",
    N_ACTION_RQ: "N-ACTION",
    N_CREATE_RQ: "N-CREATE",
    N_DELETE_RQ: "N-DELETE",
}

# PS3.7 Table E.1-1: element numbers of group 0000.
GROUP_LENGTH = 0x0000
AFFECTED_SOP_CLASS_UID, REQUESTED_SOP_CLASS_UID = 0x0002, 0x0003
COMMAND_FIELD, MESSAGE_ID, MESSAGE_ID_RESPONDED_TO = 0x0100, 0x0110, 0x0120
MOVE_DESTINATION, PRIORITY, DATA_SET_TYPE = 0x0600, 0x0700, 0x0800
STATUS, OFFENDING_ELEMENT, ERROR_COMMENT = 0x0900, 0x0901, 0x0902
AFFECTED_SOP_INSTANCE_UID, REQUESTED_SOP_INSTANCE_UID = 0x1000, 0x1001
REMAINING, COMPLETED, FAILED, WARNINGS = 0x1020, 0x1021, 0x1022, 0x1023
EVENT_TYPE_ID, ACTION_TYPE_ID = 0x1002, 0x1008
MOVE_ORIGINATOR_AE, MOVE_ORIGINATOR_MESSAGE_ID = 0x1030, 0x1031

NO_DATA_SET = 0x0101
WITH_DATA_SET = 0x0001

_ELEMENT = struct.Struct("<HHI")
_US = struct.Struct("<H")
_UID_ELEMENTS = frozenset(
    {
        AFFECTED_SOP_CLASS_UID,
        REQUESTED_SOP_CLASS_UID,
        AFFECTED_SOP_INSTANCE_UID,
        REQUESTED_SOP_INSTANCE_UID,
    }
)


class CommandError(Exception):
    """The command set cannot be read, or lacks what every command has."""


class Command:
    """One decoded command set; values stay bytes until asked for."""

    __slots__ = ("_elements", "field")

    def __init__(self, elements: Mapping[int, bytes]) -> None:
        self._elements = elements
        self.field = self.number(COMMAND_FIELD)
        """(0000,0100): which DIMSE service."""
        if self.field < 0:
            message = "no Command Field"
            raise CommandError(message)

    @classmethod
    def decode(cls, data: bytes | bytearray) -> "Command":
        """Read a whole command set.

        Raises:
            CommandError: lengths that do not add up, or no Command Field.
        """
        elements: dict[int, bytes] = {}
        offset, end = 0, len(data)
        while offset < end:
            if end - offset < 8:
                message = "the command set ends inside an element"
                raise CommandError(message)
            group, element, length = _ELEMENT.unpack_from(data, offset)
            offset += 8
            if group != 0 or length > end - offset:
                message = f"no command element: ({group:04x},{element:04x}) of {length} bytes"
                raise CommandError(message)
            elements[element] = bytes(data[offset : offset + length])
            offset += length
        return cls(elements)

    def number(self, element: int) -> int:
        """Return an US value, -1 where absent or of another length."""
        value = self._elements.get(element, b"")
        return _US.unpack(value)[0] if len(value) == 2 else -1

    def text(self, element: int) -> str:
        """Return an AE or UI value without its padding, empty where absent."""
        return self._elements.get(element, b"").decode("ascii", "replace").strip(" \0")

    @property
    def message_id(self) -> int:
        """(0000,0110), 0 where the peer left it out."""
        return max(self.number(MESSAGE_ID), 0)

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows. Source: PS3.7 E.1, any value but 0101H."""
        return self.number(DATA_SET_TYPE) not in (NO_DATA_SET, -1)

    @property
    def status(self) -> int:
        """(0000,0900) of a response, -1 where absent."""
        return self.number(STATUS)

    @property
    def sop_class_uid(self) -> str:
        """Affected, else requested, SOP class."""
        return self.text(AFFECTED_SOP_CLASS_UID) or self.text(REQUESTED_SOP_CLASS_UID)

    @property
    def sop_instance_uid(self) -> str:
        """Affected, else requested, SOP instance."""
        return self.text(AFFECTED_SOP_INSTANCE_UID) or self.text(REQUESTED_SOP_INSTANCE_UID)

    @property
    def name(self) -> str:
        """The service as the standard writes it: `C-STORE`."""
        known = NAMES.get(self.field & ~RESPONSE) or NAMES.get(self.field)
        return known or f"{self.field:04X}H"


def encode_command(values: Mapping[int, int | str | bytes]) -> bytes:
    """Return a command set with its group length. Numbers become US, text AE or UI by element."""
    body = bytearray()
    for element in sorted(values):
        value = values[element]
        if isinstance(value, int):
            raw = _US.pack(value)
        elif isinstance(value, bytes):
            raw = value
        else:
            raw = value.encode("ascii", "replace")
            if len(raw) % 2:
                raw += b"\0" if element in _UID_ELEMENTS else b" "
        body += _ELEMENT.pack(0, element, len(raw)) + raw
    return _ELEMENT.pack(0, GROUP_LENGTH, 4) + struct.pack("<I", len(body)) + bytes(body)


def encode_response(
    request: Command,
    status: int,
    extra: Mapping[int, int | str | bytes] | None = None,
    *,
    with_data_set: bool = False,
    comment: str = "",
) -> bytes:
    """Return the response to a request with the elements every response repeats.

    Args:
        request: the command answered.
        status: PS3.7 Annex C or the service class's own.
        extra: further elements (sub-operation counts, instance UID issued by us).
        with_data_set: whether a data set follows.
        comment: (0000,0902), cut to 64 characters.
    """
    values: dict[int, int | str | bytes] = {
        COMMAND_FIELD: request.field | RESPONSE,
        MESSAGE_ID_RESPONDED_TO: request.message_id,
        DATA_SET_TYPE: WITH_DATA_SET if with_data_set else NO_DATA_SET,
        STATUS: status,
    }
    if uid := request.sop_class_uid:
        values[AFFECTED_SOP_CLASS_UID] = uid
    if uid := request.sop_instance_uid:
        values[AFFECTED_SOP_INSTANCE_UID] = uid
    if comment:
        values[ERROR_COMMENT] = comment[:64]
    if extra:
        values |= extra
    return encode_command(values)
