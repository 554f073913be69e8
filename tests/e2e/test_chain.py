"""One real exam all the way, driven by programs nobody here wrote.

Order over MLLP, booking on the calendar, `findscu -W`, real CT images named from the worklist's
answer by `dcmodify` and sent by `storescu`, reading list, viewer, signed report, ORU^R01 at a sink,
the referrer's page; and what another referrer gets; and what the audit trail holds of it.
"""

import json
import re
import shutil
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hl7
import pytest
from hl7apy.parser import parse_message
from hl7apy.validation import Validator
from playwright.sync_api import Page, expect
from pydicom import dcmread

from tests.e2e.prepare import PASSWORD
from tests.factories.dicom import as_file, ct_slice
from tests.product import Product, free_ports
from tests.viewer.conftest import Viewer
from tests.viewer.test_pixels import WINDOWS, assert_same, by_dcmtk

pytestmark = [pytest.mark.e2e, pytest.mark.peer, pytest.mark.timeout(600)]

ORDER = (
    "MSH|^~\\&|HIS|NORTH|ISOCENTER|MAIN|20261124080000||ORM^O01^ORM_O01|CHAIN{n}|P|2.5.1|||||GBR",
    "PID|1||C471{n}^^^NORTH^MR||{family}^JUNE||19671104|F",
    "PV1|1|O|ED",
    "ORC|NW|P471{n}^HIS||||||||||D100^HART^NINA",
    "OBR|1|P471{n}^HIS||CTHEAD^CT head^L||||||||From a ladder|||D100^HART^NINA||||||||||1^^^^^S",
)
CASES = {"real": (1, "MARLOWE"), "generated": (2, "OKONKWO")}
MATCHED_WITHIN_S = 1.0


class Sink(socketserver.ThreadingTCPServer):
    """An EHR's MLLP listener: keeps what comes and says AA."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Receive)
        self.got: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Receive(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        data = b""
        while chunk := self.request.recv(65536):
            data += chunk
            while b"\x1c\r" in data:
                frame, _, data = data.partition(b"\x1c\r")
                text = frame.lstrip(b"\x0b").decode()
                self.server.got.append(text)
                control = text.split("\r")[0].split("|")[9]
                ack = f"MSH|^~\\&|EHR|NORTH|ISOCENTER|MAIN|20261124||ACK|A{control}|P|2.5.1\r"
                self.request.sendall(f"\x0b{ack}MSA|AA|{control}\r\x1c\r".encode())


@pytest.fixture
def hospital(running_product: Product) -> Iterator[tuple[Product, Sink]]:
    """The running product with people, a room, a scanner, and an EHR that listens."""
    [port] = free_ports(1)
    running_product.manage("shell", "-v0", "-c", "from tests.e2e.prepare import prepare; prepare()")
    peer = ["register_hl7_peer", "HIS", "--app", "HIS", "--facility", "NORTH"]
    running_product.manage(*peer, "--send", f"127.0.0.1:{port}", "--events", "oru")
    running_product.manage("register_ae", "CT_NORTH", "127.0.0.1", "104")
    with Sink(port) as sink:
        yield running_product, sink
        sink.shutdown()


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    """Which images go the way: real ones of the shared files, or some made here."""
    return str(request.param)


@pytest.fixture
def images(request: pytest.FixtureRequest, case: str, tmp_path: Path) -> list[Path]:
    """A CT series to be retagged."""
    if case == "generated":
        study, series = "2.25.1", "2.25.2"
        for number in range(1, 6):
            ds = ct_slice(study=study, series=series, number=number, size=256)
            (tmp_path / f"{number}.dcm").write_bytes(as_file(ds))
    else:
        shared = request.getfixturevalue("shared_data")
        folder = shared / "dicom" / "prior-study-pair" / "20200705_161127_CT_SR"
        for file in sorted((folder / "Kopf_nativ_5.0_H42s").glob("*.dcm")):
            shutil.copyfile(file, tmp_path / file.name)
    return sorted(tmp_path.glob("*.dcm"))


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> object:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)  # polls another process; nothing of it can be waited on
    pytest.fail(f"waited in vain for {what}")


def sign_in(page: Page, product: Product, name: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{product.url}/accounts/login/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/accounts/login" not in url)


def send_order(product: Product, folder: Path, number: int, family: str) -> None:
    file = folder / "order.hl7"
    file.write_text("\n".join(ORDER).format(n=number, family=family))
    program = str(Path(sys.executable).parent / "mllp_send")
    answer = run(
        program, "--port", str(product.mllp_port), "--file", str(file), "--loose", "127.0.0.1"
    )
    assert f"MSA|AA|CHAIN{number}" in answer


def book(page: Page, product: Product, family: str) -> None:
    sign_in(page, product, "sofia")
    page.goto(f"{product.url}/schedule/")
    page.get_by_role("link", name=re.compile(family)).click()
    expect(page.get_by_role("radio").first).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator(".toast", has_text=f"{family}, June: booked").last).to_be_visible()


def worklist(product: Product, findscu: str, folder: Path, family: str) -> Path:
    """Ask as the scanner does; exactly the one step answers, and another scanner's AE none."""
    day = product.sql("SELECT start_date FROM scheduling_scheduledstep ORDER BY id DESC")[0][0]
    for title, expected in (("CT_SOUTH", 0), ("CT_NORTH", 1)):
        answers = folder / title
        answers.mkdir()
        step = "ScheduledProcedureStepSequence[0]"
        keys = [
            f"{step}.ScheduledStationAETitle={title}",
            f"{step}.ScheduledProcedureStepStartDate={day:%Y%m%d}-{day:%Y%m%d}",
            f"{step}.Modality=CT",
            f"{step}.ScheduledProcedureStepID",
            f"PatientName={family}*",
            *("PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex"),
            *("AccessionNumber", "StudyInstanceUID", "RequestedProcedureID"),
        ]
        options = [word for key in keys for word in ("-k", key)]
        peer = ["-aet", "CT_NORTH", "-aec", product.ae_title, "127.0.0.1", str(product.dicom_port)]
        run(findscu, "-W", "-X", "-od", str(answers), *options, *peer)
        assert len(list(answers.glob("rsp*.dcm"))) == expected, title
    return next((folder / "CT_NORTH").glob("rsp*.dcm"))


