"""PDUs: what we write pynetdicom reads and the reverse; rubbish never gets past PduError."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom import pdu as foreign
from pynetdicom import pdu_primitives

from apps.dimse.upper import pdu

UIDS = st.from_regex(r"[1-9][0-9]{0,5}(\.[1-9][0-9]{0,5}){1,6}", fullmatch=True)
TITLES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", min_size=1, max_size=16)

contexts = st.lists(
    st.tuples(UIDS, st.lists(UIDS, min_size=1, max_size=3)), min_size=1, max_size=128
).map(
    lambda items: tuple(
        pdu.ProposedContext(2 * index + 1, abstract, tuple(syntaxes))
        for index, (abstract, syntaxes) in enumerate(items)
    )
)
users = st.builds(
    pdu.UserInformation,
    max_pdu_bytes=st.integers(0, 2**32 - 1),
    implementation_class_uid=UIDS,
    implementation_version_name=TITLES,
    operations_window=st.none() | st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    roles=st.lists(st.builds(pdu.RoleSelection, UIDS, st.booleans(), st.booleans())).map(tuple),
    extended=st.lists(
        st.builds(pdu.ExtendedNegotiation, UIDS, st.binary(min_size=1, max_size=6))
    ).map(tuple),
    identity=st.none()
    | st.builds(
        pdu.UserIdentity, st.integers(1, 5), st.booleans(), st.binary(max_size=40), st.binary()
    ),
)
requests = st.builds(
    pdu.AssociateRequest, called_ae=TITLES, calling_ae=TITLES, contexts=contexts, user=users
)


@settings(max_examples=40, deadline=None)
@given(requests)
def test_a_request_survives_encoding(request: pdu.AssociateRequest) -> None:
    assert pdu.decode_request(pdu.encode_request(request)[6:]) == request


@given(st.binary(max_size=400))
def test_rubbish_is_a_pdu_error(data: bytes) -> None:
    for decode in (pdu.decode_request, pdu.decode_accept, pdu.decode_reject):
        with contextlib.suppress(pdu.PduError):
            decode(data)


@settings(max_examples=40, deadline=None)
@given(requests, st.integers(0, 2000), st.integers(0, 255))
def test_one_wrong_byte_is_a_pdu_error_or_a_request(
    request: pdu.AssociateRequest, place: int, value: int
) -> None:
    data = bytearray(pdu.encode_request(request)[6:])
    data[place % len(data)] = value
    with contextlib.suppress(pdu.PduError):
        pdu.decode_request(bytes(data))


def test_pynetdicom_reads_our_request() -> None:
    ours = pdu.AssociateRequest(
        "ARCHIVE",
        "CT_1",
        (pdu.ProposedContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),),
        pdu.UserInformation(
            max_pdu_bytes=65536,
            implementation_class_uid="1.2.3",
            implementation_version_name="X_1",
            operations_window=(1, 1),
            roles=(pdu.RoleSelection("1.2.840.10008.5.1.4.1.1.2", scu=False, scp=True),),
            identity=pdu.UserIdentity(2, response_requested=True, primary=b"u", secondary=b"p"),
        ),
    )
    theirs = foreign.A_ASSOCIATE_RQ()
    theirs.decode(pdu.encode_request(ours))
    assert theirs.called_ae_title.strip() == "ARCHIVE"
    assert theirs.calling_ae_title.strip() == "CT_1"
    assert theirs.presentation_context[0].abstract_syntax == UID("1.2.840.10008.1.1")
    user = theirs.user_information
    assert user.maximum_length == 65536
    assert user.role_selection["1.2.840.10008.5.1.4.1.1.2"].scp_role == 1
    assert (user.user_identity.primary_field, user.user_identity.secondary_field) == (b"u", b"p")


def test_we_read_pynetdicoms_items() -> None:
    role = pdu_primitives.SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = UID("1.2.840.10008.5.1.4.1.1.2")
    role.scu_role, role.scp_role = False, True
    extended = pdu_primitives.SOPClassExtendedNegotiation()
    extended.sop_class_uid = UID("1.2.840.10008.5.1.4.1.2.2.1")
    extended.service_class_application_information = b"\x01\x01\x00"
    request = pdu.AssociateRequest("A", "B", ())
    items = role.from_primitive().encode() + extended.from_primitive().encode()
    raw = pdu.encode_request(request)[6:]
    user = pdu._item(0x50, raw[raw.rindex(b"\x51\x00\x00\x04") :] + items)
    head = raw[: raw.rindex(b"\x50\x00")]
    decoded = pdu.decode_request(head + user)
    assert decoded.user.roles == (
        pdu.RoleSelection("1.2.840.10008.5.1.4.1.1.2", scu=False, scp=True),
    )
    assert decoded.user.extended[0].information == b"\x01\x01\x00"


def test_a_context_number_used_twice_is_refused() -> None:
    context = pdu.ProposedContext(1, "1.2", ("1.2.840.10008.1.2",))
    raw = pdu.encode_request(pdu.AssociateRequest("A", "B", (context, context)))
    with pytest.raises(pdu.PduError, match="twice"):
        pdu.decode_request(raw[6:])
