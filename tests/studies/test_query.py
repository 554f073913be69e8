"""One query engine: the standard's matching, the policy's rows."""

from itertools import chain

import pytest

from apps.accounts.models import ApplicationEntity, Site
from apps.accounts.selectors import actor_for_ae
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.uids import new_uid
from apps.patients.models import Patient
from apps.studies.models import Study
from apps.studies.query import Level, Query, search
from apps.studies.query.attributes import BY_KEYWORD
from apps.studies.services import instances_record
from tests.factories.dicom import as_file, ct_slice, stage

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor(settings):
    settings.ISOCENTER_OPEN_AE = True
    return actor_for_ae("CT_1", "127.0.0.1").actor


@pytest.fixture
def filed(actor):
    """Store one study per set of attributes; return how to ask for their IDs."""

    def store(*studies: dict):
        batch = [stage(as_file(ct_slice(**attributes))) for attributes in studies]
        instances_record(actor=actor, batch=batch, at=clock.now(), door="dimse")

    return store


def ask(actor, level=Level.STUDY, want="PatientID", *, fuzzy=False, limit=None, offset=0, **keys):
    query = Query(
        level,
        {BY_KEYWORD[keyword].tag: value for keyword, value in keys.items()},
        fuzzy=fuzzy,
        limit=limit,
        offset=offset,
    )
    answer = search(actor=actor, query=query, door="dimse")
    return [row[BY_KEYWORD[want].tag] for row in answer.rows]


PEOPLE = [
    {"PatientID": "A", "PatientName": "Müller^Jörg", "SpecificCharacterSet": "ISO_IR 192"},
    {"PatientID": "B", "PatientName": "Muller^Jana"},
    {"PatientID": "C", "PatientName": "Mullerson^Jan"},
    {
        "PatientID": "D",
        "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
        "SpecificCharacterSet": "ISO_IR 192",
    },
    {"PatientID": "E%_", "PatientName": "O'Brien^Sea%n"},
]


@pytest.mark.parametrize(
    ("keyword", "key", "found"),
    [
        ("PatientName", "MULLER^J*", "AB"),
        ("PatientName", "müller^jörg", "A"),
        ("PatientName", "Muller", ""),
        ("PatientName", "Muller*", "ABC"),
        ("PatientName", "*", "ABCDE%_"),
        ("PatientName", "", "ABCDE%_"),
        ("PatientName", "山田*", "D"),
        ("PatientName", "やまだ^たろう", "D"),
        ("PatientName", "M?ller^Jana", "B"),
        ("PatientName", "%", ""),
        ("PatientName", "*sea%n", "E%_"),
        ("PatientID", "E%_", "E%_"),
        ("PatientID", "E__", ""),
        ("PatientID", "?", "ABCD"),
        ("PatientID", "A\\C", "AC"),
    ],
)
def test_names_and_numbers(actor, filed, keyword, key, found):
    filed(*PEOPLE)
    assert "".join(sorted(ask(actor, **{keyword: key}))) == found


def test_fuzzy_names_match_by_beginnings_of_words(actor, filed):
    filed(*PEOPLE)
    assert sorted(ask(actor, fuzzy=True, PatientName="jan mull")) == ["B", "C"]


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"StudyDate": "20260102"}, "2"),
        ({"StudyDate": "20260102-20260103"}, "23"),
        ({"StudyDate": "-20260102"}, "12"),
        ({"StudyDate": "20260103-"}, "3"),
        ({"StudyTime": "10"}, "12"),
        ({"StudyTime": "1030-"}, "23"),
        ({"StudyTime": "-1015"}, "1"),
        ({"StudyDate": "20260101-20260102", "StudyTime": "1030-1100"}, "2"),
        ({"ModalitiesInStudy": "MR"}, "2"),
        ({"ModalitiesInStudy": "MR\\CT"}, "123"),
        ({"ModalitiesInStudy": "M*"}, "2"),
        ({"AccessionNumber": "ACC?"}, "13"),
        ({"StudyDescription": "*chest*"}, ""),
        ({"StudyDescription": "*CHEST*"}, "12"),
    ],
)
def test_dates_times_lists_and_texts(actor, filed, keys, found):
    filed(
        {"PatientID": "1", "StudyDate": "20260101", "StudyTime": "1015", "AccessionNumber": "ACC1"},
        {
            "PatientID": "2",
            "StudyDate": "20260102",
            "StudyTime": "103000.5",
            "Modality": "MR",
            "AccessionNumber": "X",
        },
        {
            "PatientID": "3",
            "StudyDate": "20260103",
            "StudyTime": "23",
            "AccessionNumber": "ACC3",
            "StudyDescription": "MR HEAD",
        },
        {
            "PatientID": "4",
            "StudyDate": "",
            "StudyTime": "",
            "Modality": "US",
            "StudyDescription": "",
        },
    )
    assert "".join(sorted(ask(actor, **keys))) == found


def test_levels_and_uid_lists(actor, filed):
    study, series = new_uid(), [new_uid(), new_uid()]
    filed(*({"study": study, "series": one, "number": n} for n in (1, 2) for one in series), {})
    assert sorted(ask(actor, Level.SERIES, "SeriesInstanceUID", StudyInstanceUID=study)) == sorted(
        series
    )
    images = ask(
        actor,
        Level.IMAGE,
        "InstanceNumber",
        StudyInstanceUID=study,
        SeriesInstanceUID="\\".join(series),
    )
    assert sorted(images) == ["1", "1", "2", "2"]
    assert ask(actor, Level.PATIENT, "PatientName") == ["Marlowe^June"]


def test_pages_have_a_stable_order_and_say_that_there_is_more(actor, filed):
    filed(*({"PatientID": str(n)} for n in range(5)))
    pages = [ask(actor, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert sorted(chain(*pages)) == list("01234")
    answer = search(actor=actor, query=Query(Level.STUDY, limit=2), door="dimse")
    assert answer.more


def test_a_merged_patient_is_found_by_any_alias_and_answers_as_the_survivor(actor, filed):
    filed(
        {"PatientID": "OLD", "PatientName": "Falk^Ines"},
        {"PatientID": "NEW", "PatientName": "Berg^Ines"},
    )
    old = Patient.objects.get(name_alphabetic="Falk^Ines")
    old.survivor = Patient.objects.get(name_alphabetic="Berg^Ines")
    old.save()
    for keys in ({"PatientID": "OLD"}, {"PatientID": "NEW"}, {"PatientName": "berg*"}):
        assert ask(actor, want="PatientName", **keys) == ["Berg^Ines", "Berg^Ines"], keys
    assert ask(actor, want="PatientName", PatientName="falk*") == ["Berg^Ines"]


def test_another_site_sees_nothing_and_every_search_is_on_record(actor, filed):
    filed({})
    site = Site.objects.create(
        code="EAST", name="East", issuer_of_patient_id="E", issuer_of_accession_number="E"
    )
    ApplicationEntity.objects.create(ae_title="WS", host="h", port=1, site=site)
    stranger = actor_for_ae("WS", "127.0.0.1").actor
    for level in Level:
        assert search(actor=stranger, query=Query(level), door="dimse").rows == []
    assert AuditEvent.objects.filter(event="studies.search", actor_key="ae:WS").count() == len(
        Level
    )
    assert Study.objects.count() == 1


def test_a_very_restricted_study_is_hidden_from_those_without_the_right(actor, filed):
    filed({})
    Study.objects.update(confidentiality="V")
    assert ask(actor) == []
