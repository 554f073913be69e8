"""Patients: numbers with issuer, races, merge and its undo, who sees whom."""

import datetime
import threading

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.domain import AT_SITES, BY_GRANT, Role
from apps.accounts.models import Site
from apps.accounts.selectors import main_site
from apps.audit.models import AuditEvent
from apps.core.actors import Actor, ActorKind, system_actor
from apps.core.errors import InvalidInputError, NotFoundError, NotPermittedError
from apps.core.models import OutboxEvent
from apps.patients import selectors, services, steps
from apps.patients.domain import Demographics, QualifiedId, fold, name_search, spoken_name
from apps.patients.models import Patient, PatientIdentifier

AT = datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC)
SYSTEM = system_actor("test")


def user_actor(role, sites, key="user:1"):
    return Actor(
        kind=ActorKind.USER,
        key=key,
        display=key,
        permissions=frozenset(p.value for p in AT_SITES[role]),
        granted=frozenset(p.value for p in BY_GRANT.get(role, ())),
        sites=frozenset(site.pk for site in sites),
        grantees=frozenset({key}),
    )


def register(*ids, site=None, actor=SYSTEM, **said):
    said.setdefault("name", "Falk^Ines")
    identifiers = [QualifiedId(*one.split("@")) for one in ids]
    return services.patient_register(
        actor=actor,
        identifiers=identifiers,
        demographics=Demographics(**said),
        site_id=(site or main_site()).pk,
        at=AT,
    )


@pytest.fixture
def north(db):
    return Site.objects.create(
        code="NORTH", name="North", issuer_of_patient_id="N", issuer_of_accession_number="N"
    )


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Müller^HANS", "muller^hans"),
        ("ŁUKASZ", "łukasz"),
        ("  two   blanks ", "two blanks"),
        ("Straße", "strasse"),
        ("山田^太郎", "山田^太郎"),
        ("ΠΑΠΆΣ", "παπασ"),
    ],
)
def test_fold(text, folded):
    assert fold(text) == folded
    assert fold(folded) == folded


def test_names():
    assert name_search("Müller^A", "", "x") == "muller^a==x"
    assert spoken_name("Falk^Ines^Ann^Dr") == "Falk, Ines Ann"


def test_same_number_of_two_issuers_is_two_people(db):
    one, two = register("7@NORTH"), register("7@SOUTH")
    assert one.created
    assert two.created
    assert one.patient.pk != two.patient.pk


def test_known_identifier_updates_and_adds(db):
    first = register("7@NORTH", sex="F", birth_date=datetime.date(1970, 1, 2))
    again = register("7@NORTH", "9@NHS", name="Falk^Inês=山田^太郎", sex="F")
    assert not again.created
    assert again.changed
    patient = Patient.objects.get(pk=first.patient.pk)
    assert patient.name_search == "falk^ines=山田^太郎"
    assert patient.birth_date == datetime.date(1970, 1, 2)  # not said is not deleted
    assert patient.version == 2
    assert sorted(patient.identifiers.values_list("value", "primary")) == [
        ("7", True),
        ("9", False),
    ]
    same = register("7@NORTH", name="Falk^Inês=山田^太郎")
    assert not same.changed
    assert OutboxEvent.objects.filter(name="patients.patient.updated").count() == 1
    assert AuditEvent.objects.filter(event="patients.patient.updated").count() == 1


def test_deleted_values(db):
    patient = register("7@N", sex="F", birth_date=datetime.date(1970, 1, 2), phone="1").patient
    register("7@N", sex="", phone="", birth_date_deleted=True)
    patient.refresh_from_db()
    assert (patient.sex, patient.phone, patient.birth_date) == ("", "", None)


def test_identifiers_of_two_people_are_a_conflict(db):
    register("7@NORTH")
    register("9@NHS")
    with pytest.raises(steps.IdentifierConflictError):
        register("7@NORTH", "9@NHS")


@pytest.mark.parametrize("ids", [[], ["7@"], ["@N"], ["x" * 65 + "@N"]])
def test_identifier_without_issuer_is_refused(db, ids):
    with pytest.raises(InvalidInputError):
        register(*ids)


def test_account_numbers_join_nobody(db):
    with pytest.raises(InvalidInputError):
        register("7@N@AN")


