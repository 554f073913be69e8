"""How much of a study has come: the judgement, and the evidence it is given."""

import datetime

import pytest

from apps.accounts.domain import Permission
from apps.accounts.models import Site
from apps.accounts.selectors import actor_for_ae
from apps.core import clock
from apps.core.actors import Actor, ActorKind, system_actor
from apps.core.errors import ConflictError, NotFoundError
from apps.core.uids import new_uid
from apps.exchange.services import commitment_request
from apps.studies.commitment import Reference
from apps.studies.completeness import Counted, Facts, Named, gaps, judge
from apps.studies.models import Study, StudyAttention
from apps.studies.services import instances_record, studies_settle
from apps.studies.services.settling import study_accept, study_accept_undo
from tests.factories.dicom import as_file, ct_slice, stage

SCANNER = "the scanner's step on CT_1"
COMMIT = "the storage commitment request of CT_1"


@pytest.mark.parametrize(
    ("facts", "completeness", "words"),
    [
        (Facts(3, None), "RECEIVING", "3 images so far"),
        (Facts(1, 60), "COMPLETE", "1 image, none new for 60 s, no gap in their numbers"),
        (
            Facts(228, 60, named=[Named(SCANNER, 240, 12, whole=True)]),
            "PARTIAL",
            "waiting for 12 of 240 images: the scanner's step on CT_1 names them",
        ),
        (
            Facts(239, None, named=[Named(SCANNER, 240, 1, whole=True)]),
            "RECEIVING",
            "waiting for 1 of 240 images: the scanner's step on CT_1 names it",
        ),
        (
            Facts(241, None, named=[Named(SCANNER, 240, 0, whole=True)], late=1),
            "COMPLETE",
            "all 240 images that the scanner's step on CT_1 names; 1 came after it was complete",
        ),
        (
            Facts(240, 90, named=[Named(SCANNER, 240, 0, whole=True)], running="X"),
            "RECEIVING",
            "X has not ended; 240 images so far",
        ),
        (
            Facts(20, 60, named=[Named(COMMIT, 20, 0, whole=False)], gaps={"series 1": "7"}),
            "COMPLETE",
            "all 20 images that the storage commitment request of CT_1 names",
        ),
        (
            Facts(30, 60, named=[Named(COMMIT, 20, 0, whole=False)], gaps={"series 1": "7"}),
            "PARTIAL",
            "series 1 has no image 7",
        ),
        (
            Facts(30, 60, counted=[Counted("PET series 4", 35, 30)]),
            "PARTIAL",
            "waiting for 5 of 35 images: PET series 4 says so",
        ),
        (
            Facts(30, 60, gaps={"series 1": "7"}, accepted="Vale, Ann"),
            "COMPLETE",
            "Vale, Ann called it complete as it is, with 30 images",
        ),
    ],
)
def test_the_strongest_evidence_judges(facts, completeness, words):
    verdict = judge(facts)
    assert (verdict.completeness.value, verdict.words) == (completeness, words)


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ({"a": [1, 2, 3, 4]}, {}),
        ({"a": [1, 2, 5, 6]}, {"a": "3 to 4"}),
        ({"a": [*range(1, 13), *range(25, 41)]}, {"a": "13 to 24"}),
        ({"a": [1, 2, 3, 5, 6, 8]}, {"a": "4, 7"}),
        ({"a": [1, 3, 5, 7]}, {}),  # echoes that take turns
        ({"a": [1, 3, 5, 9]}, {"a": "7"}),
        ({"a": [1, 2, 3, 7, 8], "b": [4, 5, 6]}, {}),  # numbered on from series to series
        ({"a": [1, 1, 2, 4]}, {}),  # numbers used twice say nothing
        ({"a": [1, 2, 900]}, {}),  # more missing than here
        ({"a": [1, 4]}, {}),
        ({"a": [5, 6, 7]}, {}),
        ({"a": []}, {}),
        ({"a": [1, 2, 10**9]}, {}),
    ],
)
def test_gaps_in_numbers(numbers, found):
    assert gaps(numbers) == found


@pytest.fixture
def modality(settings, db) -> Actor:
    settings.ISOCENTER_OPEN_AE = True
    return actor_for_ae("CT_1", "127.0.0.1").actor


@pytest.fixture
def send(modality):
    def send(*slices, at=None):
        instances_record(
            actor=modality,
            batch=[stage(as_file(one)) for one in slices],
            at=at or clock.now(),
            door="dimse",
        )

    return send


def settled(minutes: int = 2) -> Study:
    at = clock.now() + datetime.timedelta(minutes=minutes)
    studies_settle(actor=system_actor("test"), at=at)
    return Study.objects.get()


def slices(*numbers, **more):
    study, series = new_uid(), new_uid()
    return [ct_slice(study=study, series=series, number=n, **more) for n in numbers]


def person(site: str = "MAIN") -> Actor:
    return Actor(
        kind=ActorKind.USER,
        key="user:7",
        display="Vale, Ann",
        permissions=frozenset({Permission.STUDY_RECONCILE.value, Permission.STUDY_READ.value}),
        sites=frozenset({Site.objects.get(code=site).pk}),
    )


def items():
    return StudyAttention.objects.filter(kind="incomplete", resolved_at=None)


