"""Opening a study: who may, what comes with it, and what the trail keeps of it."""

import re

import pytest
from django.urls import reverse

from apps.accounts.domain import Role
from apps.audit.models import AuditEvent, Outcome
from apps.core import clock
from apps.core.uids import new_uid
from apps.patients.models import Patient
from apps.reports.models import Report
from apps.studies.models import Study
from tests.factories.dicom import ct_slice

pytestmark = pytest.mark.django_db
TOKEN = re.compile(rb'X-CSRFToken": "[^"]*"')
ALONE = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def read(client, clinic):
    """Ask as somebody: `read(Role.RADIOLOGIST, "viewer", uid)`."""

    def answer(role: Role, name: str, *uids: str):
        client.force_login(clinic.staff[role], backend=ALONE)
        return client.get(reverse(f"viewer:{name}"), {"StudyInstanceUIDs": ",".join(uids)})

    return answer


def test_strangers_sign_in_first(client, clinic):
    answer = client.get(reverse("viewer:viewer"), {"StudyInstanceUIDs": new_uid()})
    assert answer.status_code == 302
    assert "/accounts/login/" in answer["Location"]


def test_the_page_names_the_person_and_brings_the_launch(read, store):
    ds = ct_slice(PatientName="Okonkwo^Adaeze", PatientID="4081773")
    store([ds])
    answer = read(Role.RADIOLOGIST, "viewer", ds.StudyInstanceUID)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "<b>OKONKWO</b>, Adaeze" in text
    assert "04 Nov 1967" in text
    assert "4081773" in text
    assert ds.SeriesInstanceUID in text
    assert "unsafe-eval" not in answer["Content-Security-Policy"].replace("wasm-unsafe-eval", "")
    assert "unsafe-inline" not in answer["Content-Security-Policy"]


def test_the_launch_lists_series_and_priors_newest_first(read, store):
    now, before = ct_slice(StudyDate="20261120"), ct_slice(StudyDate="20240819")
    older = ct_slice(StudyDate="20200101")
    store([now, before, older])
    launch = read(Role.RADIOLOGIST, "launch", now.StudyInstanceUID).json()
    [study] = launch["studies"]
    assert study["study_instance_uid"] == now.StudyInstanceUID
    assert study["series"] == [
        {
            "series_instance_uid": now.SeriesInstanceUID,
            "modality": "CT",
            "number": 1,
            "description": "AXIAL",
            "instances": 1,
        }
    ]
    expected = [before.StudyInstanceUID, older.StudyInstanceUID]
    assert [prior["study_instance_uid"] for prior in launch["priors"]] == expected
    assert launch["priors"][0]["moment"] == "19 Aug 2024"


def test_offline_priors_are_said_to_be_offline(read, store, clinic):
    ds = ct_slice()
    store([ds])
    patient = Patient.objects.get()
    Study.objects.create(
        site=clinic.site,
        patient=patient,
        study_instance_uid=new_uid(),
        study_date="20010203",
        availability="OFFLINE",
    )
    [prior] = read(Role.RADIOLOGIST, "launch", ds.StudyInstanceUID).json()["priors"]
    assert prior["availability"] == "OFFLINE"
    assert prior["availability_words"]
    assert prior["series"] == []


def test_every_view_is_in_the_trail(read, store):
    ds = ct_slice()
    store([ds])
    read(Role.RADIOLOGIST, "viewer", ds.StudyInstanceUID)
    [event] = AuditEvent.objects.filter(event="studies.viewed")
    assert event.study_instance_uid == ds.StudyInstanceUID
    assert event.patient_key == str(Patient.objects.get().pk)
    assert (event.door, event.actor_display) == ("page", "Falk, Ines")


@pytest.mark.parametrize("name", ["viewer", "launch"])
def test_absent_and_hidden_look_the_same(read, store, name):
    ds = ct_slice()
    store([ds])
    hidden = read(Role.REFERRER, name, ds.StudyInstanceUID)
    absent = read(Role.REFERRER, name, new_uid())
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert TOKEN.sub(b"", hidden.content) == TOKEN.sub(b"", absent.content)
    [event] = AuditEvent.objects.filter(event="studies.access-refused")
    assert (event.study_instance_uid, event.outcome) == (
        ds.StudyInstanceUID,
        Outcome.MINOR_FAILURE,
    )
    assert not AuditEvent.objects.filter(event="studies.viewed").exists()


def test_one_hidden_study_closes_the_page(read, store):
    ds = ct_slice()
    store([ds])
    assert read(Role.RADIOLOGIST, "viewer", ds.StudyInstanceUID, new_uid()).status_code == 404


def test_no_study_named_is_not_found(read, clinic):
    assert read(Role.RADIOLOGIST, "viewer").status_code == 404


def test_two_people_are_never_under_one_name(read, store):
    one, other = ct_slice(PatientID="P1"), ct_slice(PatientID="P2", PatientName="Reeve^Sam")
    store([one, other])
    answer = read(Role.RADIOLOGIST, "viewer", one.StudyInstanceUID, other.StudyInstanceUID)
    assert answer.status_code == 422
    assert "different people" in answer.content.decode()


def test_a_draft_of_somebody_else_is_no_report_for_a_referrer(read, store, clinic):
    ds = ct_slice()
    store([ds])
    study = Study.objects.get()
    report = Report.objects.create(
        site=clinic.site,
        patient=study.patient,
        status="registered",
        author=clinic.staff[Role.RADIOLOGIST],
        created_at=clock.now(),
    )
    report.studies.add(study)
    mine = read(Role.RADIOLOGIST, "launch", ds.StudyInstanceUID).json()
    assert mine["studies"][0]["report"]["words"] == "Draft"
    theirs = read(Role.TECHNOLOGIST, "launch", ds.StudyInstanceUID).json()
    assert theirs["studies"][0]["report"] is None
