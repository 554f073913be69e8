"""Starting and writing: template, autosave, conflict, nothing lost."""

import datetime

import pytest

from apps.core import clock
from apps.core.errors import InvalidInputError, NotFoundError, TransitionNotAllowedError
from apps.reports import services
from apps.reports.models import DraftKind, KeptText, Report, ReportTemplate
from apps.worklists.models import ReadingItem
from apps.worklists.reading.services import reading_claim
from apps.worklists.reading.steps import ClaimedByOtherError
from tests.reading.test_claim import run_at_once
from tests.reports.writing import draft, sections, sign


def start(room, item, user=None):
    return services.report_start(
        actor=room.actor(user or room.falk), reading_item_id=item.pk, at=clock.now()
    )


def save(room, report, revision, user=None, *, at=None, page="", **texts):
    return services.report_autosave(
        actor=room.actor(user or room.falk),
        report_id=report.pk,
        revision=revision,
        sections=sections(**texts),
        at=at or clock.now(),
        page=page,
    )


def template(name, *, text, **fields):
    return ReportTemplate.objects.create(
        name=name, sections=[{"key": "findings", "title": "Findings", "text": text}], **fields
    )


def test_start_claims_and_makes_one_report(room):
    item = room.item()
    report = start(room, item)
    assert start(room, item) == report
    item.refresh_from_db()
    assert (item.state, item.claimed_by, item.assigned_to) == ("draft", room.falk, room.falk)
    assert list(report.requested_procedures.all()) == [item.requested_procedure]
    assert [s.pk for s in report.studies.all()] == [item.study_id]
    with pytest.raises(ClaimedByOtherError):
        start(room, item, room.osei)


def test_first_text_has_the_orders_reason_and_the_prior(room):
    patient = room.patient()
    earlier = room.exam(patient)
    room.study(earlier, date="20240819")
    sign(room, draft(room, ReadingItem.objects.get()))
    item = room.item(patient=patient, reason="Day 9 after surgery. Embolism?")
    texts = {s["key"]: s["text"] for s in start(room, item).draft_sections}
    assert texts["indication"] == "Day 9 after surgery. Embolism?"
    assert texts["comparison"] == "CT chest, 19 Aug 2024."
    assert texts["findings"] == ""


def test_template_is_picked_by_procedure_then_modality_and_part_then_modality(room):
    def text():
        Report.objects.all().delete()
        item = ReadingItem.objects.get()
        return start(room, item).draft_sections[0]["text"]

    room.item()
    template("mr", text="mr", modality="MR")
    template("ct", text="ct {sex} {age}", modality="CT")
    born = datetime.date(1967, 11, 4)
    years = (clock.now().date() - born).days // 365.25
    assert text() == f"ct female {years:.0f} y"
    template("ct chest", text="ct chest", modality="CT", body_part="CHEST")
    assert text() == "ct chest"
    template("pe", text="pe", procedure=room.ct)
    assert text() == "pe"


def test_autosave_counts_revisions_and_repeats_change_nothing(room):
    report = start(room, room.item())
    first = save(room, report, 0, findings="Clear")
    assert (first.saved, first.revision) == (True, 1)
    again = save(room, report, 0, findings="Clear")  # the answer to the first was lost
    assert (again.saved, again.revision) == (True, 1)
    second = save(room, report, 1, findings="Clear lungs")
    assert (second.revision, second.sections[0]["text"]) == (2, "Clear lungs")


def test_conflict_keeps_both_texts(room):
    report = start(room, room.item())
    save(room, report, 0, findings="From the first page")
    answer = save(room, report, 0, findings="From the second page")
    assert not answer.saved
    assert answer.sections[0]["text"] == "From the first page"
    assert "kept" in answer.message
    kept = KeptText.objects.get()
    assert kept.sections[0]["text"] == "From the second page"
    save(room, report, 0, findings="From the second page, longer")
    kept.refresh_from_db()
    assert kept.sections[0]["text"] == "From the second page, longer"


