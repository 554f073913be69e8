"""The one policy: the filter and the check agree, and nothing is open by default."""

import itertools

import pytest

from apps.accounts.domain import Confidentiality, Permission, Role, Verb
from apps.accounts.models import MAIN_SITE, AccessGrant, ApplicationEntity, Site, User
from apps.accounts.policy import Facts, allows
from apps.accounts.selectors import (
    UnknownPeerError,
    actor_for_ae,
    actor_for_token,
    actor_for_user,
)
from apps.accounts.services import ae_register, token_issue
from apps.accounts.steps import access_grant
from apps.core import clock
from apps.core.actors import Actor, ActorKind, system_actor
from apps.core.errors import InvalidInputError, NotFoundError, NotPermittedError
from apps.patients.models import Patient
from apps.studies import policies
from apps.studies.models import Study

pytestmark = pytest.mark.django_db


@pytest.fixture
def sites():
    east = Site.objects.create(
        code="EAST", name="East", issuer_of_patient_id="E", issuer_of_accession_number="E"
    )
    return {"MAIN": Site.objects.get(code=MAIN_SITE), "EAST": east}


@pytest.fixture
def studies(sites):
    """One study per site and confidentiality."""
    patient = Patient.objects.create(
        site=sites["MAIN"],
        name_alphabetic="X",
        name_search="x",
        created_at=clock.now(),
        updated_at=clock.now(),
    )
    return [
        Study.objects.create(
            study_instance_uid=f"1.{n}",
            patient=patient,
            site=sites[site],
            confidentiality=confidentiality.value,
        )
        for n, (site, confidentiality) in enumerate(itertools.product(sites, Confidentiality))
    ]


def user(role: Role, site: Site) -> Actor:
    account = User.objects.create(username=f"{role.value}", roles=[role.value])
    account.sites.add(site)
    return actor_for_user(account)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_list_and_detail_agree_for_every_role_and_permission(sites, studies, role, permission):
    actor = user(role, sites["MAIN"])
    listed = set(Study.objects.filter(policies.visible(actor, permission)))
    allowed = {
        study
        for study in studies
        if allows(
            actor,
            permission,
            Facts(study.site_id, study.confidentiality, study.patient_id, []),
        )
    }
    assert listed == allowed


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        (Role.RADIOLOGIST, {"1.0", "1.1"}),
        (Role.SCHEDULER, set()),
        (Role.REFERRER, set()),
        (Role.PRIVACY_OFFICER, set()),
        (Role.ADMINISTRATOR, {"1.0", "1.1", "1.2", "1.3", "1.4", "1.5"}),
    ],
)
def test_which_studies_each_role_sees(sites, studies, role, seen):
    actor = user(role, sites["MAIN"])
    found = Study.objects.filter(policies.visible(actor)).values_list(
        "study_instance_uid", flat=True
    )
    assert set(found) == seen


def test_a_grant_opens_the_patient_to_a_referrer_until_it_is_revoked(sites, studies):
    account = User.objects.create(username="r", roles=["referrer"])
    patient = studies[0].patient_id
    access_grant(
        actor=system_actor("test"),
        user=account,
        reason="order",
        at=clock.now(),
        patient_key=patient,
    )
    actor = actor_for_user(account)
    assert Study.objects.filter(policies.visible(actor)).count() == len(studies)
    assert allows(actor, Permission.STUDY_READ, Facts(sites["EAST"].pk, "V", patient))
    AccessGrant.objects.update(revoked_at=clock.now())
    assert not Study.objects.filter(policies.visible(actor)).exists()


def test_an_actor_without_anything_sees_nothing(studies):
    nobody = Actor(kind=ActorKind.USER, key="user:0", display="Nobody")
    for permission in Permission:
        assert not Study.objects.filter(policies.visible(nobody, permission)).exists()


def test_an_unknown_ae_is_refused_unless_the_door_is_open(settings, sites):
    settings.ISOCENTER_OPEN_AE = False
    with pytest.raises(UnknownPeerError):
        actor_for_ae("NEW", "127.0.0.1")
    settings.ISOCENTER_OPEN_AE = True
    assert actor_for_ae("NEW", "127.0.0.1").actor.home_site == sites["MAIN"].pk
    ApplicationEntity.objects.create(
        ae_title="OFF", host="h", port=1, site=sites["MAIN"], active=False
    )
    with pytest.raises(UnknownPeerError):
        actor_for_ae("OFF", "127.0.0.1")


def test_verbs_narrow_what_an_ae_may_do(settings, sites):
    console = system_actor("console")
    ae_register(
        actor=console, ae_title="FINDER", host="h", port=1, site_code="EAST", verbs=[Verb.FIND]
    )
    peer = actor_for_ae("FINDER", "127.0.0.1")
    assert peer.actor.may(Permission.STUDY_READ)
    assert not peer.actor.may(Permission.STUDY_STORE)
    assert peer.actor.sites == {sites["EAST"].pk}


@pytest.mark.parametrize(("title", "port"), [("", 1), ("A" * 17, 1), ("A\\B", 1), ("OK", 70000)])
def test_an_impossible_ae_is_refused(sites, title, port):
    with pytest.raises(InvalidInputError):
        ae_register(
            actor=system_actor("console"),
            ae_title=title,
            host="h",
            port=port,
            site_code="MAIN",
            verbs=[],
        )


def test_tokens_open_the_door_of_their_account_only(sites):
    account = User.objects.create(username="t", roles=["radiologist"])
    account.sites.add(sites["EAST"])
    token = token_issue(actor=system_actor("console"), username="t", at=clock.now())
    actor = actor_for_token(token)
    assert actor is not None
    assert (actor.key, actor.sites) == (f"user:{account.pk}", {sites["EAST"].pk})
    assert actor_for_token(token + "x") is None
    with pytest.raises(NotFoundError):
        token_issue(actor=system_actor("console"), username="nobody", at=clock.now())
    with pytest.raises(NotPermittedError):
        token_issue(actor=actor, username="t", at=clock.now())
