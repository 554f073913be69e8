"""The conformance statement's facts, gathered from the tables that the code works by.

Source: PS3.2 Annex A (form), PS3.2 Annex N (what each part has to say).
"""

from typing import Any

from django.conf import settings

from apps.conformance import dimse, web
from apps.core import character_sets

CONFIGURATION = {
    "ISOCENTER_AE_TITLE": "our AE title, called and calling",
    "ISOCENTER_DICOM_PORT": "TCP port of the DICOM listener",
    "ISOCENTER_DICOM_TLS_PORT": "TCP port of DICOM over TLS",
    "ISOCENTER_DICOM_TLS_CERTIFICATE": "PEM file of our certificate; with the next two, TLS is on",
    "ISOCENTER_DICOM_TLS_KEY": "PEM file of its key, without a passphrase",
    "ISOCENTER_DICOM_TLS_CA": "PEM file of the authorities whose certificates are let in",
    "ISOCENTER_HTTP_PORT": "TCP port of DICOMweb",
    "ISOCENTER_OPEN_AE": "whether AEs that are not registered come in; never in production",
    "ISOCENTER_ASSOCIATION_DAYS": "days for which the record of associations is kept",
    "ISOCENTER_QUERY_ROWS": "matches in one answer at most",
    "ISOCENTER_QUERY_ROWS_OF": "the same by role, or `ae`",
    "ISOCENTER_QUERY_SECONDS": "seconds for a query that no index serves",
    "ISOCENTER_QUERY_COST": "its cost at most, in the planner's units",
    "ISOCENTER_WORKLIST_STARTED": "whether scanners still see steps that have begun",
}
"""Settings that change what a peer meets. Each is a variable of the environment."""


def facts() -> dict[str, Any]:
    """Return all facts of this installation."""
    return {
        "product": "Isocenter",
        "version": settings.ISOCENTER_VERSION,
        "http_port": settings.ISOCENTER_HTTP_PORT,
        "dimse": dimse.facts(),
        "dicomweb": web.facts(),
        "character_sets": list(character_sets.SUPPORTED),
        "configuration": [
            {"name": name, "value": getattr(settings, name), "what": what}
            for name, what in CONFIGURATION.items()
        ],
    }
