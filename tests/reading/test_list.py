"""The list's order, pages, filters, counts and cost."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import clock
from apps.core.errors import InvalidInputError, NotFoundError
from apps.reports.models import Report
from apps.studies.models import Study
from apps.worklists.models import ReadingItem
from apps.worklists.reading import services
from apps.worklists.reading.domain import COUNT_CAP, Cursor, ReadingFilters
from apps.worklists.reading.selectors import (
    item_access,
    reading_count,
    reading_counts,
    reading_list,
    saved_filters,
)


def fill(room, number: int, **fields) -> None:
    """Lines in bulk, all of one patient, as a backlog would be."""
    patient = room.patient()
    now = clock.now()
    studies = Study.objects.bulk_create(
        Study(
            study_instance_uid=f"1.2.3.{i}",
            patient=patient,
            site=room.main,
            number_of_instances=i,
            modalities_in_study=["CT"],
        )
        for i in range(number)
    )
    ReadingItem.objects.bulk_create(
        ReadingItem(
            study=study,
            patient=patient,
            site=room.main,
            priority_rank=2,
            modality="CT",
            description="CT",
            since=now,
            due_at=now + datetime.timedelta(minutes=i // 3),  # several due at once
            **fields,
        )
        for i, study in enumerate(studies)
    )


def test_urgent_first_then_soonest_due(room):
    for priority in ("routine", "stat", "urgent", "stat"):
        room.item(priority=priority)
    items = reading_list(room.actor(room.falk)).items
    assert [item.priority for item in items] == ["stat", "stat", "urgent", "routine"]
    assert items[0].due_at <= items[1].due_at


def test_pages_hold_every_line_once(room):
    fill(room, 130)
    actor = room.actor(room.falk)
    seen, cursor = [], None
    while True:
        page = reading_list(actor, after=cursor, size=25)
        seen += [item.pk for item in page.items]
        if page.next is None:
            break
        cursor = Cursor.read(str(page.next))
    assert len(seen) == len(set(seen)) == 130
    assert seen == list(
        ReadingItem.objects.order_by("priority_rank", "due_at", "pk").values_list("pk", flat=True)
    )


def test_one_query_whatever_the_length(room):
    fill(room, 60)
    actor = room.actor(room.falk)
    with CaptureQueriesContext(
        connection,
    ) as found:
        items = reading_list(actor).items
        shown = [(i.patient.name_alphabetic, i.images, i.priors, i.claimed_by) for i in items]
    assert len(shown) == 50
    assert len(found) == 1


def test_page_is_read_along_the_index(room):
    fill(room, 5000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as found:
        page = reading_list(room.actor(room.falk))
        reading_list(room.actor(room.falk), after=page.next)
    for query in found.captured_queries:
        if "worklists_readingitem" not in query["sql"]:
            continue
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + query["sql"])
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "using reading_open" in plan, plan
        assert "Seq Scan on worklists_readingitem" not in plan, plan


def test_counts_stop_at_the_cap(room):
    fill(room, COUNT_CAP + 5)
    count = reading_count(room.actor(room.falk), ReadingFilters())
    assert str(count) == "1000+"


def test_counts_follow_the_policy_of_the_rows(room):
    room.item(priority="stat")
    room.item(site=room.north)
    falk, far = room.actor(room.falk), room.actor(room.north_reader)
    assert {k: v.number for k, v in reading_counts(falk).items()} == {
        "all": 1, "stat": 1, "mine": 0, "to-sign": 0, "unmatched": 0,
    }  # fmt: skip
    assert reading_counts(far)["all"].number == 1
    assert reading_counts(room.actor(room.hart))["all"].number == 0


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ({"modality": "CT"}, 2),
        ({"modality": "DX"}, 1),
        ({"body_part": "CHEST"}, 3),
        ({"site": "MAIN"}, 3),
        ({"site": "NORTH"}, 0),
        ({"state": "unread"}, 3),
        ({"state": "draft"}, 0),
        ({"images": "complete"}, 2),
        ({"images": "arriving"}, 1),
        ({"text": "okon"}, 1),
        ({"text": "OKONKWO"}, 1),
        ({"text": "nobody"}, 0),
        ({"show": "nonsense"}, 3),
    ],
)
def test_filters(room, filters, number):
    room.item(patient=room.patient("Okonkwo^Adaeze"))
    room.item(patient=room.patient("Santos^Rui"), procedure=room.xr)
    arriving = room.exam(room.patient("Duarte^Tomás"))
    room.study(arriving, completeness="RECEIVING")
    found = reading_list(room.actor(room.falk), ReadingFilters.read(filters))
    assert len(found.items) == number


def test_accession_number_finds_its_line(room):
    item = room.item()
    room.item()
    number = item.requested_procedure.order.accession_number
    (found,) = reading_list(room.actor(room.falk), ReadingFilters(text=number)).items
    assert found.pk == item.pk


def test_priors_of_merged_numbers_count(room):
    kept, old = room.patient(), room.patient()
    room.study(patient=old, date="20200101", tell=False)
    old.survivor = kept
    old.save()
    item = room.item(patient=kept)
    assert item_access(room.actor(room.falk), item.pk).priors == 1


def test_hidden_line_is_not_found(room):
    item = room.item()
    with pytest.raises(NotFoundError):
        item_access(room.actor(room.north_reader), item.pk)
    with pytest.raises(NotFoundError):
        item_access(room.actor(room.falk), 10**9)


def test_own_lists_are_kept_by_name_and_are_ones_own(room):
    falk, osei = room.actor(room.falk), room.actor(room.osei)
    chest = ReadingFilters(modality="CT", body_part="CHEST")
    row = services.reading_filter_save(actor=falk, name="My chest", filters=chest)
    services.reading_filter_save(actor=falk, name="My chest", filters=ReadingFilters(modality="MR"))
    ((kept, filters),) = saved_filters(falk)
    assert (kept.name, filters) == ("My chest", ReadingFilters(modality="MR"))
    assert saved_filters(osei) == []
    with pytest.raises(NotFoundError):
        services.reading_filter_delete(actor=osei, filter_id=row.pk)
    services.reading_filter_delete(actor=falk, filter_id=row.pk)
    assert saved_filters(falk) == []
    with pytest.raises(InvalidInputError):
        services.reading_filter_save(actor=falk, name="All", filters=ReadingFilters())


def test_an_address_that_is_only_followed_leads_on_and_claims_nothing(room, client):
    item = room.item()
    client.force_login(room.falk, backend="django.contrib.auth.backends.ModelBackend")
    patient = f"/patients/{item.patient_id}/"
    for verb in ("report", "open"):
        answer = client.get(f"/reading/{item.pk}/{verb}/")
        assert answer.status_code == 303
        assert answer["Location"].startswith(("/viewer/?StudyInstanceUIDs=", patient))
        assert client.get(answer["Location"]).status_code == 200
    item.refresh_from_db()
    assert item.claimed_by is None
    assert not Report.objects.exists()
    client.post(f"/reading/{item.pk}/report/")
    report = Report.objects.get()
    assert client.get(f"/reading/{item.pk}/report/")["Location"] == f"/reports/{report.pk}/"


def test_the_list_says_what_an_exam_waits_for(room, client):
    item = room.item()
    Study.objects.update(
        completeness="PARTIAL",
        completeness_evidence="waiting for 12 of 240 images: CT_1 names them",
    )
    client.force_login(room.falk, backend="django.contrib.auth.backends.ModelBackend")
    assert "Waiting for 12 of 240 images" in client.get("/reading/").content.decode()
    preview = client.get(f"/reading/{item.pk}/preview/").content.decode()
    assert "Not all images are here." in preview
    assert "Waiting for 12 of 240 images: CT_1 names them." in preview