def test_kept_text_is_taken_or_dropped_by_its_writer(room):
    report = start(room, room.item())
    save(room, report, 0, findings="One")
    save(room, report, 0, findings="Two")
    kept = KeptText.objects.get()
    with pytest.raises(NotFoundError):
        services.kept_text_settle(
            actor=room.actor(room.osei), kept_text_id=kept.pk, take=True, at=clock.now()
        )
    services.kept_text_settle(
        actor=room.actor(room.falk), kept_text_id=kept.pk, take=True, at=clock.now()
    )
    report.refresh_from_db()
    kept.refresh_from_db()
    assert report.draft_sections[0]["text"] == "Two"
    assert kept.sections[0]["text"] == "One"  # what it replaced
    assert kept.settled_at


def test_reader_whose_exam_was_taken_keeps_the_text(room):
    item = room.item()
    long_ago = clock.now() - datetime.timedelta(hours=1)
    actor = room.actor(room.falk)
    report = services.report_start(actor=actor, reading_item_id=item.pk, at=long_ago)
    save(room, report, 0, at=long_ago, findings="Begun")
    reading_claim(actor=room.actor(room.osei), item_id=item.pk, at=clock.now())
    answer = save(room, report, 1, findings="Went on")
    assert not answer.saved
    assert "Osei, R has been reading this" in answer.message
    assert KeptText.objects.get().sections[0]["text"] == "Went on"
    assert start(room, item, room.osei).draft_sections[0]["text"] == "Begun"


def test_signed_report_takes_no_draft_but_a_named_one(room):
    version = sign(room)
    report = version.report
    with pytest.raises(TransitionNotAllowedError):
        save(room, report, report.draft_revision, findings="Changed")
    actor = room.actor(room.falk)
    begun = services.report_revise(
        actor=actor, report_id=report.pk, kind=DraftKind.CORRECTION, at=clock.now()
    )
    assert begun.draft_sections == version.sections
    assert save(room, begun, begun.draft_revision, findings="Changed").saved
    with pytest.raises(TransitionNotAllowedError):
        services.report_revise(
            actor=actor, report_id=report.pk, kind=DraftKind.ADDENDUM, at=clock.now()
        )
    services.report_discard(actor=actor, report_id=report.pk, at=clock.now())
    report.refresh_from_db()
    assert (report.draft_kind, report.status) == ("", "final")
    assert KeptText.objects.get().sections[0]["text"] == "Changed"


@pytest.mark.parametrize("who", ["north_reader", "technologist", "hart"])
def test_only_readers_of_the_site_write(room, who):
    item = room.item()
    user = getattr(room, who)
    with pytest.raises(NotFoundError):
        start(room, item, user)
    report = start(room, item)
    with pytest.raises(NotFoundError):
        save(room, report, 0, user, findings="x")


def test_bad_shape_is_refused_and_changes_nothing(room):
    report = draft(room)
    with pytest.raises(InvalidInputError):
        services.report_autosave(
            actor=room.actor(room.falk),
            report_id=report.pk,
            revision=report.draft_revision,
            sections=[{"key": "x"}],
            at=clock.now(),
        )
    assert Report.objects.get().draft_sections == report.draft_sections


def test_report_begun_without_an_order_gets_the_exam(room):
    exam = room.exam()
    study = room.study(patient=exam.order.patient)
    report = draft(room, ReadingItem.objects.get())
    assert not report.requested_procedures.exists()
    room.match(study, exam)
    room.tell(study, "matched")
    assert list(report.requested_procedures.all()) == [exam]


def test_race_of_two_pages_starting_makes_one_report(committed_room):
    room = committed_room
    item = room.item()
    results = run_at_once(*(lambda: start(room, item) for _ in range(4)))
    assert {r.pk for r in results} == {Report.objects.get().pk}


def test_race_of_two_pages_saving_loses_no_text(committed_room):
    room = committed_room
    report = start(room, room.item())
    texts = [f"Text {n}" for n in range(4)]
    answers = run_at_once(
        *(lambda t=t: save(room, report, 0, page=f"page {t}", findings=t) for t in texts)
    )
    assert sum(a.saved for a in answers) == 1
    report.refresh_from_db()
    assert report.draft_revision == 1
    held = {report.draft_sections[0]["text"]}
    held |= {kept.sections[0]["text"] for kept in KeptText.objects.all()}
    assert held == set(texts)
