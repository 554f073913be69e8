"""Clients of the DICOMweb door."""

from collections.abc import Callable

import numpy as np
import pytest
from django.test import Client
from pydicom import Dataset

from apps.accounts.domain import Role
from apps.accounts.models import MAIN_SITE, Site
from apps.accounts.services import token_issue, user_save
from apps.core import clock
from apps.core.actors import system_actor
from tests.factories.dicom import as_file, ct_slice


@pytest.fixture
def client_of(db) -> Callable[..., Client]:
    """Return a client with a token of a new account that has a role, at a site."""

    def make(role: Role = Role.TECHNOLOGIST, site: str = MAIN_SITE, name: str = "") -> Client:
        username = name or f"{role.value}-{site}".lower()
        system = system_actor("test")
        user_save(actor=system, username=username, roles=[role], site_codes=[site])
        token = token_issue(actor=system, username=username, at=clock.now())
        return Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=True)

    return make


@pytest.fixture
def web(client_of) -> Client:
    """A technologist of MAIN: may store and fetch."""
    return client_of()


@pytest.fixture
def east(db) -> Site:
    """Another site."""
    return Site.objects.create(
        code="EAST", name="East", issuer_of_patient_id="EAST", issuer_of_accession_number="EAST"
    )


def multipart(*files: bytes, boundary: str = "b0undary") -> dict[str, object]:
    """Arguments of `Client.post` for a STOW-RS request."""
    body = b"".join(
        b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (boundary.encode(), file)
        for file in files
    )
    return {
        "data": body + b"--%s--\r\n" % boundary.encode(),
        "content_type": f'multipart/related; type="application/dicom"; boundary={boundary}',
    }


def part(body: bytes, content_type: str, location: str = "") -> bytes:
    """One part with the boundary before it."""
    where = f"Content-Location: {location}\r\n" if location else ""
    return f"--b0undary\r\nContent-Type: {content_type}\r\n{where}\r\n".encode() + body + b"\r\n"


def related(media_type: str, *parts: bytes) -> dict[str, object]:
    """Arguments of `Client.post` for parts whose root is of a media type."""
    return {
        "data": b"".join(parts) + b"--b0undary--\r\n",
        "content_type": f'multipart/related; type="{media_type}"; boundary=b0undary',
    }


@pytest.fixture
def image() -> Dataset:
    """A picture with no symmetry, of values from -1024 to 3071 in the units of its slope."""
    return ct_slice(
        size=64,
        PixelRepresentation=0,
        PixelData=np.arange(64 * 64, dtype="<u2").tobytes(),
    )


Put = Callable[..., Dataset]


@pytest.fixture
def put(web: Client) -> Put:
    """Store objects, and return the last."""

    def stored(*objects: Dataset) -> Dataset:
        for ds in objects:
            assert web.post("/dicom-web/studies", **multipart(as_file(ds))).status_code == 200
        return objects[-1]

    return stored
