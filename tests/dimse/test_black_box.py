"""The black box: what foreign peers did, as it is written down, searched and explained."""

import datetime
import re
import socket
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from apps.accounts.models import ApplicationEntity, Site
from apps.core import clock
from apps.core.actors import system_actor
from apps.dimse import tasks
from apps.dimse.diagnosis import findings, is_failure, summary
from apps.dimse.domain import End
from apps.dimse.models import AssociationRecord, PortProbe
from apps.dimse.recorder import Recorder
from apps.dimse.selectors import Search, associations_found, probes_since
from apps.dimse.upper.provider import Record
from tests.dimse.installation import Installation
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]
CONTEXT = "1.2.840.10008.1.1"


def recorded(count: int = 1) -> list[AssociationRecord]:
    """The records, once there are so many; the first first."""
    deadline = time.monotonic() + 10
    while AssociationRecord.objects.count() < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return list(AssociationRecord.objects.order_by("started_at"))


def run(program: str, server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    called = [] if "-aec" in arguments else ["-aec", "ISOCENTER"]
    files = [a for a in arguments if a.endswith(".dcm")]
    options = [a for a in arguments if a not in files]
    return subprocess.run(
        [program, *called, *options, "127.0.0.1", str(server.port), *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_what_storescu_did(server: Server, dcmtk: Callable[[str], str], tmp_path: Path) -> None:
    files = []
    for number in range(3):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(as_file(ct_slice(number=number + 1)))
        files.append(str(path))
    before = clock.now()
    done = run(dcmtk("storescu"), server, "-aet", "CT_1", *files)
    assert done.returncode == 0, done.stderr
    (row,) = recorded()
    assert (row.calling_ae, row.called_ae, row.address) == ("CT_1", "ISOCENTER", "127.0.0.1")
    assert row.actor == "ae:CT_1"
    assert row.implementation.startswith("OFFIS_DCMTK")
    assert (row.end, row.failed) == ("released", False)
    assert row.messages == {"C-STORE 0000H": 3}
    assert row.bytes_in > sum(len(Path(file).read_bytes()) for file in files) - 3 * 1000
    assert row.bytes_out > 0
    assert before - datetime.timedelta(seconds=1) < row.started_at < clock.now()
    assert 0 < row.seconds < 20
    accepted = [c for c in row.contexts if c[3] == 0]
    assert "1.2.840.10008.5.1.4.1.1.2" in {c[1] for c in accepted}
    assert all(c[4] in c[2] for c in accepted)
    assert summary(row) == "3 answers, all well"
    row.messages = {"C-STORE 0000H": 2, "C-STORE B007H": 1}  # one is kept in quarantine
    assert (summary(row), is_failure(row)) == ("3 answers, 1 with a warning", False)
    assert "P1" not in str(row.messages) + str(row.contexts)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-aet", "CT_9"], ("calling AE title is not registered", "Register CT_9")),
        (["-aet", "CT_1", "-aec", "OTHER"], ("called us “OTHER”", "called (remote) AE title")),
    ],
)
def test_a_refused_association_is_explained(
    server: Server, dcmtk: Callable[[str], str], settings: Any, arguments, words
) -> None:
    settings.ISOCENTER_OPEN_AE = False
    ApplicationEntity.objects.create(
        ae_title="CT_1", host="127.0.0.1", port=104, site=Site.objects.get(code="MAIN")
    )
    assert run(dcmtk("echoscu"), server, *arguments).returncode != 0
    (row,) = recorded()
    assert (row.end, row.failed) == ("rejected", True)
    first = next(findings(row))
    assert words[0] in first.what
    assert words[1] in first.todo


def test_contexts_that_were_not_accepted_are_explained(server: Server) -> None:
    ae = AE("PYNET")
    ae.add_requested_context("1.2.840.10008.5.1.1.9")  # print: not offered
    ae.add_requested_context(Verification, "1.2.840.10008.1.2.4.50")
    association = ae.associate("127.0.0.1", server.port, ae_title="ISOCENTER")
    if association.is_established:
        association.release()
    row = recorded()[0]
    words = [finding.what for finding in findings(row)]
    assert any(
        word.startswith("We do not offer Basic Grayscale Print Management") for word in words
    )
    assert "No transfer syntax in common for Verification SOP Class" in words
    assert "Nothing it proposed was accepted, so it could do nothing" in words


def test_a_refused_request_is_explained(
    server: Server, dcmtk: Callable[[str], str], settings: Any
) -> None:
    ApplicationEntity.objects.create(
        ae_title="CT_1",
        host="127.0.0.1",
        port=104,
        site=Site.objects.get(code="MAIN"),
        verbs=["store"],
    )
    run(dcmtk("echoscu"), server, "-aet", "CT_1")
    (row,) = recorded()
    (finding,) = findings(row)
    assert finding.what == "C-ECHO was refused: it may not ask for this (1 times)"
    assert "Tick the service" in finding.todo


def test_ends_of_every_other_kind(server: Server) -> None:
    def established() -> Any:
        ae = AE("PYNET")
        ae.add_requested_context(Verification)
        association = ae.associate("127.0.0.1", server.port, ae_title="ISOCENTER")
        assert association.is_established
        return association

    established().abort()
    assert recorded()[-1].end == "aborted-by-peer"
    lost = established()
    lost.dul.socket.socket.close()
    lost.kill()
    assert recorded(2)[-1].end == "lost"
    with socket.create_connection(("127.0.0.1", server.port)) as web:
        web.sendall(b"GET / HTTP/1.0\r\n\r\n")
        web.recv(100)
    row = recorded(3)[-1]
    assert (row.end, row.calling_ae) == ("aborted-by-us", "")
    assert "no DICOM" in next(findings(row)).what
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"\x01\x00")
        slow.settimeout(20)
        slow.recv(100)
    row = recorded(4)[-1]
    assert row.end == "timed-out"
    assert "did not ask for an association in time" in next(findings(row)).what
    assert all(r.failed for r in recorded(4))


