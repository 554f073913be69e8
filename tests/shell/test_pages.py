"""The frame's pages without a browser: who may open what, and what is left in the trail."""

import datetime

import pytest
from django.template.loader import get_template

from apps.accounts.domain import Role
from apps.accounts.models import ApplicationEntity, Hl7Peer, Site, User
from apps.audit.models import AuditEvent
from apps.core import clock
from apps.core.words import person_name
from apps.patients.models import Patient
from apps.studies.models import StudyAttention
from tests.shell import hospital as department

R = Role


def test_htmx_is_told_that_the_sign_in_ended(client, hospital):
    assert client.get("/audit/", headers={"HX-Request": "true"}).status_code == 401


def test_each_role_begins_on_a_page_that_it_may_open(sign_in):
    for role in Role:
        answer = sign_in(role).get("/", follow=True)
        assert answer.status_code == 200, role
        assert answer.redirect_chain


def test_the_rail_counts_what_waits_for_a_person(sign_in, hospital):
    StudyAttention.objects.create(
        kind="unmatched",
        site=hospital.site,
        key="one",
        summary="Wrist right belongs to no order",
        opened_at=clock.now(),
    )
    shown = sign_in(R.TECHNOLOGIST).get("/welcome/").context["shell"].rail
    assert {e.key: e.count for e in shown}["attention"] == 1
    away = sign_in(R.PRIVACY_OFFICER).get("/welcome/").context["shell"].rail
    assert "attention" not in {e.key for e in away}


def test_absent_and_hidden_patients_look_the_same(sign_in, hospital):
    away = Site.objects.create(
        code="AWAY", name="Away", issuer_of_patient_id="A", issuer_of_accession_number="A"
    )
    hidden = department.patient("Away^Ann", None, "F", "77", site=away, at=clock.now())
    client = sign_in(R.TECHNOLOGIST)
    absent, other = client.get("/patients/999999/"), client.get(f"/patients/{hidden.pk}/")
    assert absent.status_code == other.status_code == 404
    strip = lambda answer: answer.content.decode().split("<body", 1)[1].split("hx-headers")[0]  # noqa: E731
    assert strip(absent) == strip(other)
    refused = AuditEvent.objects.get(event="patients.patient.viewed")
    assert (refused.outcome, refused.patient_key) == (4, str(hidden.pk))
    found = client.get("/palette/", {"q": "away"}).json()["groups"]
    assert not [g for g in found if g["title"] == "Patients"]


def test_a_referrer_sees_only_whom_a_grant_names(sign_in, hospital):
    client = sign_in(R.REFERRER)
    assert client.get(f"/patients/{hospital.okonkwo.pk}/").status_code == 404
    assert client.get("/palette/", {"q": "okonkwo"}).json()["groups"] == []


def test_patient_page_shows_the_chain_and_is_recorded(sign_in, hospital):
    answer = sign_in(R.PRIVACY_OFFICER).get(f"/patients/{hospital.okonkwo.pk}/")
    text = answer.content.decode()
    assert "<b>OKONKWO</b>, Adaeze" in text
    assert "born 04 Nov 1967" in text
    event = AuditEvent.objects.get(event="patients.patient.viewed")
    assert event.actor_roles == "privacy"
    assert event.patient_key == str(hospital.okonkwo.pk)


def test_exams_as_the_radiologist_sees_them(sign_in, hospital):
    answer = sign_in(R.RADIOLOGIST).get(f"/patients/{hospital.okonkwo.pk}/")
    exams = {e.title: e for e in answer.context["exams"] if e.status != "order.RE"}
    assert {title: e.status for title, e in exams.items()} == {
        "Pulmonary angiogram": "report.preliminary",
        "Knee left, after operation": "report.final",
        "Chest with contrast": "study.OFFLINE",
        "Wrist right": "study.PARTIAL",
    }
    chain = [(link.title, link.state) for link in exams["Pulmonary angiogram"].chain]
    assert chain == [
        ("Order", "done"),
        ("Arrived", "done"),
        ("Scan", "done"),
        ("Images", "done"),
        ("Preliminary", "now"),
        ("Result", "todo"),
    ]
    assert exams["Wrist right"].chain[0].state == "broken"
    assert exams["Chest with contrast"].viewer_query == ""
    text = answer.content.decode()
    assert "Preliminary" in text


