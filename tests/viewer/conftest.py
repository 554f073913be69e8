"""A department with real images in its archive, and the viewer open in a real browser."""

import base64
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.utils import timezone
from playwright.sync_api import ConsoleMessage, Page
from pydicom import Dataset
from pytest_django.live_server_helper import LiveServer

from apps.accounts.domain import Role
from apps.accounts.selectors import actor_for_ae, main_site
from apps.core import clock
from apps.studies.services import InstanceStatus, instances_record
from tests.factories.dicom import as_file, stage
from tests.shell import hospital as department

MANIFEST = Path(__file__).resolve().parents[2] / "static" / "dist" / "manifest.json"
READY_S = 30


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def clinic(db, quick_passwords, settings) -> SimpleNamespace:
    """Two people who read, and a scanner that may send."""
    settings.ISOCENTER_OPEN_AE = True
    site = main_site()
    return SimpleNamespace(
        site=site,
        staff=department.people(site),
        scanner=actor_for_ae("CT_1", "127.0.0.1").actor,
    )


Store = Callable[[Iterable[Dataset | bytes | Path]], None]


@pytest.fixture
def store(clinic: SimpleNamespace) -> Store:
    """Put objects into the archive through the one ingest."""

    def stored(objects: Iterable[Dataset | bytes | Path]) -> None:
        files = [as_file(one) if isinstance(one, Dataset) else one for one in objects]
        results = instances_record(
            actor=clinic.scanner, batch=[stage(f) for f in files], at=clock.now(), door="dimse"
        )
        assert {result.status for result in results} == {InstanceStatus.STORED}

    return stored


def file_bytes(ds: Dataset) -> bytes:
    """A data set read from a file, changed, as a file again in its own transfer syntax."""
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def today() -> str:
    return f"{timezone.localdate():%Y%m%d}"


class Viewer:
    """The page with its inspection interface, and everything its console complained about."""

    def __init__(self, page: Page, server: str) -> None:
        self.page, self.server = page, server
        self.complaints: list[str] = []
        page.emulate_media(reduced_motion="reduce")
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        # the tests' server has no event loop, so /live/ answers 204 and the page tries again
        if message.type in ("error", "warning") and "/live/" not in message.location["url"]:
            self.complaints.append(f"{message.text} at {message.location['url']}")

    def sign_in(self, role: Role = Role.RADIOLOGIST) -> None:
        self.page.goto(f"{self.server}/accounts/login/")
        self.page.get_by_label("User name").fill(role.value)
        self.page.get_by_label("Password").fill(department.PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "/accounts/login" not in url)

    def open(self, *studies: str) -> dict[str, Any]:
        """Open studies, and wait until the first viewport shows what it is to show."""
        self.page.goto(f"{self.server}/viewer/?StudyInstanceUIDs={','.join(studies)}")
        return self.settled()

    def ask(self, expression: str, argument: Any = None) -> Any:
        """Call the inspection interface: `ask("v => v.state()")`."""
        return self.page.evaluate(f"a => ({expression})(window.isocenterViewer, a)", argument)

    def state(self, pane: int = 0) -> dict[str, Any]:
        return self.ask("(v, a) => v.state().panes[a]", pane)

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait for a condition; the policy forbids Playwright's own, which needs eval."""
        for _ in range(READY_S * 20):
            found = condition()
            if found:
                return found
            self.page.wait_for_timeout(50)
        pytest.fail(f"waited in vain for {what}")

    def settled(self, pane: int = 0) -> dict[str, Any]:
        def shown() -> dict[str, Any] | None:
            if not self.page.evaluate("() => !!window.isocenterViewer"):
                return None
            panes = self.ask("v => v.state().panes")
            state = panes[pane] if pane < len(panes) else None
            done = state and (state["ready"] or state["error"] or state["kind"] == "object")
            return state if done else None

        return self.until(shown, f"viewport {pane}")

    def loaded(self, count: int) -> list[dict[str, Any]]:
        """Wait until the display sets of all series are known."""
        return self.until(
            lambda: (sets := self.ask("v => v.sets()")) and len(sets) >= count and sets,
            f"{count} display sets",
        )

    def one_to_one(self, pane: int = 0) -> dict[str, Any]:
        """The canvas with one screen pixel for each column of the image."""
        self.ask("(v, a) => v.oneToOne(a)", pane)
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => done()))")
        return self.ask("(v, a) => v.canvas(a)", pane)

    def pixels(self, pane: int = 0) -> np.ndarray:
        """What stands on the screen where the image lies, at 1:1: `(rows, columns, 3)` uint8."""
        canvas = self.one_to_one(pane)
        matrix = canvas["matrix"]
        assert [matrix[k] for k in "abcd"] == [1, 0, 0, 1], "its pixels are not square"
        whole = (canvas["height"], canvas["width"]) == (canvas["rows"], canvas["columns"])
        assert whole, "the image is larger than the viewport"
        rgba = np.frombuffer(base64.b64decode(canvas["rgba"]), np.uint8)
        return rgba.reshape(canvas["rows"], canvas["columns"], 4)[:, :, :3]

    def window(self, center: float, width: float, function: str = "LINEAR", pane: int = 0) -> None:
        self.ask("(v, a) => v.setWindow(...a)", [pane, center, width, function])

    def point(self, column: float, row: float, pane: int = 0) -> tuple[float, float]:
        """Where an image point is on the page."""
        x, y = self.ask("(v, a) => v.toPage(...a)", [pane, column, row])
        return x, y


@pytest.fixture
def viewer(page: Page, live_server: LiveServer, clinic: SimpleNamespace):
    """The viewer for a signed-in radiologist; a complaint of the console fails the test."""
    if not MANIFEST.is_file():
        pytest.fail("the front end is not built: npm ci && npm run build", pytrace=False)
    page.set_viewport_size({"width": 1440, "height": 900})
    opened = Viewer(page, live_server.url)
    opened.sign_in()
    yield opened
    assert opened.complaints == []
