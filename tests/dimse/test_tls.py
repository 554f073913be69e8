"""DICOM over TLS, spoken by dcmtk: who comes in, who does not, and how either is told why."""

import datetime
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from pynetdicom import AE

from apps.accounts.models import ApplicationEntity, Site
from apps.core import clock
from apps.core.certificates import Certificate
from apps.dimse import certificates
from apps.dimse.diagnosis import findings
from apps.dimse.models import AssociationRecord, PortProbe
from apps.dimse.provider import IsocenterProvider
from apps.dimse.scp import HANDLERS
from apps.dimse.tasks import report
from apps.dimse.upper import pdu
from apps.dimse.upper.provider import Limits
from apps.dimse.upper.requestor import PeerUnreachableError, Requestor
from apps.dimse.upper.tls import OurTls, TlsFiles, TlsSetupError
from apps.exchange.models import StorageCommitment
from tests.dimse.certificates import Authority, Issued
from tests.dimse.installation import Installation, free_port
from tests.dimse.peers import move, query, sink
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice

pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True), pytest.mark.timeout(90)]
LIMITS = Limits(artim_s=5, message_s=20, idle_s=20, handshake_s=1.5)


class Hospital:
    """Its authority, our certificate, and two devices' certificates."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, "hospital-ca")
        self.stranger = Authority(folder, "other-ca")
        self.ours = self.authority.issue("isocenter", host="127.0.0.1")
        self.files = self.authority.files(self.ours)
        self.ct = self.authority.issue("ct1.hospital")
        self.us = self.authority.issue("us1.hospital")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    return Hospital(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def tls_settings(hospital: Hospital, settings: Any) -> None:
    settings.ISOCENTER_DICOM_TLS_CERTIFICATE = str(hospital.files.certificate)
    settings.ISOCENTER_DICOM_TLS_KEY = str(hospital.files.key)
    settings.ISOCENTER_DICOM_TLS_CA = str(hospital.files.authorities)


@pytest.fixture
def door(transactional_db: None, settings: Any, hospital: Hospital) -> Iterator[Server]:
    """The TLS door alone, closed to strangers."""
    settings.ISOCENTER_OPEN_AE = False
    tls = OurTls(hospital.files)
    with Server(IsocenterProvider(HANDLERS), LIMITS, most=2, tls=tls) as made:
        yield made


def node(title: str, port: int = 104, **values: Any) -> ApplicationEntity:
    site = Site.objects.get(code="MAIN")
    return ApplicationEntity.objects.create(
        ae_title=title, host="127.0.0.1", port=port, site=site, **values
    )


def dcmtk(
    program: str,
    server: Server,
    title: str,
    own: Issued | None = None,
    trusts: Authority | None = None,
    *more: str,
) -> subprocess.CompletedProcess[str]:
    options = ["-aet", title, "-aec", "ISOCENTER", *(m for m in more if not m.endswith(".dcm"))]
    if own is not None:
        options += ["+tls", str(own.key), str(own.certificate)]
    elif trusts is not None:
        options += ["+tla"]
    if trusts is not None:
        options += ["+cf", str(trusts.path)]
    return subprocess.run(
        [
            program,
            *options,
            "127.0.0.1",
            str(server.port),
            *(m for m in more if m.endswith(".dcm")),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def recorded(count: int = 1) -> list[AssociationRecord]:
    deadline = time.monotonic() + 10
    while AssociationRecord.objects.count() < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return list(AssociationRecord.objects.order_by("started_at"))


def told(row: AssociationRecord) -> tuple[str, str]:
    first = next(findings(row))
    return first.what, first.todo


def test_the_right_certificate_stores(door: Server, hospital: Hospital, tmp_path: Path) -> None:
    node("CT_1", calls_over_tls=True, certificate="CN=ct1.hospital")
    path = tmp_path / "one.dcm"
    path.write_bytes(as_file(ct_slice(pixels=512)))
    done = dcmtk("storescu", door, "CT_1", hospital.ct, hospital.authority, str(path))
    assert done.returncode == 0, done.stderr
    (row,) = recorded()
    assert (row.end, row.failed, row.messages) == ("released", False, {"C-STORE 0000H": 1})
    assert row.tls["protocol"].startswith("TLSv1.")
    assert row.tls["subject"] == "CN=ct1.hospital,O=Test Hospital"
    assert row.tls["fingerprint"] == hospital.ct.read.fingerprint


def test_a_query_over_tls_looks_for_a_cancel_between_matches(
    door: Server, hospital: Hospital, tmp_path: Path
) -> None:
    node("CT_1")
    path = tmp_path / "one.dcm"
    path.write_bytes(as_file(ct_slice()))
    done = dcmtk("storescu", door, "CT_1", hospital.ct, hospital.authority, str(path))
    assert done.returncode == 0, done.stderr
    keys = ("-S", "-v", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID")
    done = dcmtk("findscu", door, "CT_1", hospital.ct, hospital.authority, *keys)
    assert "Find Response: 1" in done.stdout + done.stderr
    assert recorded(2)[-1].messages == {"C-FIND FF00H": 1, "C-FIND 0000H": 1}


def test_a_fingerprint_names_one_certificate_alone(door: Server, hospital: Hospital) -> None:
    renewed = hospital.authority.issue("ct1.hospital", file="renewed")
    node("CT_1", certificate=hospital.ct.read.fingerprint)
    assert dcmtk("echoscu", door, "CT_1", hospital.ct, hospital.authority).returncode == 0
    done = dcmtk("echoscu", door, "CT_1", renewed, hospital.authority)
    assert "Calling AE Title Not Recognized" in done.stderr


def test_another_devices_certificate_is_refused(door: Server, hospital: Hospital) -> None:
    node("CT_1", certificate="CN=ct1.hospital")
    done = dcmtk("echoscu", door, "CT_1", hospital.us, hospital.authority)
    assert "Calling AE Title Not Recognized" in done.stderr
    (row,) = recorded()
    assert (row.end, row.rejection) == ("rejected", "1.3 certificate")
    what, todo = told(row)
    assert what == "Its certificate is not the one that CT_1 has to show"
    assert "CN=us1.hospital" in todo


def test_an_authority_we_do_not_trust(door: Server, hospital: Hospital) -> None:
    node("CT_1")
    foreign = hospital.stranger.issue("ct1.hospital", file="foreign")
    done = dcmtk("echoscu", door, "CT_1", foreign, hospital.authority)
    assert done.returncode != 0
    (row,) = recorded()
    assert (row.end, row.rejection, row.calling_ae) == ("tls-failed", "untrusted", "")
    assert told(row)[0] == "Its certificate is not signed by an authority that we trust"


@pytest.mark.parametrize(
    ("days", "usages", "fault"), [(-1, None, "expired"), (10, "server", "wrong-purpose")]
)
def test_a_certificate_that_is_not_valid(
    door: Server, hospital: Hospital, days: int, usages: str | None, fault: str
) -> None:
    only = {} if usages is None else {"usages": (ExtendedKeyUsageOID.SERVER_AUTH,)}
    bad = hospital.authority.issue("ct1.hospital", days=days, file=fault, **only)
    node("CT_1")
    assert dcmtk("echoscu", door, "CT_1", bad, hospital.authority).returncode != 0
    (row,) = recorded()
    assert (row.end, row.rejection) == ("tls-failed", fault)


def test_no_certificate(door: Server, hospital: Hospital) -> None:
    node("CT_1")
    assert dcmtk("echoscu", door, "CT_1", None, hospital.authority).returncode != 0
    (row,) = recorded()
    assert (row.end, row.rejection) == ("tls-failed", "no-certificate")
    assert told(row)[0] == "It showed no certificate"


def test_a_peer_that_does_not_trust_us(door: Server, hospital: Hospital) -> None:
    node("CT_1")
    assert dcmtk("echoscu", door, "CT_1", hospital.ct, hospital.stranger).returncode != 0
    (row,) = recorded()
    assert (row.end, row.rejection) == ("tls-failed", "ours-refused")


def test_without_tls_at_the_tls_port(door: Server) -> None:
    node("CT_1")
    assert dcmtk("echoscu", door, "CT_1").returncode != 0
    (row,) = recorded()
    assert (row.end, row.rejection) == ("tls-failed", "not-tls")
    assert told(row)[0] == "It spoke without TLS where we speak TLS"


def test_an_ae_that_must_use_tls_is_refused_at_the_plain_port(
    server: Server, hospital: Hospital
) -> None:
    node("CT_1", calls_over_tls=True)
    node("CT_2")
    done = dcmtk("echoscu", server, "CT_1")
    assert "Calling AE Title Not Recognized" in done.stderr
    (row,) = recorded()
    assert (row.end, row.rejection) == ("rejected", "1.3 tls")
    what, todo = told(row)
    assert what == "It called without TLS, and is registered to call over TLS only"
    assert "port 2762" in todo
    assert dcmtk("echoscu", server, "CT_2").returncode == 0
    assert dcmtk("echoscu", server, "CT_2", hospital.ct, hospital.authority).returncode != 0
    last = recorded(3)[-1]
    assert told(last)[0] == "It spoke TLS at the port without TLS"


def test_silent_connections_hold_no_place_and_soon_go(door: Server, hospital: Hospital) -> None:
    """The door takes two associations; a dozen that shake no hands stand in nobody's way."""
    node("CT_1")
    began = time.monotonic()
    silent = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(10)]
    half = [socket.create_connection(("127.0.0.1", door.port)) for _ in range(2)]
    for sock in half:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
    done = dcmtk("echoscu", door, "CT_1", hospital.ct, hospital.authority)
    assert done.returncode == 0, done.stderr
    for sock in silent + half:
        sock.settimeout(10)
        assert sock.recv(1) == b""
        sock.close()
    assert time.monotonic() - began < 8
    rows = recorded(13)
    assert sum(row.end == "timed-out" for row in rows) == 12
    assert "connected to the TLS port" in told(next(r for r in rows if r.end == "timed-out"))[0]