def test_too_many_at_once_is_explained(server: Server) -> None:
    row = AssociationRecord(end=End.REJECTED, rejection="3.2", calling_ae="CT_1")
    assert "Too many associations" in next(findings(row)).what


def test_port_probes_are_counted_not_kept(server: Server) -> None:
    for _ in range(25):
        socket.create_connection(("127.0.0.1", server.port)).close()
    deadline = time.monotonic() + 10
    while sum(PortProbe.objects.values_list("count", flat=True)) < 25:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert PortProbe.objects.count() <= 2  # two minutes at the most
    assert not AssociationRecord.objects.exists()
    since = clock.now() - datetime.timedelta(minutes=5)
    assert probes_since(system_actor("test"), since) == [("127.0.0.1", 25)]


def a_record(**values: Any) -> Record:
    record = Record(str(uuid.uuid4()), "10.0.0.1")
    record.end, record.outcome = End.RELEASED, "released"
    for name, value in values.items():
        setattr(record, name, value)
    return record


def test_many_records_share_a_commit_and_none_waits_for_it(db: None) -> None:
    recorder = Recorder()
    began = time.monotonic()
    for number in range(400):
        recorder.put(
            a_record(calling_ae=f"CT_{number % 7}", messages=Counter({"C-STORE 0000H": 1}))
        )
    put = time.monotonic() - began
    recorder.close()
    assert AssociationRecord.objects.count() == 400
    assert put < 0.4  # a millisecond each, with nothing of the database in it
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM dimse_associationrecord")
        assert cursor.fetchone()[0] <= 3


def test_what_a_peer_sends_cannot_spoil_the_record(db: None) -> None:
    recorder = Recorder()
    recorder.put(a_record(calling_ae="A\0B", implementation="x" * 200, outcome="o" * 900))
    recorder.close()
    row = AssociationRecord.objects.get()
    assert (row.calling_ae, len(row.implementation), len(row.words)) == ("AB", 64, 300)


def test_search_and_forgetting(db: None, settings: Any) -> None:
    recorder = Recorder()
    recorder.put(a_record(calling_ae="CT_1", messages=Counter({"C-STORE 0000H": 1})))
    recorder.put(a_record(calling_ae="WS_2", messages=Counter({"C-FIND A900H": 1})))
    recorder.close()
    actor = system_actor("test")

    def titles(**wanted: Any) -> set[str]:
        return {row.calling_ae for row in associations_found(actor, Search(**wanted))}

    assert titles() == {"CT_1", "WS_2"}
    assert titles(text="ws") == {"WS_2"}
    assert titles(text="10.0.0") == {"CT_1", "WS_2"}
    assert titles(failed=True) == {"WS_2"}
    assert titles(message="C-STORE") == {"CT_1"}
    assert titles(end="lost") == set()
    assert titles(first=clock.now()) == set()
    long_ago = clock.now() - datetime.timedelta(days=31)
    AssociationRecord.objects.filter(calling_ae="CT_1").update(started_at=long_ago)
    PortProbe.objects.create(address="10.0.0.1", minute=long_ago, count=3)
    tasks.associations_forget()
    assert titles() == {"WS_2"}
    assert not PortProbe.objects.exists()


def test_a_listener_that_is_stopped_writes_its_last_records_first(
    installed: Installation, dcmtk: Callable[[str], str]
) -> None:
    installed.start()
    title = f"LAST_{uuid.uuid4().hex[:6]}"
    subprocess.run(
        [dcmtk("echoscu"), "-aet", title, "-aec", "ISOCENTER", "127.0.0.1", str(installed.port)],
        check=True,
        timeout=20,
    )
    assert installed.stop() == 0
    rows = installed.rows(
        'SELECT messages, "end" FROM dimse_associationrecord WHERE calling_ae = %s', title
    )
    assert rows == [({"C-ECHO 0000H": 1}, "released")]


def test_the_page(client: Any, admin_user_of_isocenter: Any, db: None) -> None:
    recorder = Recorder()
    recorder.put(
        a_record(
            calling_ae="CT_1",
            contexts=[(1, CONTEXT, ("1.2.840.10008.1.2",), 0, "1.2.840.10008.1.2")],
            messages=Counter({"C-ECHO 0124H": 2}),
        )
    )
    recorder.close()
    client.force_login(admin_user_of_isocenter)
    page = client.get("/administration/associations/?who=ct&failures=on").content.decode()
    assert "C-ECHO was refused" in page
    address = re.search(r"/administration/associations/\d+/", page)
    assert address
    panel = client.get(address[0], headers={"HX-Request": "true"}).content.decode()
    whole = client.get(address[0]).content.decode()
    assert panel in whole
    assert "<html" in whole
    assert "<html" not in panel
    assert "Verification SOP Class" in panel
    assert "Tick the service for this node" in panel
    assert "Implicit VR Little Endian" in panel
    assert (
        "No association that fits"
        in client.get("/administration/associations/?who=nobody").content.decode()
    )
    assert client.get("/administration/associations/?first=2026-99-99").status_code == 200


@pytest.fixture
def admin_user_of_isocenter(transactional_db: None) -> Any:
    from apps.accounts.models import User

    return User.objects.create_user("root-admin", password="x", roles=["admin"])
