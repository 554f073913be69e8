"""The portal: own patients and practice, what is shown in which state, refusals."""

import pytest
from django.urls import reverse

from apps.audit.models import AuditEvent
from apps.core import clock
from apps.reports import services
from tests.reports.writing import addend, correct, draft, preliminary, sign

BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def as_user(client):
    def signed_in(user):
        client.force_login(user, backend=BACKEND)
        return client

    return signed_in


def result_url(item):
    return reverse("portal:result", args=[item.requested_procedure_id])


def text(response):
    return " ".join(response.content.decode().split())


def test_signed_report_is_read_by_its_referrer_and_the_practice(room, as_user):
    item = room.item()
    version = sign(room, draft(room, item))
    for user in (room.hart, room.lind):
        client = as_user(user)
        page = text(client.get(result_url(item)))
        assert "Embolism." in page
        assert "Signed by Dr R Falk" in page
        assert reverse("reports:version-pdf", args=[version.report_id, 1]) in page
        pdf = client.get(reverse("reports:version-pdf", args=[version.report_id, 1]))
        assert pdf.content.startswith(b"%PDF-")
        assert pdf["Content-Type"] == "application/pdf"


def test_other_referrer_and_staff_without_grant_get_404_on_record(room, as_user):
    item = room.item()
    version = sign(room, draft(room, item))
    report = reverse("reports:report", args=[version.report_id])
    pdf = reverse("reports:version-pdf", args=[version.report_id, 1])
    client = as_user(room.stranger)
    for url in (result_url(item), report, pdf):
        assert client.get(url).status_code == 404
    assert client.get(reverse("portal:result", args=[10**9])).status_code == 404
    assert "OKONKWO" not in text(client.get("/portal/"))
    assert AuditEvent.objects.get(event="workspace.portal.refused").outcome == 4
    assert AuditEvent.objects.filter(event="reports.report.refused").exists()
    assert as_user(room.falk).get(result_url(item)).status_code == 404


def test_draft_is_invisible_and_preliminary_is_named_without_its_text(room, as_user):
    item = room.item()
    report = draft(room, item)
    client = as_user(room.hart)
    page = text(client.get(result_url(item)))
    assert "No report yet" in page
    assert "Embolism." not in page
    preliminary(room, report)
    page = text(client.get(result_url(item)))
    assert "Preliminary, not signed" in page
    assert "Embolism." not in page
    assert ">PDF<" not in page
    assert "Preliminary: not yet signed" in text(client.get("/portal/"))
    assert client.get(reverse("reports:report", args=[report.pk])).status_code == 404
    for name in ("version", "version-pdf"):
        assert client.get(reverse(f"reports:{name}", args=[report.pk, 1])).status_code == 404


def test_addendum_correction_and_withdrawal_are_named(room, as_user):
    item = room.item()
    report = sign(room, draft(room, item)).report
    client = as_user(room.hart)
    addend(room, report, "Compared with Eastfield.")
    page = text(client.get(result_url(item)))
    assert "Addended" in page
    assert "Compared with Eastfield." in page
    correct(room, report, reason="Side was wrong")
    page = text(client.get(result_url(item)))
    assert "Side was wrong" in page
    services.report_cancel(
        actor=room.actor(room.falk),
        report_id=report.pk,
        reason="Wrong patient",
        reauthenticated_at=clock.now(),
        at=clock.now(),
    )
    page = text(client.get(result_url(item)))
    assert "The report was withdrawn" in page
    assert "Left, not right." not in page


def test_lists_and_counts_agree(room, as_user):
    mine = room.item(patient=room.patient("Okonkwo^Adaeze"))
    room.item(patient=room.patient("Santos^Rui"), referrer=room.lind)
    room.item(patient=room.patient("Mendes^Rui"), referrer=room.stranger)
    sign(room, draft(room, mine))
    client = as_user(room.hart)
    wanted = {
        "mine": {"OKONKWO"}, "practice": {"OKONKWO", "SANTOS"}, "waiting": {"SANTOS"},
    }  # fmt: skip
    for show, names in wanted.items():
        page = text(client.get(f"/portal/?show={show}"))
        assert {n for n in ("OKONKWO", "SANTOS", "MENDES") if n in page} == names
        assert f"{show.capitalize()} <b>{len(names)}</b>" in page


@pytest.mark.parametrize(
    ("asked", "found"),
    [("oko", True), ("OKONKWO", True), ("1967-11-04", True), ("san", False), ("1967-11-05", False)],
)
def test_search(room, as_user, asked, found):
    room.item()
    assert ("Okonkwo".upper() in text(as_user(room.hart).get(f"/portal/?q={asked}"))) == found


def test_exam_number_is_found(room, as_user):
    item = room.item()
    number = item.requested_procedure.order.accession_number
    assert "OKONKWO" in text(as_user(room.hart).get(f"/portal/?q={number}"))


def test_films_of_the_old_archive_are_called_that(room, as_user):
    item = room.item()
    item.study.availability = "OFFLINE"
    item.study.save()
    page = text(as_user(room.hart).get(result_url(item)))
    assert "films of the old archive" in page
    assert "Open all" not in page


def test_reads_are_audited(room, as_user):
    item = room.item()
    as_user(room.hart).get(result_url(item))
    event = AuditEvent.objects.get(event="workspace.portal.read")
    assert event.patient_key == str(item.patient_id)
    assert event.study_instance_uid == item.study.study_instance_uid


def test_number_of_queries_does_not_grow(room, as_user, django_assert_max_num_queries):
    for _ in range(12):
        sign(room, draft(room, room.item()))
    client = as_user(room.hart)
    client.get("/portal/")
    with django_assert_max_num_queries(24):
        client.get("/portal/")


def test_nobody_signed_in_is_sent_to_sign_in(client):
    answer = client.get("/portal/")
    assert answer.status_code == 302
    assert "/accounts/login/" in answer["Location"]


def test_where_there_are_more_than_are_shown_the_page_says_so(room, as_user, monkeypatch):
    for _ in range(3):
        room.item()
    client = as_user(room.hart)
    page = text(client.get("/portal/?show=mine"))
    assert "Mine <b>3</b>" in page
    assert "Search by name" not in page.partition("po__most")[2]
    monkeypatch.setattr("apps.workspace.results.MOST", 2)
    monkeypatch.setattr("apps.workspace.views.portal.MOST", 2)
    page = text(client.get("/portal/?show=mine"))
    assert "Mine <b>2+</b>" in page
    assert "The newest 2 are shown" in page
