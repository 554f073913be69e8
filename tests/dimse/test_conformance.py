"""A foreign peer proposes everything; what is accepted is what the conformance statement claims."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from pydicom._uid_dict import UID_dictionary
from pynetdicom import AE

from apps.conformance.statement import facts
from tests.dimse.peers import extended
from tests.dimse.servers import Server

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]

CT = "1.2.840.10008.5.1.4.1.1.2"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT = "1.2.840.10008.1.2"


@pytest.fixture
def claims() -> dict[str, Any]:
    return facts()["dimse"]


def accepted(server: Server, proposed: list[tuple[str, list[str]]], ext_neg=()) -> set[Any]:
    """Propose each pair in a context of its own; return what was accepted."""
    found = set()
    for start in range(0, len(proposed), 128):
        ae = AE("EVERYTHING")
        for abstract, syntaxes in proposed[start : start + 128]:
            ae.add_requested_context(abstract, syntaxes)
        assoc = ae.associate("127.0.0.1", server.port, ae_title="ISOCENTER", ext_neg=list(ext_neg))
        if assoc.is_established:
            found |= {(c.abstract_syntax, c.transfer_syntax[0]) for c in assoc.accepted_contexts}
            assoc.release()
    return found


def test_the_sop_classes_that_are_accepted_are_those_that_are_claimed(
    server: Server, claims: dict[str, Any]
) -> None:
    everything = [uid for uid, (_, kind, *_) in UID_dictionary.items() if kind != "Transfer Syntax"]
    assert len(everything) > 400
    found = {uid for uid, _ in accepted(server, [(uid, [IMPLICIT]) for uid in everything])}
    assert found == {one["uid"] for one in claims["served"] + claims["storage"]}
    newer, private = "1.2.840.10008.5.1.4.1.1.999.1", "1.2.826.0.1.3680043.9.9"
    ours = [(newer, [IMPLICIT]), (private, [IMPLICIT]), ("1.2.840.10008.9.9.9", [IMPLICIT])]
    assert {uid for uid, _ in accepted(server, ours)} == {newer, private}


def test_the_transfer_syntaxes_that_are_accepted_are_those_that_are_claimed(
    server: Server, claims: dict[str, Any]
) -> None:
    known = [uid for uid, (_, kind, *_) in UID_dictionary.items() if kind == "Transfer Syntax"]
    storage = [one["uid"] for one in claims["storage_transfer_syntaxes"]]
    assert {u for _, u in accepted(server, [(CT, [uid]) for uid in storage])} == set(storage)
    for served in claims["served"]:
        of_it = accepted(server, [(served["uid"], [uid]) for uid in known])
        assert {u for _, u in of_it} == {one["uid"] for one in claims["uncompressed"]}
    first = claims["uncompressed"][0]["uid"]
    assert accepted(server, [(FIND, list(reversed(known)))]) == {(FIND, first)}


def test_the_options_that_are_agreed_are_those_that_are_claimed(
    server: Server, claims: dict[str, Any]
) -> None:
    for one in claims["retrieve"]:
        ae = AE("EVERYTHING")
        ae.add_requested_context(one["uid"])
        asked = extended(one["uid"], 1, 1, 1, 1, 1)
        assoc = ae.associate("127.0.0.1", server.port, ae_title="ISOCENTER", ext_neg=[asked])
        [agreed] = assoc.acceptor.sop_class_extended.values()
        assoc.release()
        count = len(claims["options"][one["name"]])
        assert agreed == bytes([1] * count + [0] * (5 - count))


def test_dcmtk_hears_what_is_claimed(
    server: Server, claims: dict[str, Any], dcmtk: Callable[[str], str]
) -> None:
    """dcmtk prints what our A-ASSOCIATE-AC says of us."""
    done = subprocess.run(
        [dcmtk("echoscu"), "-d", "-pts", "38", "-aec", "ISOCENTER", "127.0.0.1", str(server.port)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    said = (done.stdout + done.stderr).replace("\0", "")
    said = " ".join(said.split())
    assert f"Their Implementation Class UID: {claims['implementation_class_uid']}" in said
    name = claims["implementation_version_name"]
    assert f"Their Implementation Version Name: {name}" in said
    assert f"Their Max PDU Receive Size: {claims['max_pdu_received']}" in said
    assert "Accepted Transfer Syntax: =LittleEndianExplicit" in said
    assert claims["uncompressed"][0]["name"] == "Explicit VR Little Endian"
