"""The allow list of an AE against every DIMSE request: verb x request x own/other -> answer.

Asked over the real listener by pynetdicom. `NOT_AUTHORISED` is 0124H (PS3.7 C.5.23); what is of
another site is like absent: no match, no sub-operation, 0112H.
"""

import datetime
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, Association, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    ModalityPerformedProcedureStep,
    ModalityWorklistInformationFind,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from apps.accounts.domain import Verb
from apps.accounts.models import ApplicationEntity, Site
from apps.accounts.selectors import actor_for_ae
from apps.core import clock
from apps.core.uids import new_uid
from apps.dimse.sop_classes import Service
from apps.scheduling.models import ScheduledStep
from apps.studies.services import instances_record
from apps.worklists.services import performed_step_create
from tests.dimse.conftest import server
from tests.dimse.installation import free_port
from tests.dimse.servers import Server
from tests.factories.dicom import as_file, ct_slice, stage
from tests.scheduling.conftest import Department, make_department

__all__ = ["server"]
pytestmark = [pytest.mark.peer, pytest.mark.django_db(transaction=True)]

NOT_AUTHORISED = "0124"
CLASSES = (
    Verification,
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    ModalityWorklistInformationFind,
    ModalityPerformedProcedureStep,
    StorageCommitmentPushModel,
)


@dataclass
class Place:
    """What one site has: a stored study, a booked step, a performed step that began."""

    study: str
    accession: str
    performed: str


@dataclass
class World:
    own: Place
    other: Place
    destination: str


def place(department: Department, site: Site, procedure: int) -> Place:
    scanner = f"MAKE{site.code}"
    ApplicationEntity.objects.create(ae_title=scanner, host="127.0.0.1", port=104, site=site)
    actor = actor_for_ae(scanner, "127.0.0.1").actor
    ds = ct_slice()
    instances_record(actor=actor, batch=[stage(as_file(ds))], at=clock.now(), door="dimse")
    exam = department.exam(site=site)
    at = clock.now() + datetime.timedelta(days=1)
    ScheduledStep.objects.create(
        requested_procedure=exam,
        site=site,
        status="SCHEDULED",
        scheduled_procedure_step_id=f"SPS{procedure}",
        modality="CT",
        scheduled_station_ae_title="CT1",
        start_at=at,
        start_date=at.date(),
        start_time=at.time(),
    )
    performed = performed_step_create(actor=actor, attributes=performed_step(), at=clock.now())
    return Place(str(ds.StudyInstanceUID), exam.order.accession_number, performed.sop_instance_uid)


def performed_step() -> Dataset:
    """An N-CREATE that names no step of ours: an emergency, taken as it comes."""
    ds, item = Dataset(), Dataset()
    item.StudyInstanceUID = new_uid()
    ds.ScheduledStepAttributesSequence = [item]
    ds.PerformedProcedureStepID, ds.PerformedStationAETitle = "P1", "CT1"
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = "20261124", "101112"
    ds.PerformedProcedureStepStatus, ds.Modality = "IN PROGRESS", "CT"
    return ds


@pytest.fixture
def world(server: Server) -> Iterator[World]:
    """Two sites, an AE at the first for each verb, one with all and one with none."""
    department = make_department()
    allow = {verb.value.upper(): [verb.value] for verb in Verb} | {"NONE": []}
    allow["ALL"] = [verb.value for verb in Verb]
    for title, verbs in allow.items():
        ApplicationEntity.objects.create(
            ae_title=title, host="127.0.0.1", port=104, site=department.site, verbs=verbs
        )
    sink = AE("SINK")
    sink.add_supported_context(CTImageStorage)
    port = free_port()
    listening = sink.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda event: 0x0000)]
    )
    ApplicationEntity.objects.create(
        ae_title="SINK", host="127.0.0.1", port=port, site=department.site
    )
    yield World(
        place(department, department.site, 1), place(department, department.other, 2), "SINK"
    )
    listening.shutdown()


@contextmanager
def associated(server: Server, title: str) -> Iterator[Association]:
    ae = AE(title)
    for uid in CLASSES:
        ae.add_requested_context(uid)
    assoc = ae.associate(
        "127.0.0.1",
        server.port,
        ae_title="ISOCENTER",
        ext_neg=[build_role(CTImageStorage, scu_role=True, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, lambda event: 0x0000)],
    )
    assert assoc.is_established
    yield assoc
    assoc.release()


def echo(assoc: Association, of: Place, world: World) -> str:
    return f"{assoc.send_c_echo().Status:04X}"


