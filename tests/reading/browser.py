"""A real browser on a committed reading room."""

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.reading.builders import PASSWORD

MANIFEST = Path(__file__).resolve().parents[2] / "static" / "dist" / "manifest.json"
SIZES = {"desk": (1440, 900), "phone": (390, 844)}


class Watched:
    """A page with everything its console complained about."""

    def __init__(self, page: Page, server: str):
        self.page, self.server = page, server
        self.complaints: list[str] = []
        page.emulate_media(reduced_motion="reduce")
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message):
        # the tests' server has no event loop behind /live/, and the studies here have no pixels
        known = ("/live/", "/thumbnail")
        url = message.location["url"]
        if message.type in ("error", "warning") and not any(k in url for k in known):
            self.complaints.append(f"{message.text} at {url}")

    def sign_in(self, user) -> Page:
        self.page.goto(f"{self.server}/accounts/login/")
        self.page.get_by_label("User name").fill(user.username)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "/accounts/login" not in url)
        return self.page

    def goto(self, path: str):
        return self.page.goto(f"{self.server}{path}")

    def faults_in_every_dress(self) -> list[object]:
        """Axe's findings and sideways scrolling, at both sizes in both themes."""
        found: list[object] = []
        for size, (width, height) in SIZES.items():
            self.page.set_viewport_size({"width": width, "height": height})
            for theme in ("dark", "light"):
                self.page.evaluate(
                    "theme => { document.documentElement.dataset.theme = theme }", theme
                )
                for fault in Axe().run(self.page).response["violations"]:
                    nodes = [(n["target"], n["html"][:160]) for n in fault["nodes"]]
                    found.append((size, theme, fault["impact"], fault["id"], nodes))
                wide = self.page.evaluate(
                    "document.documentElement.scrollWidth - window.innerWidth"
                )
                if wide > 0:
                    found.append((size, theme, f"scrolls sideways by {wide} px"))
        return found
