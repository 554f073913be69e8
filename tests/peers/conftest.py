"""The listener and the DICOMweb clients of their own areas."""

from tests.dicomweb.conftest import client_of
from tests.dimse.conftest import server

__all__ = ["client_of", "server"]
