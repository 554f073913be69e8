"""Protocol data units of the DICOM upper layer: encode and decode, pure.

P-DATA is not here: it is streamed and never held as an object (`wire.py`).

Source: PS3.8 9.3, PS3.7 Annex D.3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ = 0x01, 0x02, 0x03
P_DATA_TF = 0x04
RELEASE_RQ, RELEASE_RP, ABORT = 0x05, 0x06, 0x07

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
PROTOCOL_VERSION = 0x0001

# PS3.8 Table 9-18: results of one presentation context.
ACCEPTED = 0
USER_REJECTION = 1
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

# PS3.7 Table D.3-14: types of user identity.
IDENTITY_USERNAME, IDENTITY_PASSCODE, IDENTITY_KERBEROS = 1, 2, 3
IDENTITY_SAML, IDENTITY_JWT = 4, 5

_ITEM = struct.Struct(">BxH")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_FIXED = struct.Struct(">HH16s16s32s")


class PduError(Exception):
    """The peer sent bytes that are no valid PDU."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ. Source: PS3.8 Table 9-21."""

    result: int
    source: int
    reason: int

    def encode(self) -> bytes:
        """Return the PDU."""
        return struct.pack(">BxIxBBB", ASSOCIATE_RJ, 4, self.result, self.source, self.reason)

    @property
    def words(self) -> str:
        """Return the reason as a person reads it."""
        return _REJECTION_WORDS.get((self.source, self.reason), "no reason given")


PERMANENT, TRANSIENT = 1, 2
REJECT_NO_REASON = Rejection(PERMANENT, 1, 1)
REJECT_APPLICATION_CONTEXT = Rejection(PERMANENT, 1, 2)
REJECT_CALLING_AE = Rejection(PERMANENT, 1, 3)
REJECT_CALLED_AE = Rejection(PERMANENT, 1, 7)
REJECT_PROTOCOL_VERSION = Rejection(PERMANENT, 2, 2)
REJECT_TEMPORARY_CONGESTION = Rejection(TRANSIENT, 3, 1)
REJECT_LOCAL_LIMIT = Rejection(TRANSIENT, 3, 2)

_REJECTION_WORDS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognised",
    (1, 7): "called AE title not recognised",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}

# PS3.8 Table 9-26: reasons of an A-ABORT by the service provider (source 2).
ABORT_BY_USER = (0, 0)
ABORT_REASON_NOT_SPECIFIED = (2, 0)
ABORT_UNRECOGNISED_PDU = (2, 1)
ABORT_UNEXPECTED_PDU = (2, 2)
ABORT_INVALID_PARAMETER = (2, 6)


def encode_abort(source_and_reason: tuple[int, int]) -> bytes:
    """Return an A-ABORT PDU. Source: PS3.8 9.3.8."""
    return struct.pack(">BxIxxBB", ABORT, 4, *source_and_reason)


RELEASE_RQ_PDU = struct.pack(">BxI4x", RELEASE_RQ, 4)
RELEASE_RP_PDU = struct.pack(">BxI4x", RELEASE_RP, 4)


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """What a requestor offers under one odd number. Source: PS3.8 9.3.2.2."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContextResult:
    """The acceptor's answer to one context. Source: PS3.8 9.3.3.2."""

    context_id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """Who may be SCU and SCP of a SOP class. Source: PS3.7 D.3.3.4."""

    sop_class_uid: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """Service-class application information. Source: PS3.7 D.3.3.5."""

    sop_class_uid: str
    information: bytes


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """Who is behind the requestor. Source: PS3.7 D.3.3.7."""

    kind: int
    response_requested: bool
    primary: bytes
    secondary: bytes = b""


@dataclass(frozen=True, slots=True)
class UserInformation:
    """The user information item of a request or an acceptance. Source: PS3.7 D.3.3."""

    max_pdu_bytes: int = 16384
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    operations_window: tuple[int, int] | None = None
    roles: tuple[RoleSelection, ...] = ()
    extended: tuple[ExtendedNegotiation, ...] = ()
    identity: UserIdentity | None = None
    identity_response: bytes | None = None


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """An A-ASSOCIATE-RQ. Source: PS3.8 9.3.2."""

    called_ae: str
    calling_ae: str
    contexts: tuple[ProposedContext, ...]
    user: UserInformation = UserInformation()
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    """An A-ASSOCIATE-AC. Source: PS3.8 9.3.3."""

    called_ae: str
    calling_ae: str
    results: tuple[ContextResult, ...]
    user: UserInformation = UserInformation()