def test_films_of_the_old_archive_are_said_to_be_elsewhere(sign_in, hospital):
    page = sign_in(R.RADIOLOGIST).get(f"/patients/{hospital.okonkwo.pk}/").context["exams"]
    key = next(e.key for e in page if e.title == "Chest with contrast")
    answer = sign_in(R.RADIOLOGIST).get(f"/patients/{hospital.okonkwo.pk}/", {"exam": key})
    text = answer.content.decode()
    assert "films of the old archive" in text
    assert "Open images" not in text


def test_a_technologist_does_not_see_what_a_preliminary_report_says(sign_in, hospital):
    url = f"/patients/{hospital.okonkwo.pk}/?exam=exam-{hospital.today.pk}"
    assert "pulmonary embolism" not in sign_in(R.TECHNOLOGIST).get(url).content.decode()
    assert "pulmonary embolism" in sign_in(R.RADIOLOGIST).get(url).content.decode()


def test_the_page_of_a_long_history_takes_no_more_queries(
    sign_in, hospital, django_assert_max_num_queries
):
    procedure = hospital.today.procedure
    for number in range(30):
        at = clock.now() - datetime.timedelta(days=20 * number)
        one = department.exam(hospital.okonkwo, hospital.site, procedure, at)
        found = department.study(hospital.okonkwo, at, "CT", uid=one.study_instance_uid)
        department.match(found, one, at)
    client = sign_in(R.RADIOLOGIST)
    with django_assert_max_num_queries(36):
        answer = client.get(f"/patients/{hospital.okonkwo.pk}/")
    assert len(answer.context["exams"]) == 35


def test_a_merged_patient_leads_to_the_survivor(sign_in, hospital):
    Patient.objects.filter(pk=hospital.okoro.pk).update(survivor=hospital.okonkwo)
    answer = sign_in(R.RADIOLOGIST).get(f"/patients/{hospital.okoro.pk}/")
    assert answer.url == f"/patients/{hospital.okonkwo.pk}/"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "oko"}, ["OKONKWO, Adaeze", "OKORO, Daniel"]),
        ({"q": "Okonkwo, Ada"}, ["OKONKWO, Adaeze"]),
        ({"q": "671104-7731"}, ["OKONKWO, Adaeze"]),
        ({"born": "1990-02-19"}, ["OKORO, Daniel"]),
        ({"q": "oko", "born": "1990-02-19"}, ["OKORO, Daniel"]),
        ({"q": "nobody"}, []),
        ({"q": "", "born": "1984-02-30"}, []),
    ],
)
def test_looking_a_person_up(sign_in, query, names):
    answer = sign_in(R.SCHEDULER).get("/patients/", query)
    assert [str(person_name(row["patient"])) for row in answer.context["rows"]] == names


def groups_for(client, query):
    return {g["title"]: g["items"] for g in client.get("/palette/", {"q": query}).json()["groups"]}


def test_palette_finds_people_exams_and_pages(sign_in, hospital):
    client = sign_in(R.RADIOLOGIST)
    accession = hospital.today.order.accession_number
    groups = groups_for(client, "okonkwo")
    assert groups["Patients"][0]["text"] == "OKONKWO, Adaeze"
    assert "04 Nov 1967 · F" in groups["Patients"][0]["detail"]
    groups = {
        g["title"]: g["items"] for g in client.get(f"/palette/?q={accession}").json()["groups"]
    }
    assert groups["Exams"][0]["url"].endswith(f"?exam=exam-{hospital.today.pk}")
    assert AuditEvent.objects.filter(event="workspace.palette.searched").count() == 2


