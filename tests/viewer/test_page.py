"""The viewer in a real browser: keys, mouse, priors, measurements, what it says when it cannot."""

import base64
import copy
import datetime
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    BasicTextSRStorage,
    EncapsulatedPDFStorage,
    JPEGLosslessSV1,
    UltrasoundMultiFrameImageStorage,
)

from apps.accounts.domain import Role
from apps.accounts.selectors import actor_for_user
from apps.core import clock
from apps.core.tasks import relay_once
from apps.core.uids import new_uid
from apps.studies.models import Instance, Series, Study
from apps.worklists.models import ReadingItem
from apps.worklists.reading.services import reading_claim
from tests.factories.dicom import as_file, ct_slice
from tests.viewer.conftest import today

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


MINUTES_PASS = """
const every = window.setInterval
window.setInterval = (run, ms, ...more) => every(run, ms === 60000 ? 200 : ms, ...more)
"""


def stack(
    count: int, *, date: str = "20261120", frame: str = "", first_z: float = 0
) -> list[Dataset]:
    """Slices 5 mm apart, feet first, under instance numbers that run the other way."""
    study, series, frame = new_uid(), new_uid(), frame or new_uid()
    return [
        ct_slice(
            study=study,
            series=series,
            number=count - n,
            size=64,
            StudyDate=date,
            FrameOfReferenceUID=frame,
            ImagePositionPatient=[0, 0, first_z + 5 * n],
        )
        for n in range(count)
    ]