def test_a_port_probe_is_counted_not_kept(door: Server, hospital: Hospital) -> None:
    for _ in range(3):
        socket.create_connection(("127.0.0.1", door.port)).close()
    node("CT_1")
    assert dcmtk("echoscu", door, "CT_1", hospital.ct, hospital.authority).returncode == 0
    (row,) = recorded()
    assert row.end == "released"
    deadline = time.monotonic() + 5
    while sum(PortProbe.objects.values_list("count", flat=True)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_full_house_says_so_over_tls_too(door: Server, hospital: Hospital) -> None:
    node("CT_1")
    ours = certificates.PeerTls(lambda: door.tls, "")
    context = pdu.ProposedContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",))

    def call() -> Requestor:
        return Requestor.open(
            host="127.0.0.1",
            port=door.port,
            called_ae="ISOCENTER",
            calling_ae="CT_1",
            contexts=[context],
            tls=ours,
        )

    first, second = call(), call()
    assert second.echo(second.contexts[1]) == 0
    with pytest.raises(PeerUnreachableError, match="local limit") as caught:
        call()
    assert (caught.value.cause, caught.value.code) == ("rejected", "3.2")
    first.release()
    second.release()


def test_renewed_files_are_taken_and_what_stands_stays(
    tmp_path: Path, transactional_db: None, settings: Any
) -> None:
    settings.ISOCENTER_OPEN_AE = True
    old = Hospital(tmp_path)
    ours = OurTls(old.files)
    with Server(IsocenterProvider(HANDLERS), LIMITS, tls=ours) as door:
        context = ssl.create_default_context(cafile=str(old.authority.path))
        context.load_cert_chain(old.ct.certificate, old.ct.key)
        ae = AE("CT_1")
        ae.add_requested_context("1.2.840.10008.1.1")
        standing = ae.associate(
            "127.0.0.1", door.port, ae_title="ISOCENTER", tls_args=(context, "127.0.0.1")
        )
        assert standing.is_established
        seen = old.ours.read.fingerprint
        assert _shown(door) == seen
        half = old.authority.issue("isocenter", file="next", host="127.0.0.1")
        half.certificate.replace(old.files.certificate)  # the key is still to come
        assert _shown(door) == seen
        half.key.replace(old.files.key)
        assert _shown(door) == Issued(old.files.certificate, old.files.key).read.fingerprint != seen
        assert standing.send_c_echo().Status == 0
        standing.release()


def test_one_listener_answers_at_both_ports(installed: Installation, hospital: Hospital) -> None:
    port = free_port()
    names = ("CERTIFICATE", "KEY", "CA")
    paths = {
        f"ISOCENTER_DICOM_TLS_{name}": str(path)
        for name, path in zip(names, hospital.files, strict=True)
    }
    installed.start("--tls-port", str(port), **paths)
    secret = (*("+tls", str(hospital.ct.key), str(hospital.ct.certificate)),)
    for options in (
        (str(installed.port),),
        (*secret, "+cf", str(hospital.authority.path), str(port)),
    ):
        command = ["echoscu", "-aec", "ISOCENTER", *options[:-1], "127.0.0.1", options[-1]]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
    assert installed.stop() == 0
    with pytest.raises(AssertionError, match="not set: ISOCENTER_DICOM_TLS_CA"):
        installed.start(**paths | {"ISOCENTER_DICOM_TLS_CA": ""})
    assert installed.stop() == 1


def _shown(door: Server) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", door.port), timeout=5) as sock,
        context.wrap_socket(sock) as tls,
    ):
        der = tls.getpeercert(binary_form=True)
    assert der
    return Certificate.of(der).fingerprint


