"""From images to a line of the reading list."""

import pytest

from apps.accounts.models import User
from apps.core import clock
from apps.studies.models import StudyMatch
from apps.worklists.models import ReadingItem
from apps.worklists.reading import services
from apps.worklists.reading.domain import ReadingFilters
from apps.worklists.reading.selectors import reading_list


def lines(room, **filters):
    return reading_list(room.actor(room.falk), ReadingFilters(**filters)).items


def test_matched_study_becomes_a_line_with_its_evidence(room):
    exam = room.exam(priority="stat")
    prior = room.exam(exam.order.patient)
    room.study(prior, date="20240819", tell=False)
    room.study(exam, instances=614, completeness="PARTIAL")
    (line,) = lines(room)
    assert line.requested_procedure == exam
    assert (line.images, line.completeness, line.priors) == (614, "PARTIAL", 1)
    assert line.description == "CT chest"
    assert line.requesting_service == "ED"
    assert (line.priority, line.priority_rank) == ("stat", 0)
    assert (line.due_at - line.since).total_seconds() == 3600


def test_more_images_change_the_line_and_add_none(room):
    exam = room.exam()
    study = room.study(exam, instances=3, completeness="RECEIVING")
    study.number_of_instances, study.completeness = 200, "COMPLETE"
    study.save()
    room.tell(study, "received")
    (line,) = lines(room)
    assert (line.images, line.completeness) == (200, "COMPLETE")


def test_study_without_an_order_is_a_line_of_its_own(room):
    patient = room.patient()
    room.study(patient=patient)
    (line,) = lines(room, show="unmatched")
    assert line.requested_procedure is None
    assert line.patient == patient
    assert line.description == "CT thorax"


def test_objects_that_nobody_reads_make_no_line(room):
    room.study(patient=room.patient(), modality="SR")
    assert lines(room) == []


def test_unmatched_line_becomes_the_exams_with_its_reader(room):
    exam = room.exam()
    study = room.study(patient=exam.order.patient)
    item = ReadingItem.objects.get()
    services.reading_claim(actor=room.actor(room.falk), item_id=item.pk, at=clock.now())
    room.match(study, exam)
    room.tell(study, "matched")
    again = ReadingItem.objects.get()
    assert again.pk == item.pk
    assert again.requested_procedure == exam
    assert again.claimed_by == room.falk


def test_unmatched_line_is_absorbed_where_the_exam_has_one(room):
    exam = room.exam()
    room.study(exam)
    late = room.study(patient=exam.order.patient)
    assert ReadingItem.objects.count() == 2
    room.match(late, exam)
    room.tell(late, "matched")
    (line,) = lines(room)
    assert (line.requested_procedure, line.images) == (exam, 240)


def test_unmatching_moves_the_study_to_a_line_of_its_own(room):
    exam = room.exam()
    study = room.study(exam)
    StudyMatch.objects.all().delete()
    room.tell(study, "unmatched")
    (line,) = lines(room)
    assert line.requested_procedure is None
    assert line.study == study


def test_line_somebody_works_on_stays_when_its_study_leaves(room):
    item = room.item()
    services.reading_claim(actor=room.actor(room.falk), item_id=item.pk, at=clock.now())
    StudyMatch.objects.all().delete()
    room.tell(item.study, "unmatched")
    item.refresh_from_db()
    assert item.study is None
    assert ReadingItem.objects.count() == 2


def test_most_restricted_confidentiality_wins(room):
    patient = room.patient(confidentiality="V")
    exam = room.exam(patient)
    room.study(exam)
    assert ReadingItem.objects.get().confidentiality == "V"
    assert lines(room) == []


@pytest.mark.parametrize("who", ["technologist", "hart", "north_reader"])
def test_others_have_no_such_list(room, who):
    room.item()
    user: User = getattr(room, who)
    assert reading_list(room.actor(user)).items == []