# -- encode -----------------------------------------------------------------------------------


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value


def _uid(value: str) -> bytes:
    return value.encode("ascii")


def _counted(value: bytes) -> bytes:
    return _U16.pack(len(value)) + value


def _user_items(user: UserInformation) -> Iterator[bytes]:
    yield _item(0x51, _U32.pack(user.max_pdu_bytes))
    if user.implementation_class_uid:
        yield _item(0x52, _uid(user.implementation_class_uid))
    if user.operations_window is not None:
        yield _item(0x53, struct.pack(">HH", *user.operations_window))
    for role in user.roles:
        yield _item(0x54, _counted(_uid(role.sop_class_uid)) + bytes((role.scu, role.scp)))
    if user.implementation_version_name:
        yield _item(0x55, user.implementation_version_name.encode("ascii")[:16])
    for extended in user.extended:
        yield _item(0x56, _counted(_uid(extended.sop_class_uid)) + extended.information)
    if (identity := user.identity) is not None:
        head = bytes((identity.kind, identity.response_requested))
        yield _item(0x58, head + _counted(identity.primary) + _counted(identity.secondary))
    if user.identity_response is not None:
        yield _item(0x59, _counted(user.identity_response))


def _associate(kind: int, called: str, calling: str, context: str, body: bytes) -> bytes:
    fixed = _FIXED.pack(
        PROTOCOL_VERSION,
        0,
        called.encode("ascii", "replace").ljust(16),
        calling.encode("ascii", "replace").ljust(16),
        b"",
    )
    payload = fixed + _item(0x10, _uid(context)) + body
    return struct.pack(">BxI", kind, len(payload)) + payload


def encode_request(request: AssociateRequest) -> bytes:
    """Return the A-ASSOCIATE-RQ PDU."""
    contexts = b"".join(
        _item(
            0x20,
            bytes((context.context_id, 0, 0, 0))
            + _item(0x30, _uid(context.abstract_syntax))
            + b"".join(_item(0x40, _uid(syntax)) for syntax in context.transfer_syntaxes),
        )
        for context in request.contexts
    )
    body = contexts + _item(0x50, b"".join(_user_items(request.user)))
    return _associate(
        ASSOCIATE_RQ, request.called_ae, request.calling_ae, request.application_context, body
    )


def encode_accept(accept: AssociateAccept) -> bytes:
    """Return the A-ASSOCIATE-AC PDU."""
    results = b"".join(
        _item(
            0x21,
            bytes((result.context_id, 0, result.result, 0))
            + _item(0x40, _uid(result.transfer_syntax)),
        )
        for result in accept.results
    )
    body = results + _item(0x50, b"".join(_user_items(accept.user)))
    return _associate(ASSOCIATE_AC, accept.called_ae, accept.calling_ae, APPLICATION_CONTEXT, body)


