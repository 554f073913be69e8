"""Questions put to foreign nodes, and how each way to fail is told."""

import datetime
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from apps.accounts.models import ApplicationEntity, Site, User
from apps.accounts.selectors import actor_for_user
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.actors import system_actor
from apps.core.errors import NotPermittedError
from apps.dimse import questions, tasks
from apps.dimse.domain import Finding, Question
from apps.dimse.models import NodeTest
from apps.dimse.node_words import explained, success
from apps.dimse.services import node_test_ask
from apps.dimse.upper.tls import OurTls
from pacs_site.up.supervision import ticks
from tests.dimse.certificates import Authority
from tests.dimse.installation import free_port
from tests.dimse.peers import running, sink
from tests.factories.dicom import as_file, ct_slice

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]
ECHO, FIND, WORKLIST = Question


def node(port: int, title: str = "PEER", host: str = "127.0.0.1", **values: Any):
    site = Site.objects.get(code="MAIN")
    return ApplicationEntity.objects.create(
        ae_title=title, host=host, port=port, site=site, **values
    )


def tried(entity: ApplicationEntity, question: Question) -> NodeTest:
    """As a worker does it, without one."""
    test = node_test_ask(
        actor=system_actor("test"), entity_id=entity.pk, question=question, at=clock.now()
    )
    tasks.node_test_run(test_id=test.pk)
    test.refresh_from_db()
    assert test.ended_at is not None
    return test


def told(entity: ApplicationEntity, question: Question) -> Finding:
    found = explained(tried(entity, question))
    assert found is not None
    assert "{" not in found.what + found.todo
    return found


@contextmanager
def archive(folder: Path, dcmtk: Any) -> Iterator[int]:
    """dcmtk's archive QRSCP with one study of today."""
    store = folder / "store"
    store.mkdir()
    data = ct_slice()
    data.StudyDate = f"{clock.now():%Y%m%d}"
    file = store / "one.dcm"
    file.write_bytes(as_file(data))
    port = free_port()
    config = folder / "dcmqrscp.cfg"
    config.write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        "HostTable BEGIN\nother = (OTHER, nowhere.example, 104)\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nQRSCP {store} RW (10, 1024mb) ANY\nAETable END\n"
    )
    subprocess.run([dcmtk("dcmqridx"), str(store), str(file)], check=True, capture_output=True)
    with running(port, dcmtk("dcmqrscp"), "-c", str(config)):
        yield port


def test_an_archive_answers_echo_and_query(tmp_path: Path, dcmtk: Any) -> None:
    with archive(tmp_path, dcmtk) as port:
        entity = node(port, "QRSCP")
        echoed = tried(entity, ECHO)
        assert (echoed.cause, echoed.facts["program"]) == ("", "OFFIS_DCMTK_367")
        assert explained(echoed) is None
        found = tried(entity, FIND)
        assert (found.cause, found.facts["matches"], found.facts["more"]) == ("", 1, False)
        assert success(found).endswith("1 study of the last 7 days")
        assert told(node(port, "QRSPC"), ECHO).what == (
            "It is not called QRSPC: called AE title not recognised"
        )
        refused = told(entity, WORKLIST)
        assert refused.what.startswith("It takes our call, but does not offer Modality Worklist")


def test_a_worklist_of_dcmtk_is_counted(tmp_path: Path, dcmtk: Any) -> None:
    folder = tmp_path / "WL"
    folder.mkdir()
    (folder / "lockfile").touch()
    today = f"{clock.now():%Y%m%d}"
    for number in range(3):
        text = (
            f"(0008,0050) SH [A{number}]\n(0010,0010) PN [TEST^W]\n(0010,0020) LO [P{number}]\n"
            f"(0020,000d) UI [1.2.3.{number}]\n(0040,1001) SH [RP{number}]\n(0032,1060) LO [CT]\n"
            "(0040,0100) SQ\n(fffe,e000) -\n(0008,0060) CS [CT]\n(0040,0001) AE [CT_1]\n"
            f"(0040,0002) DA [{today if number else '20200101'}]\n(0040,0003) TM [100000]\n"
            f"(0040,0009) SH [S{number}]\n(0040,0007) LO [CT]\n(fffe,e00d) -\n(fffe,e0dd) -\n"
        )
        dump = tmp_path / f"{number}.dump"
        dump.write_text(text)
        made = [dcmtk("dump2dcm"), str(dump), str(folder / f"{number}.wl")]
        subprocess.run(made, check=True, capture_output=True)
    port = free_port()
    with running(port, dcmtk("wlmscpfs"), "-dfp", str(tmp_path), str(port)):
        entity = node(port, "WL")
        test = tried(entity, WORKLIST)
        assert (test.cause, test.facts["matches"]) == ("", 2)
        assert success(test).endswith("2 steps today")
        assert told(entity, FIND).what == "It rejected us and gave no reason"


def test_nobody_listens_and_nobody_is_called_so() -> None:
    port = free_port()
    assert told(node(port), ECHO).what == f"Connection refused: nothing listens at 127.0.0.1:{port}"
    assert told(node(104, "FAR", "no-such-host.invalid"), ECHO).what == (
        "The name no-such-host.invalid leads nowhere"
    )


def test_silence_of_both_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "CONNECT_S", 0.5)
    monkeypatch.setattr(questions, "ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        found = told(node(mute.getsockname()[1]), ECHO)
        assert found.what.startswith("It took the connection, but did not answer")
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)  # once the queue is full, the kernel lets greetings fall
        found = told(node(address[1], "FULL"), ECHO)
        assert found.what.startswith(f"No connection to 127.0.0.1:{address[1]} within")
        for one in waiting:
            one.close()