def test_audit_search(sign_in, hospital):
    client = sign_in(R.PRIVACY_OFFICER)
    client.get(f"/patients/{hospital.okonkwo.pk}/")
    rows = client.get("/audit/", {"patient": "okonkwo", "who": "Nyholm"}).context["rows"]
    assert [r["words"] for r in rows] == ["Saw a patient's page"]
    assert client.get("/audit/", {"patient": "nobody at all"}).context["rows"] == []
    searches = AuditEvent.objects.filter(event="workspace.audit.searched")
    assert "okonkwo" in searches.order_by("pk")[0].query
    backwards = client.get("/audit/", {"first": "2026-03-02", "last": "2026-03-01"})
    assert "ends before it begins" in backwards.content.decode()
    assert backwards.context["rows"] == []


def test_audit_is_paged_by_key(sign_in, hospital):
    client = sign_in(R.PRIVACY_OFFICER)
    template = AuditEvent.objects.first()
    AuditEvent.objects.bulk_create(
        AuditEvent(
            at=template.at,
            event=template.event,
            action=template.action,
            actor_key="user:0",
            actor_display="Bulk",
            door="page",
        )
        for _ in range(120)
    )
    seen, query = [], "who=Bulk"
    while query:
        context = client.get(f"/audit/?{query}").context
        seen += [row["event"].pk for row in context["rows"]]
        query = context["next_query"]
    assert len(seen) == 120
    assert seen == sorted(set(seen), reverse=True)


def test_one_event_in_full(sign_in, hospital):
    event = AuditEvent.objects.exclude(patient_key="").first()
    answer = sign_in(R.PRIVACY_OFFICER).get(f"/audit/{event.pk}/")
    assert event.event in answer.content.decode()
    assert 'href="/audit/"' in answer.content.decode()  # a page, with its way back
    assert sign_in(R.RADIOLOGIST).get(f"/audit/{event.pk}/").status_code == 403


def test_a_node_is_added_and_changed(sign_in, hospital):
    client = sign_in(R.ADMINISTRATOR)
    form = {"ae_title": "CT_9", "host": "10.0.0.9", "port": "104", "site": "MAIN"}
    answer = client.post("/administration/nodes/new/", {**form, "verbs": ["echo"], "active": "on"})
    assert answer.url == "/administration/nodes/"
    node = ApplicationEntity.objects.get(ae_title="CT_9")
    assert (node.host, node.port, node.verbs, node.active) == ("10.0.0.9", 104, ["echo"], True)
    client.post(f"/administration/nodes/{node.pk}/", {**form, "port": "11112"})
    node.refresh_from_db()
    assert (node.port, node.active) == (11112, False)
    again = client.post("/administration/nodes/new/", form)
    assert again.status_code == 422
    assert "CT_9 is there already" in again.content.decode()
    renamed = client.post(f"/administration/nodes/{node.pk}/", {**form, "ae_title": "CT_8"})
    assert renamed.status_code == 422


def test_what_the_command_refuses_stands_beside_its_field(sign_in, hospital):
    answer = sign_in(R.ADMINISTRATOR).post(
        "/administration/nodes/new/",
        {"ae_title": "A\\B", "host": "h", "port": "104", "site": "MAIN"},
    )
    assert answer.status_code == 422
    assert "without a backslash" in answer.content.decode()
    assert answer.context["form"].errors.keys() == {"ae_title"}


def test_an_hl7_peer_and_an_account(sign_in, hospital):
    client = sign_in(R.ADMINISTRATOR)
    peer = {"name": "HIS", "app": "HIS", "site": "MAIN", "events": ["oru"], "active": "on"}
    assert client.post("/administration/peers/new/", peer).status_code == 302
    assert Hl7Peer.objects.get().app == "HIS"
    user = {"username": "new", "last_name": "Lind", "roles": ["radiologist"], "sites": ["MAIN"]}
    entered = client.post(
        "/administration/users/new/", {**user, "password": "long-enough-1", "active": "on"}
    )
    assert entered.status_code == 302
    made = User.objects.get(username="new")
    assert made.check_password("long-enough-1")
    client.post(f"/administration/users/{made.pk}/", {**user, "active": "on"})
    made.refresh_from_db()
    assert made.check_password("long-enough-1")