# -- we call ---------------------------------------------------------------------------------


def tls_sink(folder: Path, own: Issued, trusts: Authority) -> Any:
    options = ("+tls", str(own.key), str(own.certificate), "+cf", str(trusts.path))
    return sink(folder, *options)


def commitment() -> StorageCommitment:
    return StorageCommitment(transaction_uid="1.2.3", references=[["1.2", "1.2.3.4"]], failures=[])


def test_c_move_to_a_tls_storescp(
    server: Server, hospital: Hospital, tls_settings: None, tmp_path: Path
) -> None:
    data = ct_slice()
    path = tmp_path / "one.dcm"
    path.write_bytes(as_file(data))
    assert dcmtk("storescu", server, "CT_1", None, None, str(path)).returncode == 0
    wanted = query(StudyInstanceUID=data.StudyInstanceUID)
    with tls_sink(tmp_path / "got", hospital.us, hospital.authority) as port:
        entry = node("WS", port, called_over_tls=True, certificate="CN=us1.hospital")
        assert move(server, wanted, "WS")[-1][0].Status == 0
        assert len(list((tmp_path / "got").iterdir())) == 1
        entry.certificate = "CN=ct1.hospital"  # somebody else answers there
        entry.save()
        assert move(server, wanted, "WS")[-1][0].Status == 0xA702
        entry.called_over_tls = False
        entry.save()
        assert move(server, wanted, "WS")[-1][0].Status == 0xA702
    assert len(list((tmp_path / "got").iterdir())) == 1