def retag(dcmodify: str, images: list[Path], answer: Path) -> str:
    """Name the images from the worklist's answer, as a scanner does."""
    ds = dcmread(answer, force=True)
    step = ds.ScheduledProcedureStepSequence[0]
    request = "(0040,0275)[0]"
    values = {
        "(0010,0010)": ds.PatientName,
        "(0010,0020)": ds.PatientID,
        "(0010,0030)": ds.PatientBirthDate,
        "(0010,0040)": ds.PatientSex,
        "(0008,0050)": ds.AccessionNumber,
        "(0020,000D)": ds.StudyInstanceUID,
        f"{request}.(0040,1001)": ds.RequestedProcedureID,
        f"{request}.(0040,0009)": step.ScheduledProcedureStepID,
    }
    options = [word for tag, value in values.items() for word in ("-i", f"{tag}={value}")]
    run(dcmodify, "-nb", *options, *map(str, images))
    return str(ds.StudyInstanceUID)


def on_the_reading_list(product: Product, study: str) -> bool:
    rows = product.sql(
        "SELECT 1 FROM worklists_readingitem i JOIN studies_study s ON s.id = i.study_id "
        "JOIN studies_studymatch m ON m.study_id = s.id "
        "AND m.requested_procedure_id = i.requested_procedure_id "
        "WHERE s.study_instance_uid = %s",
        study,
    )
    return bool(rows)


def measure(viewer: Viewer, spacing: float) -> None:
    """Draw 100 columns across, and read the millimetres."""
    viewer.page.keyboard.press("l")
    viewer.page.mouse.move(*viewer.point(100, 128))
    viewer.page.mouse.down()
    viewer.page.mouse.move(*viewer.point(200, 128), steps=5)
    viewer.page.mouse.up()
    [found] = viewer.ask("v => v.measurements()")
    assert found["unit"] == "mm"
    assert found["length"] == pytest.approx(100 * spacing, abs=2 * spacing)


def look(page: Page, product: Product, images: list[Path], dcmtk: Callable[[str], str]) -> None:
    """The viewer's pixels are dcmtk's at every window, and a length is right."""
    viewer = Viewer(page, product.url)
    viewer.settled()
    by_uid = {dcmread(f, stop_before_pixels=True).SOPInstanceUID: f for f in images}
    file = by_uid[viewer.state()["sop"]]
    for center, width in WINDOWS:
        viewer.window(center, width)
        expected = by_dcmtk(dcmtk, file, "+Ww", str(center), str(width))
        assert_same(viewer.pixels(), expected)
    measure(viewer, float(dcmread(file, stop_before_pixels=True).PixelSpacing[1]))
    assert viewer.complaints == []


def report(page: Page, product: Product, family: str) -> None:
    page.goto(f"{product.url}/reading/")
    expect(page.locator("tr[aria-selected=true]")).to_contain_text(family)
    page.keyboard.press("r")
    page.wait_for_url("**/reports/*/")
    page.get_by_role("textbox", name="Impression").click()
    page.keyboard.type("No bleeding.")
    expect(page.locator("#save-state")).to_contain_text("Saved", timeout=10_000)
    page.keyboard.press("Control+Enter")
    dialog = page.locator("#sign-dialog")
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator("#editor")).to_have_count(0)  # the page of a signed report
    expect(page.locator(".track")).to_contain_text("Final")
    page.wait_for_load_state()


