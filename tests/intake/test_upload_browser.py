"""The upload page in a real browser: a folder, a ZIP, a broken connection, a reload."""

import io
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.domain import Role
from apps.core import clock
from apps.core.uids import new_uid
from apps.studies.models import Instance, UploadedFile
from apps.studies.services.uploads import receiving, uploads_take
from tests.factories.dicom import as_file, ct_slice
from tests.shell.test_browser import faults, in_every_dress, wider_than_the_window

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
STATE, COUNT, RESULT = "[data-state]", "[data-count]", "#result"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A CD: eight slices of a study, a DICOMDIR and a program."""
    path = tmp_path / "CD" / "DICOM"
    path.mkdir(parents=True)
    study = new_uid()
    for number in range(1, 9):
        slice_ = ct_slice(study=study, number=number, size=64)
        (path / f"IM{number:04}").write_bytes(as_file(slice_))
    (tmp_path / "CD" / "DICOMDIR").write_bytes(bytes(300))
    (tmp_path / "CD" / "viewer.exe").write_bytes(b"MZ" + bytes(300))
    return tmp_path / "CD"


def opened(browser_page) -> Page:
    page = browser_page.sign_in(Role.TECHNOLOGIST)
    browser_page.goto("/upload/")
    expect(page.get_by_role("button", name="Choose files")).to_be_visible()
    return page


def test_a_folder_is_taken_and_each_file_answered_for(browser_page, folder):
    page = opened(browser_page)
    page.locator("[data-folder]").set_input_files(folder)
    expect(page.locator(STATE)).to_have_text("Everything is here.")
    expect(page.locator(COUNT)).to_have_text("10 of 10 files")
    expect(page.locator(RESULT)).to_contain_text("8 new")
    expect(page.locator(RESULT)).to_contain_text("Belongs to no order yet")
    expect(page.locator("[data-rows]")).to_contain_text("A DICOMDIR only lists the other files")
    expect(page.locator("[data-rows]")).to_contain_text("This is no DICOM file")
    assert Instance.objects.count() == 8
    in_every_dress(page, lambda page: faults(page) + wider_than_the_window(page))
    page.set_viewport_size({"width": 1440, "height": 900})
    page.reload()
    page.locator("[data-folder]").set_input_files(folder)
    expect(page.locator(RESULT)).to_contain_text("8 already here")
    expect(page.locator("[data-rows]")).to_contain_text("already here")
    page.get_by_role("link", name="Find its order").click()
    expect(page.locator("#main")).to_contain_text("8 images arrived that belong to no order")


def test_a_zip_survives_a_broken_connection_and_a_reload(browser_page, tmp_path, monkeypatch):
    monkeypatch.setattr(receiving, "PIECE_BYTES", 64 << 10)
    monkeypatch.setattr("apps.workspace.views.upload.PIECE_BYTES", 64 << 10)
    study = new_uid()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:  # stored, so that it takes several pieces
        for number in range(1, 5):
            archive.writestr(f"IM{number}", as_file(ct_slice(study=study, number=number, size=256)))
        archive.writestr("../evil", as_file(ct_slice()))
    (tmp_path / "cd.zip").write_bytes(content.getvalue())
    page = opened(browser_page)
    pieces = 0

    def break_off(route):
        nonlocal pieces
        pieces += 1
        if pieces > 3:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/upload/files/**", break_off)
    page.locator("[data-files]").set_input_files(tmp_path / "cd.zip")
    expect(page.locator(STATE)).to_contain_text("The connection is lost")
    came = UploadedFile.objects.get().received_bytes
    assert came == 3 * (64 << 10)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_text("An upload was interrupted.")).to_be_visible()
    assert faults(page) == []
    page.unroute("**/upload/files/**")
    sent = []
    page.on("request", lambda r: sent.append(r.headers) if "/upload/files/" in r.url else None)
    page.locator("[data-files]").set_input_files(tmp_path / "cd.zip")
    expect(page.locator(STATE)).to_contain_text("The archive is taking it")
    assert sent[0]["upload-offset"] == str(came)
    assert uploads_take(at=clock.now()) == 1
    expect(page.locator(RESULT)).to_contain_text("4 new")
    expect(page.locator(RESULT)).to_contain_text("Its name points outside the ZIP")
    expect(page.locator(STATE)).to_have_text("Everything is here.")
    assert Instance.objects.count() == 4
    browser_page.complaints.clear()  # the browser names each request that was broken off


def test_it_pauses_and_goes_on_by_keyboard(browser_page, folder, monkeypatch):
    monkeypatch.setattr("apps.workspace.views.upload.PIECE_BYTES", 20_000)  # two slices a request
    page = opened(browser_page)
    asked = []

    def third(request):
        asked.extend([request] if request.url.endswith("/files/") else [])
        return len(asked) == 3

    page.route("**/upload/*/files/", lambda route: None)
    with page.expect_request(third):
        page.locator("[data-folder]").set_input_files(folder)
    expect(page.locator(STATE)).to_have_text("Sending.")
    page.keyboard.press("p")
    expect(page.locator(STATE)).to_have_text("Paused.")
    page.unroute("**/upload/*/files/")  # lets go on what it held
    expect(page.locator(COUNT)).to_have_text("8 of 10 files")  # what was on its way, no more
    page.keyboard.press("p")
    expect(page.locator(STATE)).to_have_text("Everything is here.")
    assert Instance.objects.count() == 8


def test_what_is_dropped_is_taken_as_what_is_chosen(browser_page, folder):
    page = opened(browser_page)
    file = (folder / "DICOM" / "IM0001").read_bytes()
    page.evaluate(
        """bytes => {
          const data = new DataTransfer()
          data.items.add(new File([Uint8Array.from(bytes)], 'IM0001'))
          document.querySelector('[data-drop]').dispatchEvent(
            new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
        }""",
        list(file),
    )
    expect(page.locator(STATE)).to_have_text("Everything is here.")
    assert Instance.objects.count() == 1
