"""The quarantine's pages: what waits and why, deciding about many at once, the rules by sender."""

import json

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from apps.accounts.domain import Role
from apps.audit.models import AuditEvent
from apps.studies.models import Instance, IntakeRule, QuarantinedObject
from apps.studies.quarantine import quarantined_file

pytestmark = pytest.mark.django_db
PAGE = "/quarantine/"


def keys():
    return list(QuarantinedObject.objects.order_by("pk").values_list("pk", flat=True))


def notes(answer):
    return [(note.message, note.extra_tags) for note in answer.context["messages"]]


def test_it_lists_what_waits_with_sender_reason_and_patient(sign_in, held_back):
    held_back(2, unreadable=1)
    answer = sign_in(Role.TECHNOLOGIST).get(PAGE)
    html = answer.content.decode()
    assert answer.context["waiting"] == 3
    assert "The pixel data has another length than its description says" in html
    assert "It ends before its pixels do: the transfer broke off" in html
    assert "<b>MARLOWE</b>, June" in html
    narrowed = sign_in(Role.TECHNOLOGIST).get(PAGE, {"why": "studies.truncated"})
    assert narrowed.context["total"] == 1
    assert sign_in(Role.TECHNOLOGIST).get(PAGE, {"source": "ae:OTHER"}).context["total"] == 0


def test_an_object_shows_its_header_and_is_audited(sign_in, held_back):
    held_back(1)
    [key] = keys()
    answer = sign_in(Role.TECHNOLOGIST).get(f"{PAGE}{key}/")
    html = answer.content.decode()
    assert "0010,0010" in html
    assert "Marlowe^June" in html
    assert "512 bytes, where 1 frame of 15 × 16" in html
    assert AuditEvent.objects.filter(
        event="studies.quarantine.viewed", object_key=f"quarantine:{key}"
    ).exists()


def test_the_file_comes_down_as_it_is_kept(sign_in, held_back):
    held_back(1)
    row = QuarantinedObject.objects.get()
    answer = sign_in(Role.RADIOLOGIST).get(f"{PAGE}{row.pk}/file/")
    assert b"".join(answer.streaming_content) == b"".join(quarantined_file(row))
    assert "attachment" in answer["Content-Disposition"]
    assert AuditEvent.objects.filter(event="studies.quarantine.downloaded").exists()


def test_many_are_released_at_once_and_what_cannot_be_filed_stays(sign_in, held_back):
    held_back(3, unreadable=1)
    answer = sign_in(Role.TECHNOLOGIST).post(
        f"{PAGE}release/", {"key": keys(), "reason": "The scout is like that"}, follow=True
    )
    [(words, undo)] = notes(answer)
    assert words.startswith("3 objects released, in the archive. 1 object could not be filed")
    assert undo == ""
    assert Instance.objects.count() == 3
    assert list(QuarantinedObject.objects.order_by("pk").values_list("state", flat=True)) == [
        "released", "released", "released", "held",
    ]  # fmt: skip


def test_many_are_discarded_at_once_and_taken_back(sign_in, held_back):
    held_back(2)
    client = sign_in(Role.TECHNOLOGIST)
    answer = client.post(f"{PAGE}discard/", {"key": keys(), "reason": "Phantom"}, follow=True)
    [(words, undo)] = notes(answer)
    assert words == "2 objects discarded"
    assert client.get(PAGE, {"show": "decided"}).context["total"] == 2
    taken_back = client.post(undo)
    assert json.loads(taken_back["HX-Trigger"])["toast"]["text"] == "2 objects back in quarantine"
    assert [str(m) for m in get_messages(taken_back.wsgi_request)][-1:] == [
        "2 objects back in quarantine"
    ]
    assert client.get(PAGE).context["waiting"] == 2


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"reason": "x"}, "Choose at least one object."),
        ({"key": ["1"], "reason": " "}, "Say why, in a few words."),
    ],
)
def test_a_decision_needs_objects_and_a_reason(sign_in, held_back, said, words):
    held_back(1)
    answer = sign_in(Role.TECHNOLOGIST).post(f"{PAGE}discard/", said, follow=True)
    assert notes(answer)[0][0] == words
    assert QuarantinedObject.objects.get().state == "held"


@pytest.mark.parametrize("role", [Role.SCHEDULER, Role.REFERRER, Role.PRIVACY_OFFICER])
def test_who_may_not_mend_images_does_not_see_them(sign_in, held_back, role):
    held_back(1)
    client = sign_in(role)
    [key] = keys()
    for path in ("", f"{key}/", f"{key}/file/", "rules/"):
        assert client.get(PAGE + path).status_code == 403
    answer = client.post(f"{PAGE}release/", {"key": [key], "reason": "x"})
    assert answer.status_code == 403


def test_an_object_of_another_site_is_not_there(sign_in, held_back, hospital):
    held_back(1)
    other = type(hospital.staff[Role.TECHNOLOGIST].home_site).objects.create(
        code="EAST", name="East", issuer_of_patient_id="E", issuer_of_accession_number="E"
    )
    QuarantinedObject.objects.update(site=other)
    client = sign_in(Role.TECHNOLOGIST)
    [key] = keys()
    assert client.get(PAGE).context["waiting"] == 0
    assert client.get(f"{PAGE}{key}/").status_code == 404
    gone = client.post(f"{PAGE}discard/", {"key": [key], "reason": "x"})
    assert gone.status_code == 404


def test_an_administrator_sets_the_rule_of_a_sender(sign_in, held_back):
    client = sign_in(Role.ADMINISTRATOR)
    assert b"CT_1" in client.get(f"{PAGE}rules/").content
    client.post(f"{PAGE}rules/", {"source": "*", "action": "refuse", "probe_pixels": "on"})
    rule = IntakeRule.objects.get(source="*")
    assert (rule.action, rule.probe_pixels) == ("refuse", True)
    client.post(f"{PAGE}rules/", {"source": "ae:CT_1", "action": ""})
    assert not IntakeRule.objects.filter(source="ae:CT_1").exists()
    assert client.post(f"{PAGE}rules/", {"source": "*", "action": "x"}).status_code == 422
    assert sign_in(Role.TECHNOLOGIST).get(f"{PAGE}rules/").status_code == 403


def test_attention_leads_to_the_quarantine(sign_in, held_back):
    held_back(2)
    answer = sign_in(Role.TECHNOLOGIST).get(reverse("workspace:attention"), {"kind": "quarantined"})
    html = answer.content.decode()
    assert "2 objects wait in quarantine, from CT_1" in html
    assert "/quarantine/?source=ae%3ACT_1" in html
