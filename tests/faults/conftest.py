import pytest

from tests.faults.killing import Siege
from tests.product import Product


@pytest.fixture(scope="session")
def bearer(running_product: Product) -> str:
    """A token for STOW-RS."""
    return running_product.token()


@pytest.fixture
def siege(running_product: Product, bearer: str) -> Siege:
    """The session's product, which serves, with an empty ledger."""
    made = Siege(running_product, bearer)
    made.wait_serving()
    return made
