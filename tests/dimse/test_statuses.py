"""Every domain error that can reach a DICOM peer has a status of its own choosing."""

import importlib
import pkgutil

import apps
from apps.core.errors import DomainError
from apps.dimse.statuses import STATUS_OF_CODE, is_warning

# What the commands and selectors behind the DIMSE services are made of.
REACHED = (
    "apps.core",
    "apps.archive",
    "apps.studies",
    "apps.worklists.modality",
    "apps.worklists.performing",
    "apps.dimse",
)
# Raised there for pages, rendering, STOW-RS and the import of files only.
NEVER = {
    "worklists.nothing-to-undo",
    "studies.cannot-render",
    "studies.cannot-present",
    "studies.no-referenced-image",
    "studies.not-a-dicom-file",
    "core.error",
    "studies.piece-out-of-place",
    "studies.metadata",
    "studies.bulk-missing",
    "studies.bulk-syntax",
}


def errors_within(error: type[DomainError]) -> set[type[DomainError]]:
    return {error} | {one for sub in error.__subclasses__() for one in errors_within(sub)}


def test_no_code_is_missing() -> None:
    for module in pkgutil.walk_packages(apps.__path__, "apps."):
        if module.name.startswith(REACHED) and ".management" not in module.name:
            importlib.import_module(module.name)
    reached = {
        error.code for error in errors_within(DomainError) if error.__module__.startswith(REACHED)
    }
    assert reached - NEVER <= STATUS_OF_CODE.keys()


def test_no_code_becomes_success_or_pending() -> None:
    for code, status in STATUS_OF_CODE.items():
        assert status not in (0, 0xFE00, 0xFF00, 0xFF01), code
        assert not is_warning(status), code