def test_wheel_and_keys_leaf_through_the_stack(viewer, store):
    slices = stack(30)
    store(slices)
    state = viewer.open(slices[0].StudyInstanceUID)
    assert (state["index"], state["count"]) == (0, 30)
    assert state["sop"] == slices[-1].SOPInstanceUID  # instance number 1 lies uppermost
    page = viewer.page
    page.mouse.move(600, 450)
    page.mouse.wheel(0, 120)
    viewer.until(lambda: viewer.state()["index"] == 1, "the second image")
    for key, index in (
        ("ArrowDown", 2),
        ("PageDown", 12),
        ("End", 29),
        ("ArrowUp", 28),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        viewer.until(lambda index=index: viewer.state()["index"] == index, f"{key}: {index}")
    expect(page.locator(".ov--br").first).to_contain_text("Im 1 / 30")


def test_windows_by_mouse_by_key_and_back(viewer, store):
    slices = stack(2)
    store(slices)
    viewer.open(slices[0].StudyInstanceUID)
    page = viewer.page
    page.mouse.move(600, 450)
    page.mouse.down()
    page.mouse.move(660, 430, steps=4)
    page.mouse.up()
    dragged = viewer.state()["window"]
    assert dragged["width"] > 400
    assert dragged["center"] < 40
    page.keyboard.press("1")
    assert (viewer.state()["window"]["center"], viewer.state()["window"]["width"]) == (-500, 1400)
    expect(page.locator(".ov--bl").first).to_contain_text("WL −500 / 1400, Lung")
    page.get_by_label("Window", exact=True).last.select_option(label="Sigmoid")
    assert viewer.state()["window"]["function"] == "SIGMOID"
    page.keyboard.press("i")
    assert viewer.state()["inverted"]
    page.keyboard.press("0")
    state = viewer.state()
    assert (state["window"]["center"], state["window"]["width"], state["inverted"]) == (
        40,
        400,
        False,
    )


def test_a_length_between_known_points_reads_the_right_millimetres(viewer, store):
    """40 columns of 0.5 mm and 30 rows of 0.7 mm: 20 across, 21 down, 29 along."""
    ds = ct_slice(size=128, PixelSpacing=[0.7, 0.5])
    store([ds])
    viewer.open(ds.StudyInstanceUID)
    page = viewer.page
    page.keyboard.press("l")
    page.mouse.move(*viewer.point(20, 40))
    page.mouse.down()
    page.mouse.move(*viewer.point(60, 70), steps=5)
    page.mouse.up()
    [found] = viewer.ask("v => v.measurements()")
    assert found["length"] == pytest.approx(29.0, abs=0.35)  # a screen pixel at each end
    assert (found["unit"], found["basis"]) == ("mm", "pixel spacing from the scanner")
    expect(page.locator(".ann text").filter(has_text="mm").first).to_contain_text(found["words"])
    expect(page.locator("#measurements")).to_contain_text(found["words"])
    expect(page.locator("#measurements")).to_contain_text("pixel spacing from the scanner")
    # two presses do as well as a pull, and Delete has its undo
    page.mouse.click(*viewer.point(20, 100))
    page.mouse.move(*viewer.point(40, 100), steps=3)
    page.mouse.click(*viewer.point(60, 100))
    assert viewer.ask("v => v.measurements()")[1]["length"] == pytest.approx(20, abs=0.35)
    page.keyboard.press("Delete")
    assert len(viewer.ask("v => v.measurements()")) == 1
    page.keyboard.press("u")
    assert len(viewer.ask("v => v.measurements()")) == 2


def test_without_calibration_a_length_is_in_pixels_and_says_so(viewer, store):
    ds = ct_slice(size=64)
    del ds.PixelSpacing
    store([ds])
    viewer.open(ds.StudyInstanceUID)
    page = viewer.page
    page.keyboard.press("l")
    page.mouse.move(*viewer.point(10, 10))
    page.mouse.down()
    page.mouse.move(*viewer.point(50, 40), steps=4)
    page.mouse.up()
    [found] = viewer.ask("v => v.measurements()")
    assert (found["unit"], found["words"]) == ("px", "50 px")
    expect(page.locator("#measurements")).to_contain_text("no calibration, so in pixels")


def test_a_prior_stands_beside_in_its_own_colour_and_follows(viewer, store):
    frame = new_uid()
    now, before = (
        stack(20, date=today(), frame=frame),
        stack(10, date="20240819", frame=frame, first_z=0),
    )
    store([*now, *before])
    viewer.open(now[0].StudyInstanceUID)
    page = viewer.page
    expect(page.locator(".vp")).to_have_count(1)
    page.keyboard.press("[")
    viewer.settled(1)
    expect(page.locator(".vp")).to_have_count(2)
    prior = page.locator(".vp").nth(1)
    expect(prior).to_have_class("vp vp--prior")
    expect(prior.locator(".prior-l")).to_have_text("Prior, 19 Aug 2024")
    expect(page.locator(".vp").first.locator(".ov--tl b")).to_have_text("Today 10:11")
    for one in (page.locator(".vp").first, prior):
        expect(one.locator(".ov--tr")).to_contain_text("MARLOWE, June")
    # z 30 of today is z 30 of the prior, whatever their numbers are
    place = next(n for n, ds in enumerate(reversed(now)) if ds.ImagePositionPatient[2] == 30)
    page.keyboard.press("Home")
    for _ in range(place):
        page.keyboard.press("ArrowDown")
    wanted = next(ds.SOPInstanceUID for ds in before if ds.ImagePositionPatient[2] == 30)
    viewer.until(lambda: viewer.state(1)["sop"] == wanted, "the same place in the prior")


def test_ultrasound_counts_frames_plays_and_measures_in_its_region(viewer, store):
    frames = np.zeros((6, 48, 64), np.uint8)
    frames[:, 10:20, 10:50] = np.arange(40, 46)[:, None, None]
    ds = ct_slice(size=48, SOPClassUID=UltrasoundMultiFrameImageStorage, Modality="US")
    for keyword in (
        "PixelSpacing",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "RescaleSlope",
    ):
        del ds[keyword]
    del ds.RescaleIntercept
    ds.Columns, ds.NumberOfFrames, ds.FrameTime = 64, 6, 40
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation, ds.PixelData = 7, 0, frames.tobytes()
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 63, 47
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.02
    ds.SequenceOfUltrasoundRegions = Sequence([region])
    store([ds])
    state = viewer.open(ds.StudyInstanceUID)
    assert state["count"] == 6
    page = viewer.page
    expect(page.locator(".ov--br").first).to_contain_text("Frame 1 / 6")
    seen = set()
    page.keyboard.press("Space")
    viewer.until(lambda: seen.add(viewer.state()["index"]) or len(seen) > 3, "a running film")
    page.keyboard.press("Space")
    page.keyboard.press("l")
    page.mouse.move(*viewer.point(10, 10))
    page.mouse.down()
    page.mouse.move(*viewer.point(50, 40), steps=4)
    page.mouse.up()
    found = viewer.ask("v => v.measurements()")[0]
    assert found["length"] == pytest.approx(10.0, abs=0.1)
    assert found["basis"] == "ultrasound region"


def test_what_is_no_picture_has_a_tile_with_its_name(viewer, store):
    ct = ct_slice(size=32)
    report = Dataset()
    report.update({e.tag: copy.deepcopy(e) for e in ct if e.tag.group < 0x0021})
    report.SOPClassUID, report.SOPInstanceUID = BasicTextSRStorage, new_uid()
    report.Modality, report.SeriesInstanceUID, report.SeriesNumber = "SR", new_uid(), 2
    store([ct, report])
    viewer.open(ct.StudyInstanceUID)
    viewer.loaded(2)
    page = viewer.page
    page.keyboard.press("ArrowRight")
    tile = page.locator(".vp__tile")
    expect(tile).to_contain_text("Structured report")
    expect(tile).to_contain_text(BasicTextSRStorage)
    with page.expect_download() as download:
        tile.get_by_role("button", name="Download").click()
    saved = dcmread(Path(download.value.path()))
    assert saved.SOPInstanceUID == report.SOPInstanceUID


def test_an_encapsulated_document_can_be_opened(viewer, store):
    ct = ct_slice(size=32)
    paper = Dataset()
    paper.update({e.tag: copy.deepcopy(e) for e in ct if e.tag.group < 0x0021})
    paper.SOPClassUID, paper.SOPInstanceUID = EncapsulatedPDFStorage, new_uid()
    paper.Modality, paper.SeriesInstanceUID, paper.SeriesNumber = "DOC", new_uid(), 2
    paper.MIMETypeOfEncapsulatedDocument, paper.EncapsulatedDocument = (
        "application/pdf",
        b"%PDF-1.4 ",
    )
    store([ct, paper])
    viewer.open(ct.StudyInstanceUID)
    viewer.loaded(2)
    viewer.page.keyboard.press("ArrowRight")
    link = viewer.page.get_by_role("link", name="Open the document")
    expect(link).to_be_visible()
    answer = viewer.page.request.get(f"{viewer.server}{link.get_attribute('href')}")
    assert answer.body() == paper.EncapsulatedDocument


def test_an_image_that_cannot_be_shown_never_shows_the_one_before(viewer, store):
    """Its bytes are broken: the viewport is black and says so under the right number."""
    good, bad = stack(2)
    bad.PixelData = encapsulate([b"this is no JPEG"])
    bad["PixelData"].VR = "OB"
    store([good, as_file(bad, JPEGLosslessSV1)])
    viewer.open(good.StudyInstanceUID)
    sops = {0: viewer.state()["sop"]}
    broken = 0 if sops[0] == bad.SOPInstanceUID else 1
    viewer.ask("(v, a) => v.goTo(0, a)", 1 - broken)
    assert viewer.pixels().max() > 0
    state = viewer.ask("(v, a) => v.goTo(0, a)", broken)
    assert (state["ready"], state["sop"]) == (False, bad.SOPInstanceUID)
    message = viewer.page.get_by_role("alert")
    expect(message).to_contain_text(f"Image {broken + 1} cannot be shown")
    canvas = viewer.ask("(v, a) => v.canvas(a)", 0)
    rgba = np.frombuffer(base64.b64decode(canvas["rgba"]), np.uint8).reshape(-1, 4)
    assert rgba[:, :3].max() == 0
    viewer.complaints.clear()  # the decoder and the browser say it in the console too


@pytest.mark.parametrize(
    ("theme", "size"), [("dark", (1440, 900)), ("light", (1440, 900)), ("dark", (390, 844))]
)
def test_axe_finds_nothing(viewer, store, theme, size):
    slices = stack(3, date=today())
    store([*slices, *stack(2, date="20240819")])
    viewer.page.set_viewport_size({"width": size[0], "height": size[1]})
    viewer.open(slices[0].StudyInstanceUID)
    viewer.page.evaluate("t => { document.documentElement.dataset.theme = t }", theme)
    if size[0] > 720:
        viewer.page.keyboard.press("[")
        viewer.settled(1)
    viewer.loaded(1)
    results = Axe().run(viewer.page)
    assert results.violations_count == 0, results.generate_report()


def test_the_keys_are_listed(viewer, store):
    slices = stack(2)
    store(slices)
    viewer.open(slices[0].StudyInstanceUID)
    viewer.page.keyboard.press("?")
    dialog = viewer.page.get_by_role("dialog", name="Keys on this page")
    for words in ("Next image", "Window: Lung", "Length", "Prior before", "Scroll together"):
        expect(dialog.get_by_text(words, exact=True)).to_be_visible()


def test_a_prior_on_old_media_says_so_and_opens_no_viewport(viewer, store):
    """An empty viewport would stand there under the date of today's images."""
    now, before = ct_slice(StudyDate=today()), ct_slice(StudyDate="20240819")
    store([now, before])
    prior = Study.objects.get(study_instance_uid=before.StudyInstanceUID)
    Instance.objects.filter(series__study=prior).delete()
    Series.objects.filter(study=prior).delete()
    Study.objects.filter(pk=prior.pk).update(availability="OFFLINE")
    viewer.open(now.StudyInstanceUID)
    viewer.page.keyboard.press("[")
    expect(viewer.page.locator(".toast").last).to_contain_text("On old media: no images to show")
    expect(viewer.page.locator(".vp")).to_have_count(1)


def test_the_claim_of_whoever_reads_here_does_not_lapse(viewer, store, clinic):
    ds = ct_slice()
    store([ds])
    while relay_once():
        pass
    reader = clinic.staff[Role.RADIOLOGIST]
    item = ReadingItem.objects.get(study__study_instance_uid=ds.StudyInstanceUID)
    reading_claim(actor=actor_for_user(reader, "127.0.0.1"), item_id=item.pk, at=clock.now())
    before = clock.now() - datetime.timedelta(minutes=9)
    ReadingItem.objects.filter(pk=item.pk).update(claim_seen_at=before)
    viewer.page.add_init_script(MINUTES_PASS)
    viewer.open(ds.StudyInstanceUID)

    def seen():
        return ReadingItem.objects.get(pk=item.pk).claim_seen_at > before

    viewer.until(seen, "the heartbeat")
    ReadingItem.objects.filter(pk=item.pk).update(claimed_by=clinic.staff[Role.ADMINISTRATOR])
    expect(viewer.page.get_by_text("no longer claimed by you")).to_be_visible()