def store(assoc: Association, of: Place, world: World) -> str:
    ds = ct_slice()
    as_file(ds)  # gives it its file meta information
    return f"{assoc.send_c_store(ds).Status:04X}"


def keys(of: Place, level: str = "STUDY") -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel, ds.StudyInstanceUID = level, of.study
    return ds


def counted(answers: Iterator[tuple[Dataset, Dataset | None]]) -> str:
    """The number of matches, or the status that refused them."""
    found = list(answers)
    refusal = found[-1][0].Status
    return f"{refusal:04X}" if refusal else str(len([row for _, row in found if row is not None]))


def moved(answers: Iterator[tuple[Dataset, Dataset | None]]) -> str:
    """The number of sub-operations that were done, or the status that refused them."""
    *_, (final, _) = answers
    return f"{final.Status:04X}" if final.Status else str(final.NumberOfCompletedSuboperations)


def find(assoc: Association, of: Place, world: World) -> str:
    return counted(assoc.send_c_find(keys(of), StudyRootQueryRetrieveInformationModelFind))


def get(assoc: Association, of: Place, world: World) -> str:
    return moved(assoc.send_c_get(keys(of), StudyRootQueryRetrieveInformationModelGet))


def move(assoc: Association, of: Place, world: World) -> str:
    model = StudyRootQueryRetrieveInformationModelMove
    return moved(assoc.send_c_move(keys(of), world.destination, model))


def worklist(assoc: Association, of: Place, world: World) -> str:
    ds = Dataset()
    ds.AccessionNumber, ds.ScheduledProcedureStepSequence = of.accession, [Dataset()]
    return counted(assoc.send_c_find(ds, ModalityWorklistInformationFind))


def mpps_create(assoc: Association, of: Place, world: World) -> str:
    uid = new_uid()
    status, _ = assoc.send_n_create(performed_step(), ModalityPerformedProcedureStep, uid)
    return f"{status.Status:04X}"


def mpps_set(assoc: Association, of: Place, world: World) -> str:
    ds = Dataset()
    ds.PerformedProcedureStepDescription = "Head"
    status, _ = assoc.send_n_set(ds, ModalityPerformedProcedureStep, of.performed)
    return f"{status.Status:04X}"


def commitment(assoc: Association, of: Place, world: World) -> str:
    """The question is taken whoever's it is; what is of another site is then not confirmed."""
    ds, item = Dataset(), Dataset()
    ds.TransactionUID, ds.ReferencedSOPSequence = new_uid(), [item]
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, of.study
    status, _ = assoc.send_n_action(
        ds, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    return f"{status.Status:04X}"


Request = Callable[[Association, Place, World], str]
TABLE: dict[str, tuple[Request, Service, str, str]] = {
    # request: how it is asked, the verb it needs, answer about the own and the other site's
    "C-ECHO": (echo, Service.ECHO, "0000", "0000"),
    "C-STORE": (store, Service.STORE, "0000", "0000"),
    "C-FIND": (find, Service.FIND, "1", "0"),
    "C-GET": (get, Service.GET, "1", "0"),
    "C-MOVE": (move, Service.MOVE, "1", "0"),
    "C-FIND worklist": (worklist, Service.WORKLIST, "1", "0"),
    "N-CREATE": (mpps_create, Service.MPPS, "0000", "0000"),
    "N-SET": (mpps_set, Service.MPPS, "0000", "0112"),
    "N-ACTION": (commitment, Service.COMMIT, "0000", "0000"),
}


def test_every_service_is_in_the_table() -> None:
    missing = set(Service) - {service for _, service, _, _ in TABLE.values()}
    assert not missing, f"add how these are asked to {__file__}: {missing}"
    assert {service.value for service in Service} <= {verb.value for verb in Verb}


def test_an_ae_may_do_what_its_verbs_name_and_nothing_else(server: Server, world: World) -> None:
    wrong = []
    titles = [*(verb.value.upper() for verb in Verb), "ALL", "NONE"]
    for title in titles:
        with associated(server, title) as assoc:
            for name, (ask, service, own, other) in TABLE.items():
                allowed = title in (service.value.upper(), "ALL")
                for of, expected in ((world.own, own), (world.other, other)):
                    answer = ask(assoc, of, world)
                    if answer != (expected if allowed else NOT_AUTHORISED):
                        wrong.append(f"{title} asks {name}: {answer} about {of}")
    assert not wrong, "\n".join(wrong)
