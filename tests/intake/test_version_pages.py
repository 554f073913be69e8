"""The page on which a person chooses between the versions of an image; every door follows."""

import json
from io import BytesIO

import numpy as np
import pytest
from django.contrib.messages import get_messages
from PIL import Image
from playwright.sync_api import expect

from apps.accounts.domain import Role
from apps.accounts.selectors import actor_for_ae
from apps.accounts.services import token_issue
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.actors import system_actor
from apps.studies.models import Instance, InstanceVersion, StudyAttention
from apps.studies.services import instances_record
from apps.studies.services.versions import versions_compare
from tests.factories.dicom import as_file, ct_slice, stage
from tests.shell.test_browser import faults, in_every_dress, wider_than_the_window

pytestmark = pytest.mark.django_db


@pytest.fixture
def came_again(hospital, settings):
    """An image of 64 x 64 that came again with another comment and a bright square."""
    settings.ISOCENTER_OPEN_AE = True
    sender = actor_for_ae("CT_1", "10.20.1.17").actor
    ds = ct_slice(size=64, InstanceNumber=3, WindowCenter=-1000, WindowWidth=4000)
    first = as_file(ds)
    pixels = np.frombuffer(ds.PixelData, "<i2").reshape(64, 64).copy()
    pixels[10:20, 30:50] = 2000
    ds.PixelData, ds.ImageComments, ds.InstanceNumber = pixels.tobytes(), "sent once more", 4
    instances_record(
        actor=sender, batch=[stage(first), stage(as_file(ds))], at=clock.now(), door="dimse"
    )
    versions_compare(at=clock.now())
    return Instance.objects.get()


def test_the_page_shows_both_and_what_differs(sign_in, came_again):
    page = f"/images/{came_again.pk}/versions/"
    html = sign_in(Role.TECHNOLOGIST).get(page).content.decode()
    version = InstanceVersion.objects.get()
    assert "Other pixels: values differ by up to" in html
    assert "2 attributes differ" in html
    assert "sent once more" in html
    assert "0020,4000" in html
    client = sign_in(Role.RADIOLOGIST)
    drawn = [
        np.array(Image.open(BytesIO(client.get(f"{page}{stored}/{query}").content)))
        for stored, query in (
            (came_again.stored_object_id, ""),
            (version.stored_object_id, ""),
            (version.stored_object_id, "?minus=1"),
        )
    ]
    assert drawn[0].shape == drawn[1].shape == drawn[2].shape == (64, 64)
    assert (drawn[0] != drawn[1]).any()
    changed = drawn[2] > 0
    assert changed.sum() == 200
    assert changed[10:20, 30:50].all()
    assert AuditEvent.objects.filter(event="studies.versions.viewed").exists()


def test_every_door_follows_the_choice_and_its_undo(sign_in, came_again):
    series = came_again.series
    token = token_issue(
        actor=system_actor("test"), username=Role.TECHNOLOGIST.value, at=clock.now()
    )
    bearer = {"headers": {"Authorization": f"Bearer {token}"}}
    client = sign_in(Role.TECHNOLOGIST)
    base = f"/dicom-web/studies/{series.study.study_instance_uid}"
    one = f"{base}/series/{series.series_instance_uid}"

    def doors():
        found = json.loads(client.get(f"{base}/instances?includefield=all", **bearer).content)
        held = json.loads(client.get(f"{one}/metadata", **bearer).content)
        frame = client.get(f"{one}/instances/{came_again.sop_instance_uid}/frames/1", **bearer)
        bytes_of = b"".join(frame) if frame.streaming else frame.content
        return (
            len(found),
            found[0]["00200013"]["Value"],
            held[0]["00200013"]["Value"],
            held[0].get("00204000", {}).get("Value"),
            (2000).to_bytes(2, "little") * 20 in bytes_of,
        )

    before = doors()
    assert before == (1, [3], [3], None, False)
    version = InstanceVersion.objects.get()
    page = f"/images/{came_again.pk}/versions/"
    answer = client.post(f"{page}choose/", {"stored": version.stored_object_id})
    assert doors() == (1, [4], [4], ["sent once more"], True)
    assert StudyAttention.objects.filter(kind="other-version", resolved_at=None).count() == 0
    [note] = get_messages(answer.wsgi_request)
    assert client.post(note.extra_tags).status_code == 204
    assert doors() == before
    assert StudyAttention.objects.filter(kind="other-version", resolved_at=None).count() == 1
    assert client.post(note.extra_tags).status_code == 409  # only once


def test_the_attention_page_leads_there(sign_in, came_again):
    item = StudyAttention.objects.get(kind="other-version")
    html = sign_in(Role.TECHNOLOGIST).get(f"/attention/{item.address}/").content.decode()
    assert f"/images/{came_again.pk}/versions/" in html
    assert "Other pixels" in html


def test_an_image_that_came_once_has_no_such_page(sign_in, came_again):
    InstanceVersion.objects.all().delete()
    page = f"/images/{came_again.pk}/versions/"
    assert sign_in(Role.TECHNOLOGIST).get(page).status_code == 404


@pytest.mark.e2e
@pytest.mark.timeout(180)
def test_chosen_by_keyboard_and_in_every_dress(browser_page, came_again):
    page = browser_page.sign_in(Role.TECHNOLOGIST)
    browser_page.goto(f"/images/{came_again.pk}/versions/")
    in_every_dress(page, lambda page: faults(page) + wider_than_the_window(page))
    page.set_viewport_size({"width": 1440, "height": 900})
    first = came_again.stored_object_id
    page.keyboard.press("2")
    expect(page.get_by_text("The other one is current now")).to_be_visible()
    page.wait_for_load_state()
    came_again.refresh_from_db()
    assert came_again.stored_object_id != first
    page.keyboard.press("u")
    expect(page.get_by_text("As it was before").first).to_be_visible()
    came_again.refresh_from_db()
    assert came_again.stored_object_id == first