# -- decode -----------------------------------------------------------------------------------


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (type, value) of each item; refuse lengths that leave the data."""
    offset = 0
    while offset < len(data):
        if len(data) - offset < 4:
            message = "an item ends inside its header"
            raise PduError(message)
        kind, length = _ITEM.unpack_from(data, offset)
        offset += 4
        if length > len(data) - offset:
            message = f"item {kind:#04x} is longer than what holds it"
            raise PduError(message)
        yield kind, data[offset : offset + length]
        offset += length


def _text(value: bytes) -> str:
    try:
        return value.decode("ascii").strip(" \0")
    except UnicodeDecodeError as error:
        message = "a name or UID is not ASCII"
        raise PduError(message) from error


def _take_counted(data: bytes, what: str) -> tuple[bytes, bytes]:
    """Split off a value that carries its own 16-bit length."""
    if len(data) < 2 or len(data) - 2 < _U16.unpack_from(data)[0]:
        message = f"{what} is shorter than it says"
        raise PduError(message)
    end = 2 + _U16.unpack_from(data)[0]
    return data[2:end], data[end:]


def _require(value: bytes, size: int, what: str) -> bytes:
    if len(value) < size:
        message = f"{what} is too short"
        raise PduError(message)
    return value


def _decode_user(value: bytes) -> UserInformation:
    fields: dict[str, object] = {}
    roles: list[RoleSelection] = []
    extended: list[ExtendedNegotiation] = []
    for kind, item in _items(value):
        match kind:
            case 0x51:
                fields["max_pdu_bytes"] = _U32.unpack_from(_require(item, 4, "maximum length"))[0]
            case 0x52:
                fields["implementation_class_uid"] = _text(item)
            case 0x53:
                window = struct.unpack_from(">HH", _require(item, 4, "operations window"))
                fields["operations_window"] = window
            case 0x54:
                uid, rest = _take_counted(item, "role selection")
                _require(rest, 2, "role selection")
                roles.append(RoleSelection(_text(uid), rest[0] == 1, rest[1] == 1))
            case 0x55:
                fields["implementation_version_name"] = _text(item)
            case 0x56:
                uid, rest = _take_counted(item, "extended negotiation")
                extended.append(ExtendedNegotiation(_text(uid), rest))
            case 0x58:
                _require(item, 2, "user identity")
                primary, rest = _take_counted(item[2:], "user identity")
                secondary, _ = _take_counted(rest, "user identity")
                fields["identity"] = UserIdentity(item[0], item[1] == 1, primary, secondary)
            case 0x59:
                fields["identity_response"] = _take_counted(item, "user identity")[0]
            case _:
                continue  # PS3.8 9.3.1: items that are not known are left out
    return UserInformation(roles=tuple(roles), extended=tuple(extended), **fields)  # type: ignore[arg-type]


def _decode_context(item: bytes) -> ProposedContext:
    _require(item, 4, "presentation context")
    abstract, syntaxes = "", []
    for kind, value in _items(item[4:]):
        if kind == 0x30:
            abstract = _text(value)
        elif kind == 0x40:
            syntaxes.append(_text(value))
    return ProposedContext(item[0], abstract, tuple(syntaxes))


def _fixed_fields(payload: bytes) -> tuple[int, str, str]:
    _require(payload, _FIXED.size, "association PDU")
    version, _, called, calling, _ = _FIXED.unpack_from(payload)
    return version, _text(called), _text(calling)


def decode_request(payload: bytes) -> AssociateRequest:
    """Read the payload (without its six-byte header) of an A-ASSOCIATE-RQ.

    Raises:
        PduError: lengths that do not add up, non-ASCII titles or UIDs, two contexts of one number.
    """
    version, called, calling = _fixed_fields(payload)
    application, user = "", UserInformation()
    contexts: dict[int, ProposedContext] = {}
    for kind, item in _items(payload[_FIXED.size :]):
        if kind == 0x10:
            application = _text(item)
        elif kind == 0x20:
            context = _decode_context(item)
            if context.context_id in contexts:
                message = f"presentation context {context.context_id} is proposed twice"
                raise PduError(message)
            contexts[context.context_id] = context
        elif kind == 0x50:
            user = _decode_user(item)
    return AssociateRequest(called, calling, tuple(contexts.values()), user, application, version)


def decode_accept(payload: bytes) -> AssociateAccept:
    """Read the payload of an A-ASSOCIATE-AC.

    Raises:
        PduError: as for `decode_request`.
    """
    _, called, calling = _fixed_fields(payload)
    results: list[ContextResult] = []
    user = UserInformation()
    for kind, item in _items(payload[_FIXED.size :]):
        if kind == 0x21:
            _require(item, 4, "presentation context")
            syntaxes = [_text(value) for sub, value in _items(item[4:]) if sub == 0x40]
            results.append(ContextResult(item[0], item[2], (syntaxes or [""])[0]))
        elif kind == 0x50:
            user = _decode_user(item)
    return AssociateAccept(called, calling, tuple(results), user)


def decode_reject(payload: bytes) -> Rejection:
    """Read the payload of an A-ASSOCIATE-RJ."""
    _require(payload, 4, "rejection")
    return Rejection(payload[1], payload[2], payload[3])