def test_choices_are_kept(sign_in, hospital, client):
    signed_in = sign_in(R.RADIOLOGIST)
    assert signed_in.post("/preferences/", {"theme": "light"}).status_code == 204
    assert signed_in.post("/preferences/", {"single_keys": "off"}).status_code == 204
    assert signed_in.post("/preferences/", {"theme": "pink"}).status_code == 400
    hospital.staff[R.RADIOLOGIST].refresh_from_db()
    kept = hospital.staff[R.RADIOLOGIST].preferences
    assert kept == {"theme": "light", "single_keys": "off"}
    text = signed_in.get("/welcome/").content.decode()
    assert 'data-theme="light"' in text
    assert 'data-single-keys="off"' in text


def test_a_stranger_may_choose_a_theme_too(client, hospital):
    client.post("/preferences/", {"theme": "light"})
    assert 'data-theme="light"' in client.get("/accounts/login/").content.decode()


@pytest.mark.parametrize("demo", [True, False])
def test_demonstration_accounts_are_named_only_there(client, hospital, settings, demo):
    settings.ISOCENTER_DEMO = demo
    text = client.get("/accounts/login/").content.decode()
    assert ('data-value="radiologist"' in text) is demo
    assert ("Demonstration hospital" in text) is demo


def test_open_doors_are_said_on_every_page(sign_in, settings):
    settings.ISOCENTER_OPEN_AE, settings.ISOCENTER_OPEN_HL7 = True, False
    assert (
        "Any DICOM sender is accepted." in sign_in(R.RADIOLOGIST).get("/welcome/").content.decode()
    )
    settings.ISOCENTER_OPEN_AE = False
    assert "sender is accepted" not in sign_in(R.RADIOLOGIST).get("/welcome/").content.decode()


def test_a_wrong_password_is_said(client, hospital):
    answer = client.post("/accounts/login/", {"login": "radiologist", "password": "wrong"})
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()


@pytest.mark.parametrize(
    "path", ["/accounts/reauthenticate/", "/accounts/password/change/", "/accounts/logout/"]
)
def test_account_pages(sign_in, path):
    assert sign_in(R.RADIOLOGIST).get(path).status_code == 200


def test_signing_in_and_out_is_recorded(client, hospital):
    wrong = {"login": "radiologist", "password": "wrong"}
    client.post("/accounts/login/", wrong)
    client.post("/accounts/login/", {**wrong, "password": department.PASSWORD})
    client.post("/accounts/logout/")
    events = AuditEvent.objects.filter(event__startswith="accounts.user.").order_by("pk")
    assert [(e.event.rpartition(".")[2], e.actor_display, e.outcome) for e in events] == [
        ("sign-in-failed", "radiologist", 4),
        ("signed-in", "Falk, Ines", 0),
        ("signed-out", "Falk, Ines", 0),
    ]


def test_a_page_that_is_not_there(sign_in, client):
    answer = sign_in(R.RADIOLOGIST).get("/nothing/like/this/")
    assert answer.status_code == 404
    assert "Nothing here" in answer.content.decode()


def test_a_form_without_its_token(hospital):
    from django.test import Client

    answer = Client(enforce_csrf_checks=True).post("/preferences/", {"theme": "dark"})
    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()


def test_the_server_s_own_failure_needs_nothing_to_be_shown():
    assert "The server failed" in get_template("500.html").render()


def test_every_page_has_the_policy_of_the_browser(sign_in):
    policy = sign_in(R.RADIOLOGIST).get("/welcome/").headers["Content-Security-Policy"]
    assert "script-src 'self' 'wasm-unsafe-eval'" in policy
    assert "unsafe-inline" not in policy


def test_the_schema_of_the_api(sign_in):
    answer = sign_in(R.ADMINISTRATOR).get("/api/schema/")
    assert answer.status_code == 200
    assert b"Isocenter API" in answer.content