def race(work, count=8):
    barrier = threading.Barrier(count)
    results, errors = [], []

    def run():
        try:
            barrier.wait(10)
            results.append(work())
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results, errors


@pytest.mark.django_db(transaction=True)
def test_parallel_creates_make_one_patient():
    results, errors = race(lambda: register("7@NORTH", "8@NHS"))
    assert not errors
    assert len({one.patient.pk for one in results}) == 1
    assert sum(one.created for one in results) == 1
    assert Patient.objects.count() == 1
    assert PatientIdentifier.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_race_exists_without_the_retry():
    site = main_site().pk
    hold = threading.Barrier(4)

    def naive():
        with transaction.atomic():
            ids = [QualifiedId("7", "NORTH", "MR")]
            assert steps._find(ids) is None
            hold.wait(10)
            return steps._create(ids, Demographics(name="A"), site, "N", AT)

    results, errors = race(naive, 4)
    assert len(results) == 1
    assert {type(error) for error in errors} == {IntegrityError}


def test_merge_and_undo(db):
    a, b, c = (register(f"{n}@N", name=f"P^{n}").patient for n in "abc")
    kept = services.patient_merge(actor=SYSTEM, patient_id=a.pk, into_id=b.pk, reason="same", at=AT)
    assert kept.pk == b.pk
    assert selectors.patient_by_identifier(value="a", issuer="N").pk == b.pk
    # A later message with the old number changes the survivor, and adds no row.
    said = register("a@N", name="P^new")
    assert said.patient.pk == b.pk
    services.patient_merge(actor=SYSTEM, patient_id=b.pk, into_id=c.pk, reason="same", at=AT)
    assert selectors.patient_by_identifier(value="a", issuer="N").pk == c.pk
    assert selectors.alias_keys(c) == [c.pk, a.pk, b.pk]
    for source, target in ((c, a), (c, b), (a, a), (c, c)):
        with pytest.raises(services.MergeRefusedError):
            services.patient_merge(
                actor=SYSTEM, patient_id=source.pk, into_id=target.pk, reason="", at=AT
            )
    services.patient_unmerge(actor=SYSTEM, patient_id=b.pk, at=AT)
    assert selectors.patient_by_identifier(value="a", issuer="N").pk == b.pk
    assert selectors.patient_by_identifier(value="c", issuer="N").pk == c.pk
    services.patient_unmerge(actor=SYSTEM, patient_id=a.pk, at=AT)
    assert selectors.patient_by_identifier(value="a", issuer="N").pk == a.pk
    with pytest.raises(services.MergeRefusedError):
        services.patient_unmerge(actor=SYSTEM, patient_id=a.pk, at=AT)


def test_merging_twice_is_one_merge(db):
    a, b = (register(f"{n}@N").patient for n in "ab")
    for _ in range(2):
        services.patient_merge(actor=SYSTEM, patient_id=a.pk, into_id=b.pk, reason="", at=AT)
    assert a.merges.count() == 1


def test_policy(db, north):
    main = main_site()
    here = register("1@M", name="Here^Ann").patient
    there = register("2@N", site=north, name="There^Bob").patient
    scheduler = user_actor(Role.SCHEDULER, [main])
    assert list(selectors.patients_visible_to(scheduler)) == [here]
    assert selectors.patient_access(scheduler, here.pk) == here
    with pytest.raises(NotFoundError):
        selectors.patient_access(scheduler, there.pk)
    Patient.objects.filter(pk=here.pk).update(confidentiality="V")
    assert list(selectors.patients_visible_to(scheduler)) == []
    assert selectors.patient_search(scheduler, "Here") == []
    referrer = user_actor(Role.REFERRER, [main])
    assert list(selectors.patients_visible_to(referrer)) == []
    with pytest.raises(NotPermittedError):
        register("3@M", actor=referrer)
    with pytest.raises(NotPermittedError):
        register("3@M", actor=scheduler, site=north)


@pytest.mark.parametrize("text", ["muller", "MÜLLER an", "Müller, Anna", "muller^anna", "4711"])
def test_search(db, text):
    register("4711@N", name="Müller^Anna")
    register("4712@N", name="Muller^Bert" if text != "muller" else "Meyer^Bert")
    assert [p.given_name for p in selectors.patient_search(SYSTEM, text)] == ["Anna"]