def test_what_is_no_dicom_is_called_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as greeter:

        def greet() -> None:
            sock, _ = greeter.accept()
            sock.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
            sock.recv(1000)
            sock.close()

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        port = greeter.getsockname()[1]
        assert told(node(port), ECHO).what == f"What answers at 127.0.0.1:{port} is not DICOM"
        thread.join(5)


@pytest.fixture
def scp() -> Iterator[Any]:
    """pynetdicom as an archive: its answers are the test's."""
    started: list[Any] = []

    def start(handler: Any, lets_in: Sequence[str] = ()) -> int:
        ae = AE("PEER")
        ae.require_calling_aet = list(lets_in)
        ae.add_supported_context(questions.STUDY_ROOT_FIND)
        server = ae.start_server(
            ("127.0.0.1", 0),
            block=False,
            evt_handlers=[(evt.EVT_C_FIND, handler)] if handler else [],
        )
        started.append(server)
        return server.server_address[1]

    yield start
    for server in started:
        server.shutdown()


def test_who_is_not_let_in_is_told_to_be_registered_there(scp: Any) -> None:
    found = told(node(scp(None, lets_in=["OTHER"])), FIND)
    assert found.what == "It does not know us: calling AE title ISOCENTER not recognised"
    assert found.todo.startswith("Register ISOCENTER at the device")


def test_a_failed_query_is_told_with_the_peers_own_words(scp: Any) -> None:
    def refuse(event: Any) -> Iterator[tuple[Any, None]]:
        status = Dataset()
        status.Status, status.ErrorComment = 0xA700, "index is being rebuilt"
        yield status, None

    test = tried(node(scp(refuse)), FIND)
    found = explained(test)
    assert found is not None
    assert found.what == "It has no resources left for this (status A700H)"
    assert found.todo.endswith("It says: index is being rebuilt.")


def test_a_flood_of_matches_is_cut_off_and_not_kept(scp: Any) -> None:
    heard = []

    def flood(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for number in range(questions.MOST_MATCHES + 50):
            match = Dataset()
            match.QueryRetrieveLevel, match.StudyInstanceUID = "STUDY", f"1.2.{number}"
            match.PatientName = "Secret^Person"
            yield 0xFF00, match
        for _ in ticks(20):  # pynetdicom reads nothing while it has something to send
            if event.is_cancelled:
                heard.append(event)
                yield 0xFE00, None
                return

    test = tried(node(scp(flood)), FIND)
    assert (test.cause, test.facts["matches"], test.facts["more"]) == ("", 200, True)
    assert "at least 200 studies" in success(test)
    assert heard
    assert "Secret" not in str(test.facts)


def test_a_certificate_that_is_not_trusted_is_shown(tmp_path: Path, settings: Any) -> None:
    ours, theirs = Authority(tmp_path, "our-ca"), Authority(tmp_path, "their-ca")
    files = ours.files(ours.issue("isocenter"))
    OurTls(files)
    settings.ISOCENTER_DICOM_TLS_CERTIFICATE = str(files.certificate)
    settings.ISOCENTER_DICOM_TLS_KEY = str(files.key)
    settings.ISOCENTER_DICOM_TLS_CA = str(files.authorities)
    own = theirs.issue("ws1", host="127.0.0.1")
    options = ("+tls", str(own.key), str(own.certificate), "+cf", str(ours.path))
    with sink(tmp_path / "got", *options) as port:
        test = tried(node(port, called_over_tls=True), ECHO)
        found = explained(test)
        assert found is not None
        assert found.what == "Its certificate is not signed by an authority that we trust"
        assert test.facts["certificate"]["subject"] == "CN=ws1,O=Test Hospital"
        assert test.facts["certificate"]["issuer"] == "CN=their-ca"
    with sink(tmp_path / "got") as port:
        found = told(node(port, "PLAIN", called_over_tls=True), ECHO)
        assert "TLS" in found.what


def test_one_question_is_asked_once_and_audited() -> None:
    entity = node(free_port())
    test = tried(entity, ECHO)
    ended = test.ended_at
    tasks.node_test_run(test_id=test.pk)  # given to a second worker
    test.refresh_from_db()
    assert test.ended_at == ended
    event = AuditEvent.objects.get(event="dimse.node.tested")
    assert event.object_key == "ae:PEER"
    assert event.details["question"] == "echo"


def test_only_an_administrator_may_ask() -> None:
    entity = node(free_port())
    person = User.objects.create(
        username="tech", password=make_password(None), roles=["technologist"]
    )
    with pytest.raises(NotPermittedError):
        node_test_ask(
            actor=actor_for_user(person), entity_id=entity.pk, question=ECHO, at=clock.now()
        )
    assert not NodeTest.objects.exists()


def test_a_broker_that_is_down_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from kombu.exceptions import OperationalError

    def down(**_: Any) -> None:
        raise OperationalError("no such socket")

    entity = node(free_port())
    test = node_test_ask(
        actor=system_actor("test"), entity_id=entity.pk, question=ECHO, at=clock.now()
    )
    monkeypatch.setattr(tasks.node_test_run, "apply_async", down)
    tasks.wake_tester(test.pk)
    test.refresh_from_db()
    found = explained(test)
    assert found is not None
    assert found.what == "Nobody could be told to ask"


def test_old_questions_are_forgotten(settings: Any) -> None:
    test = tried(node(free_port()), ECHO)
    test.asked_at -= datetime.timedelta(days=settings.ISOCENTER_ASSOCIATION_DAYS + 1)
    test.save()
    tasks.associations_forget()
    assert not NodeTest.objects.exists()
