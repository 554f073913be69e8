"""One query engine: the standard's matching, the policy's rows."""

from itertools import chain

import pytest

from apps.accounts.models import ApplicationEntity, Site
from apps.accounts.selectors import actor_for_ae
from apps.audit.models import AuditEvent
from apps.core import clock, sql
from apps.core.uids import new_uid
from apps.patients.models import Patient
from apps.studies.errors import QueryRefusedError, QueryTooBroadError
from apps.studies.models import Study
from apps.studies.query import Level, Query, guard, search
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


def ask(actor, level=Level.STUDY, want="PatientID", *, fuzzy=False, combined=False, limit=None,
        offset=0, **keys):  # fmt: skip
    query = Query(
        level,
        {BY_KEYWORD[keyword].tag: value for keyword, value in keys.items()},
        fuzzy=fuzzy,
        combined=combined,
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


MOMENTS = [
    {"PatientID": "1", "StudyDate": "20060705", "StudyTime": "0930"},
    {"PatientID": "2", "StudyDate": "20060705", "StudyTime": "10"},
    {"PatientID": "3", "StudyDate": "20060706", "StudyTime": "030000"},
    {"PatientID": "4", "StudyDate": "20060707", "StudyTime": "180000.5"},
    {"PatientID": "5", "StudyDate": "20060707", "StudyTime": "1801"},
    {"PatientID": "6", "StudyDate": "20060707", "StudyTime": ""},
]


@pytest.mark.parametrize(
    ("moment", "combined", "found"),
    [  # PS3.4 C.2.2.2.5, the note's own example
        (("20060705-20060707", "1000-1800"), True, "2346"),
        (("20060705-20060707", "1000-1800"), False, "24"),
        (("20060705-", "1000-"), True, "23456"),
        (("-20060706", "-0300"), True, "123"),
        (("20060705", "1000-1800"), True, "2"),
        (("20060705-20060707", "10"), True, "2"),
        (("20060705-20060707", "1000-"), True, "245"),
    ],
)
def test_a_date_and_a_time_are_one_moment_where_that_is_agreed(
    actor, filed, moment, combined, found
):
    filed(*MOMENTS)
    keys = dict(zip(("StudyDate", "StudyTime"), moment, strict=True))
    assert "".join(sorted(ask(actor, combined=combined, **keys))) == found


@pytest.mark.parametrize(
    ("keyword", "key", "found"),
    [
        ("StudyTime", "100000", "2"),
        ("StudyTime", "100000.0-", "245"),
        ("StudyTime", "093000", "1"),
        ("StudyTime", "-0959", "13"),
    ],
)
def test_times_match_whatever_their_precision(actor, filed, keyword, key, found):
    filed(*MOMENTS)
    assert "".join(sorted(ask(actor, **{keyword: key}))) == found


@pytest.mark.parametrize(
    ("level", "asked", "found"),
    [
        (Level.SERIES, {"SeriesNumber": "7"}, "A"),
        (Level.SERIES, {"SeriesNumber": "07"}, "A"),
        (Level.SERIES, {"Modality": "ct"}, ""),
        (Level.SERIES, {"Modality": "C?"}, "AB"),
        (Level.SERIES, {"SeriesDescription": "50%_x"}, "A"),
        (Level.SERIES, {"SeriesDescription": "50*"}, "AB"),
        (Level.IMAGE, {"Rows": "16"}, "AB"),
        (Level.IMAGE, {"InstanceNumber": "3"}, "B"),
        (Level.IMAGE, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.*"}, ""),
        (Level.STUDY, {"ReferringPhysicianName": "MULLER^jorg"}, "A"),
        (Level.STUDY, {"ReferringPhysicianName": "müller*"}, "AB"),
        (Level.STUDY, {"ReferringPhysicianName": "Muller"}, ""),
        (Level.STUDY, {"StudyInstanceUID": "1.2.*"}, ""),
    ],
)
def test_each_vr_matches_as_it_may(actor, filed, level, asked, found):
    text = {"SpecificCharacterSet": "ISO_IR 192"}
    filed(
        {"PatientID": "A", "SeriesNumber": "7", "SeriesDescription": "50%_x", **text}
        | {"ReferringPhysicianName": "Müller^Jörg", "InstanceNumber": 1},
        {"PatientID": "B", "SeriesNumber": "70", "SeriesDescription": "500x", **text}
        | {"ReferringPhysicianName": "Mullerson^J^^", "InstanceNumber": 3},
    )
    assert "".join(sorted(ask(actor, level, **asked))) == found


@pytest.mark.parametrize(
    ("keyword", "key"),
    [("SeriesNumber", "1*"), ("StudyDate", "2026*"), ("StudyTime", "ten"), ("Rows", "many")],
)
def test_what_no_value_of_a_vr_can_be_is_refused(actor, filed, keyword, key):
    filed({})
    with pytest.raises(QueryRefusedError):
        ask(actor, Level.IMAGE, **{keyword: key})


def test_keys_of_levels_below_find_what_holds_such_a_thing(actor, filed):
    study = new_uid()
    filed(
        {"PatientID": "A", "study": study, "Modality": "MR", "SeriesNumber": 1},
        {"PatientID": "A", "study": study, "Modality": "CT", "SeriesNumber": 2},
        {"PatientID": "B", "Modality": "MR", "SeriesNumber": 2},
    )
    assert ask(actor, Modality="CT") == ["A"]
    assert ask(actor, Modality="CT", SeriesNumber="1") == []  # of one and the same series
    assert sorted(ask(actor, Level.PATIENT, Modality="MR")) == ["A", "B"]
    assert ask(actor, Level.SERIES, "Modality", Rows="16", SeriesNumber="2", PatientID="A") == [
        "CT"
    ]
    uid = ask(actor, Level.IMAGE, "SOPInstanceUID", Modality="CT")[0]
    assert ask(actor, SOPInstanceUID=uid) == ["A"]
    assert ask(actor, Level.PATIENT, SOPInstanceUID=uid, PatientName="Marl*") == ["A"]


def test_a_patient_is_found_by_what_is_known_of_him_today(actor, filed):
    filed({"PatientID": "A", "PatientBirthDate": "19700101", "PatientSex": "F"})
    patient = Patient.objects.get()
    patient.birth_date, patient.sex, patient.version = "1970-01-02", "M", 2
    patient.save()
    assert ask(actor, want="PatientBirthDate", PatientBirthDate="19700102") == ["19700102"]
    assert ask(actor, PatientSex="M") == ["A"]
    assert ask(actor, PatientBirthDate="19700102-19700131", PatientSex="M") == ["A"]


def test_a_patient_counts_studies_series_and_instances(actor, filed):
    study = new_uid()
    filed({"study": study}, {"study": study}, {})
    for keyword, number in (
        ("NumberOfPatientRelatedStudies", 2),
        ("NumberOfPatientRelatedSeries", 3),
        ("NumberOfPatientRelatedInstances", 3),
    ):
        assert ask(actor, Level.PATIENT, keyword) == [number]


def test_the_guard_rail_says_when_it_cut_the_answer(actor, filed, settings):
    filed({}, {}, {})
    settings.ISOCENTER_QUERY_ROWS = 2
    answer = search(actor=actor, query=Query(Level.STUDY), door="dimse")
    assert (len(answer.rows), answer.more, answer.too_many) == (2, True, True)
    answer = search(actor=actor, query=Query(Level.STUDY, limit=1), door="dimse")
    assert (len(answer.rows), answer.more, answer.too_many) == (1, True, False)
    settings.ISOCENTER_QUERY_ROWS_OF = {"ae": 5, "referrer": 1}
    assert not search(actor=actor, query=Query(Level.STUDY), door="dimse").more


def test_what_no_index_serves_is_bounded_in_cost_and_time(actor, filed, settings):
    filed({}, {"StudyDescription": "MR KNEE"})
    description = {"StudyDescription": "*KNEE*"}
    assert len(ask(actor, **description)) == 1
    settings.ISOCENTER_QUERY_COST = 0.01
    with pytest.raises(QueryTooBroadError):
        ask(actor, **description)
    assert len(ask(actor, PatientID="P1", **description)) == 1  # an index serves it: not watched
    assert len(ask(actor, StudyDate="20261120")) == 2


def test_a_query_that_takes_too_long_is_stopped(actor, settings, db):
    settings.ISOCENTER_QUERY_SECONDS = 0.05
    with pytest.raises(QueryTooBroadError), guard.watched(Level.STUDY, {0x00081030: "*x*"}):
        sql.fetch("SELECT pg_sleep(30)", [])
    assert sql.fetch("SHOW statement_timeout", []) == [("0",)]
