"""What foreign peers do to us: pynetdicom's queries and retrieves, dcmtk's receiver."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
)

from apps.accounts.models import ApplicationEntity, Site
from tests.dimse.installation import free_port
from tests.dimse.servers import Server

FIND = StudyRootQueryRetrieveInformationModelFind
MOVE = StudyRootQueryRetrieveInformationModelMove


@contextmanager
def associated(server: Server, *contexts: str, roles=(), handlers=(), title="PYNET") -> Iterator:
    ae = AE(title)
    for context in contexts:
        ae.add_requested_context(context)
    assoc = ae.associate(
        "127.0.0.1",
        server.port,
        ae_title="ISOCENTER",
        ext_neg=list(roles),
        evt_handlers=list(handlers),
    )
    assert assoc.is_established
    yield assoc
    assoc.release()


def query(level: str = "STUDY", **keys: str) -> Dataset:
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


def find(
    server: Server, ds: Dataset, model: str = FIND, roles: Sequence[Any] = ()
) -> tuple[list[Dataset], list[int]]:
    with associated(server, model, roles=roles) as assoc:
        answers = list(assoc.send_c_find(ds, model))
    return [row for _, row in answers if row is not None], [s.Status for s, _ in answers]


@contextmanager
def running(port: int, *command: str) -> Iterator[int]:
    """Run a foreign server, from when its port answers to the end of the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)  # a port has no event to wait for
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def sink(folder: Path, *options: str) -> Iterator[int]:
    folder.mkdir(exist_ok=True)
    port = free_port()
    with running(port, "storescp", "-od", str(folder), *options, str(port)):
        yield port


def register(title: str, port: int) -> None:
    site = Site.objects.get(code="MAIN")
    ApplicationEntity.objects.create(ae_title=title, host="127.0.0.1", port=port, site=site)


def extended(model: str, *options: int) -> SOPClassExtendedNegotiation:
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid = model
    item.service_class_application_information = bytes(options)
    return item


def move(
    server: Server, ds: Dataset, destination: str, roles: Sequence[Any] = ()
) -> list[tuple[Dataset, Dataset | None]]:
    with associated(server, MOVE, roles=roles) as assoc:
        return list(assoc.send_c_move(ds, destination, MOVE))