@pytest.mark.parametrize("case", ["untrusted", "other-name", "ours-refused"])
@pytest.mark.usefixtures("tls_settings")
def test_a_peer_that_is_not_who_it_should_be_gets_nothing(
    hospital: Hospital, tmp_path: Path, case: str
) -> None:
    signer = hospital.stranger if case == "untrusted" else hospital.authority
    trusts = hospital.stranger if case == "ours-refused" else hospital.authority
    own = signer.issue("ws1", host="10.0.0.9" if case == "other-name" else "127.0.0.1", file=case)
    with tls_sink(tmp_path / "got", own, trusts) as port:
        entry = node("WS", port, called_over_tls=True)
        with pytest.raises(PeerUnreachableError) as caught:
            report(commitment(), entry)
    assert (caught.value.cause, caught.value.code) == ("tls", case), str(caught.value)


def test_called_over_tls_without_a_certificate_of_our_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        entry = node("WS", there.getsockname()[1], called_over_tls=True)
        with pytest.raises(PeerUnreachableError) as caught:
            report(commitment(), entry)
    assert (caught.value.cause, caught.value.code) == ("tls", "not-set-up")


# -- files -----------------------------------------------------------------------------------


def test_files_that_cannot_be_used_are_named(hospital: Hospital, tmp_path: Path) -> None:
    good = hospital.files
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    locked = tmp_path / "locked.key"
    subprocess.run(
        [
            *("openssl", "pkcs8", "-topk8", "-in", str(good.key), "-out", str(locked)),
            *("-v2", "aes256", "-passout", "pass:word"),
        ],
        check=True,
        capture_output=True,
    )
    for files, words in (
        (TlsFiles(tmp_path / "none.pem", good.key, good.authorities), "none.pem cannot be read"),
        (TlsFiles(empty, good.key, good.authorities), "empty.pem holds no certificate"),
        (TlsFiles(good.certificate, hospital.ct.key, good.authorities), "is not that of the cert"),
        (TlsFiles(good.certificate, locked, good.authorities), "has a passphrase"),
        (TlsFiles(good.certificate, good.key, empty), "holds no authority's certificate"),
    ):
        with pytest.raises(TlsSetupError, match=words):
            OurTls(files)


def test_an_end_is_announced(hospital: Hospital, tls_settings: None, settings: Any) -> None:
    found = certificates.standing(clock.now())
    assert found is not None
    assert (found.problem, found.warnings) == ("", ())
    assert found.ours == hospital.ours.read
    soon = hospital.ours.read.ends - datetime.timedelta(days=12, hours=1)
    later = certificates.standing(soon)
    assert later is not None
    assert "in 12 days" in later.warnings[0]
    over = certificates.standing(hospital.ours.read.ends + datetime.timedelta(days=1))
    assert over is not None
    assert "has ended" in over.warnings[0]
    settings.ISOCENTER_DICOM_TLS_KEY = ""
    half = certificates.standing(clock.now())
    assert half is not None
    assert "not set: ISOCENTER_DICOM_TLS_KEY" in half.problem
