"""The listener and the DICOMweb clients of their own areas, and one of the running product."""

import pytest
from dicomweb_client.api import DICOMwebClient

from tests.dicomweb.conftest import client_of
from tests.dimse.conftest import server
from tests.product import Product

__all__ = ["client_of", "server"]


@pytest.fixture(scope="session")
def token(running_product: Product) -> str:
    """A bearer token of the running product's administrator."""
    return running_product.token()


@pytest.fixture(scope="session")
def client(running_product: Product, token: str) -> DICOMwebClient:
    """A foreign client of the running product's DICOMweb."""
    return DICOMwebClient(
        f"{running_product.url}/dicom-web", headers={"Authorization": f"Bearer {token}"}
    )