def check_result(sink: Sink, accession: str) -> None:
    until(lambda: sink.got, "the result at the EHR")
    assert Validator.validate(parse_message(sink.got[0], validation_level=1))
    message = hl7.parse(sink.got[0])
    assert str(message.segment("MSH")[9]) == "ORU^R01^ORU_R01"
    assert str(message.segment("OBR")[25]) == "F"
    assert str(message.segment("OBR")[18]) == accession
    assert "No bleeding." in sink.got[0]


def check_referrers(page: Page, product: Product, study: str) -> None:
    """Hart sees the result and the images; the other referrer gets nothing at any door."""
    exam = product.sql(
        "SELECT id FROM orders_requestedprocedure WHERE study_instance_uid = %s", study
    )
    path = f"/portal/{exam[0][0]}/"
    viewer = f"/viewer/?StudyInstanceUIDs={study}"
    sign_in(page, product, "hart")
    page.goto(f"{product.url}{path}")
    expect(page.get_by_text("No bleeding.").first).to_be_visible()
    assert page.goto(f"{product.url}{viewer}").status == 200
    sign_in(page, product, "other")
    for hidden in (path, viewer):
        assert page.goto(f"{product.url}{hidden}").status == 404, hidden
    web = f"/dicom-web/studies/{study}"
    for name, status, count in (("hart", 200, 1), ("other", 404, 0)):
        bearer = f"Bearer {product.token(name)}"
        stored = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        assert product.get(web, Authorization=bearer, Accept=stored)[0] == status, name
        found = product.get(f"/dicom-web/studies?StudyInstanceUID={study}", Authorization=bearer)
        assert (found[0], len(json.loads(found[1]))) == (200, count), name


def check_trail(product: Product, study: str) -> None:
    """Who stored, viewed, retrieved, searched and was refused is on record by name."""
    users = dict(product.sql("SELECT username, 'user:' || id FROM accounts_user"))
    rows = product.sql(
        "SELECT actor_key, event, door, outcome FROM audit_auditevent "
        "WHERE study_instance_uid = %s OR query LIKE %s",
        study,
        f"%{study}%",
    )
    trail = {(actor, event, door, outcome > 0) for actor, event, door, outcome in rows}
    wanted = {
        ("ae:CT_NORTH", "studies.instances.stored", "dimse", False),
        (users["ines"], "studies.viewed", "page", False),
        (users["hart"], "studies.viewed", "page", False),
        (users["hart"], "studies.retrieved", "dicomweb", False),
        (users["hart"], "studies.search", "dicomweb", False),
        (users["other"], "studies.search", "dicomweb", False),
        (users["other"], "studies.access-refused", "page", True),
        (users["other"], "studies.access-refused", "dicomweb", True),
    }
    assert wanted - trail == set(), sorted(trail)
    searches = product.sql(
        "SELECT 1 FROM audit_auditevent WHERE actor_key = 'ae:CT_NORTH' AND query <> ''"
    )
    assert searches, "the scanner's worklist query is on record"


def test_the_whole_chain(  # noqa: PLR0917 - fixtures
    hospital: tuple[Product, Sink],
    case: str,
    images: list[Path],
    page: Page,
    dcmtk: Callable[[str], str],
    tmp_path: Path,
) -> None:
    product, sink = hospital
    number, family = CASES[case]
    page.set_viewport_size({"width": 1440, "height": 900})
    send_order(product, tmp_path, number, family)
    book(page, product, family)
    study = retag(dcmtk("dcmodify"), images, worklist(product, dcmtk("findscu"), tmp_path, family))

    sign_in(page, product, "ines")
    page.goto(f"{product.url}/reading/")
    run(
        dcmtk("storescu"), "-aet", "CT_NORTH", "-aec", product.ae_title,
        "127.0.0.1", str(product.dicom_port), *map(str, images),
    )  # fmt: skip
    began = time.monotonic()
    until(lambda: on_the_reading_list(product, study), "the study on the reading list")
    assert time.monotonic() - began < MATCHED_WITHIN_S
    row = page.locator("#rows tbody tr", has_text=family)
    expect(row).to_be_visible()  # by itself: the page is live
    page.goto(f"{product.url}/reading/")
    expect(page.locator("tr[aria-selected=true]")).to_contain_text(family)
    page.keyboard.press("Enter")
    page.wait_for_url("**/viewer/?StudyInstanceUIDs=*")
    look(page, product, images, dcmtk)
    report(page, product, family)
    check_result(sink, dcmread(images[0], stop_before_pixels=True).AccessionNumber)
    check_referrers(page, product, study)
    check_trail(product, study)
