import pytest

from apps.accounts.models import Site
from apps.core import clock
from apps.orders.models import Order
from apps.patients.models import Patient


@pytest.fixture
def patient_order(db):
    """Make an order in its first state."""

    def make() -> Order:
        site = Site.objects.get(code="MAIN")
        patient = Patient.objects.create(
            site=site,
            name_alphabetic="Falk^Ines",
            name_search="falk^ines",
            created_at=clock.now(),
            updated_at=clock.now(),
        )
        return Order.objects.create(
            site=site,
            patient=patient,
            accession_number="A1",
            issuer_of_accession_number="MAIN",
            ordered_at=clock.now(),
        )

    return make