def test_a_gap_makes_a_study_partial_until_the_late_image_comes(send):
    came = slices(1, 2, 3, 4, 5)
    send(*came[:2], *came[3:])
    study = settled()
    assert study.completeness == "PARTIAL"
    assert study.completeness_evidence == "series 1 (AXIAL) has no image 3"
    assert items().get().summary == "Series 1 (AXIAL) has no image 3"
    send(came[2])
    assert Study.objects.get().completeness == "RECEIVING"
    study = settled()
    assert study.completeness == "COMPLETE"
    assert study.completeness_evidence.startswith("5 images, none new for")
    assert not items().exists()


def test_an_image_that_is_late_reopens_and_is_told(send):
    came = slices(1, 2, 3)
    send(*came[:2])
    at = clock.now() + datetime.timedelta(minutes=2)
    assert settled().completed_at >= at - datetime.timedelta(seconds=5)
    send(came[2], at=at + datetime.timedelta(minutes=1))
    study = Study.objects.get()
    assert study.completeness == "RECEIVING"
    assert study.completeness_evidence == "more images came after it was complete"
    study = settled(10)
    assert study.completeness == "COMPLETE"
    assert study.completeness_evidence.endswith("; 1 came after it was complete")


def test_what_a_commitment_request_names_is_waited_for(send, modality):
    came = slices(1, 2, 3)
    send(*came[:2])
    asked = {
        "actor": modality,
        "ae_title": "CT_1",
        "site_id": Site.objects.get(code="MAIN").pk,
        "association": "a",
        "transaction_uid": new_uid(),
        "references": [Reference(str(d.SOPClassUID), str(d.SOPInstanceUID)) for d in came],
    }
    commitment_request(**asked, at=clock.now())
    study = Study.objects.get()
    assert study.completeness == "RECEIVING"
    assert study.completeness_evidence == (
        "waiting for 1 of 3 images: the storage commitment request of CT_1 names it"
    )
    assert settled().completeness == "PARTIAL"
    assert items().count() == 1
    send(came[2])
    study = settled(5)
    assert (study.completeness, study.completeness_evidence) == (
        "COMPLETE",
        "all 3 images that the storage commitment request of CT_1 names",
    )


def test_a_commitment_over_two_studies_blames_neither_for_what_is_missing(send, modality):
    one, two = slices(1), slices(1)
    send(*one, *two)
    commitment_request(
        actor=modality,
        ae_title="CT_1",
        site_id=Site.objects.get(code="MAIN").pk,
        association="a",
        transaction_uid=new_uid(),
        references=[
            Reference(str(d.SOPClassUID), str(d.SOPInstanceUID)) for d in (*one, *two, ct_slice())
        ],
        at=clock.now(),
    )
    at = clock.now() + datetime.timedelta(minutes=2)
    studies_settle(actor=system_actor("test"), at=at)
    assert set(Study.objects.values_list("completeness", flat=True)) == {"COMPLETE"}


def test_the_images_say_how_many_their_acquisition_made(send):
    send(*slices(1, 2, ImagesInAcquisition=4))
    study = settled()
    assert (study.completeness, study.completeness_evidence) == (
        "PARTIAL",
        "waiting for 2 of 4 images: their acquisition says so",
    )


def test_a_pet_series_says_how_many_images_it_has(send):
    pet = {"Modality": "PT", "SeriesType": ["DYNAMIC", "IMAGE"]}
    send(*slices(1, 2, NumberOfSlices=3, NumberOfTimeSlices=2, **pet))
    assert settled().completeness_evidence == "waiting for 4 of 6 images: PET series 1 says so"


def test_a_person_calls_it_complete_and_takes_it_back(send):
    came = slices(1, 2, 4, 5)
    send(*came)
    study = settled()
    uid = study.study_instance_uid
    with pytest.raises(NotFoundError):
        Site.objects.create(code="EAST", name="East", issuer_of_patient_id="E")
        study_accept(actor=person("EAST"), study_instance_uid=uid, at=clock.now())
    study_accept(actor=person(), study_instance_uid=uid, at=clock.now())
    study.refresh_from_db()
    assert study.completeness == "COMPLETE"
    assert study.completeness_evidence.startswith("Vale, Ann called it complete as it is")
    assert not items().exists()
    with pytest.raises(ConflictError):
        study_accept(actor=person(), study_instance_uid=uid, at=clock.now())
    study_accept_undo(actor=person(), study_instance_uid=uid, at=clock.now())
    study.refresh_from_db()
    assert study.completeness == "PARTIAL"
    assert items().count() == 1
    study_accept(actor=person(), study_instance_uid=uid, at=clock.now())
    send(ct_slice(study=uid, series=str(came[0].SeriesInstanceUID), number=8))
    assert settled(5).completeness == "PARTIAL"  # what was said held for what was here then


def test_settling_ends_though_studies_go_on_receiving(send):
    send(*slices(1))
    at = clock.now() + datetime.timedelta(seconds=10)
    assert studies_settle(actor=system_actor("test"), at=at) == 0
    late = at + datetime.timedelta(minutes=2)
    assert studies_settle(actor=system_actor("test"), at=late) == 1
    assert studies_settle(actor=system_actor("test"), at=late) == 0
