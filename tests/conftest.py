"""Fixtures of every area: shared example files, foreign programs, the browser."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from tests.dimse.installation import Installation, installation
from tests.product import Product, product
from tests.seaweed import ObjectStore, object_store

CHECKOUT = Path(__file__).resolve().parent.parent
# sync Playwright keeps an event loop in the main thread, where Django's ORM is used too
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(autouse=True)
def sign_ins_not_counted() -> None:
    """Sign-ins are limited by address and minute, and the tests have one address."""
    cache.clear()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, postgres_server: None
) -> None:
    """Start the server before pytest-django makes the test database in it."""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of shared example files (`data/` of ISOCENTER_SHARED, default ../shared)."""
    folder = Path(os.environ.get("ISOCENTER_SHARED") or CHECKOUT.parent / "shared") / "data"
    if not folder.is_dir():
        pytest.skip(f"the shared example files are not here: {folder} (set ISOCENTER_SHARED)")
    return folder


def _program(name: str, package: str) -> str:
    path = shutil.which(name, path=f"/usr/bin{os.pathsep}{os.environ.get('PATH', '')}")
    if path is None:
        message = f"{name} is missing: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(f"{message} (in CI its tests must not be skipped)", pytrace=False)
        pytest.skip(message)
    return path


@pytest.fixture(scope="session")
def dcmtk() -> Callable[[str], str]:
    """Give the path of one of dcmtk's programs: `dcmtk("storescu")`.

    Debian's, never pynetdicom's programs of the same names, which the environment also holds.
    """

    def program(name: str) -> str:
        return _program(name, "dcmtk")

    return program


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's chromium."""
    return os.environ.get("CHROMIUM") or _program("chromium", "chromium")


@pytest.fixture(scope="session")
def strace() -> str:
    """The path of Debian's strace."""
    return _program("strace", "strace")


@pytest.fixture(scope="session")
def dciodvfy() -> str:
    """The path of dicom3tools' validator of information objects."""
    return _program("dciodvfy", "dicom3tools")


@pytest.fixture(scope="session")
def orthanc() -> str:
    """The path of Debian's Orthanc, a foreign DICOM and DICOMweb peer."""
    return _program("Orthanc", "orthanc orthanc-dicomweb")


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], chromium: str
) -> dict[str, Any]:
    """Start Debian's chromium with software WebGL and no calls home."""
    return {**browser_type_launch_args, "executable_path": chromium, "args": CHROMIUM_ARGS}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests of the whole product time to start it."""
    for item in items:
        if "running_product" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def running_product() -> Iterator[Product]:
    """The whole product as `make up DEMO=0` starts it, shared by the session's tests.

    It is used through its doors and `manage`; it has no part in a test's transaction.
    """
    with product() as made:
        made.up()
        yield made


@pytest.fixture(scope="session")
def installed() -> Iterator[Installation]:
    """A durable installation; its DICOM listener is started by each test as it needs it."""
    folder = Path(tempfile.mkdtemp(prefix=f"isocenter-test-{os.getpid()}-dimse")).resolve()
    folder.chmod(0o711)
    with installation(folder) as made:
        yield made


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ObjectStore]:
    """A real object store, shared by the session's tests; each takes a prefix of its own."""
    with object_store() as made:
        yield made
