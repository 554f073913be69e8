"""The whole product, started as `make up` starts it, for tests that use its doors.

Its home, database (durable) and ports are its own; nothing is shared with the database tests.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from pacs_site.up.supervision import Supervisor, ticks

CHECKOUT = Path(__file__).resolve().parent.parent


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def clean_environment(**changes: str) -> dict[str, str]:
    """Return our environment without anything that says where an installation is."""
    ours = ("ISOCENTER_", "DATABASE_", "CELERY_", "ARCHIVE_", "AWS_", "DJANGO_", "DEMO", "DETACH")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return kept | changes


@dataclass
class Product:
    """An installation that runs."""

    home: Path
    http_port: int
    dicom_port: int
    mllp_port: int
    environment: dict[str, str] = field(repr=False)
    checkout: Path = CHECKOUT
    ae_title: str = "ISOCENTER"
    output: str = ""

    @property
    def url(self) -> str:
        """The workspace's address, without a slash at the end."""
        return f"http://localhost:{self.http_port}"

    @property
    def supervisor(self) -> Supervisor:
        """Its supervisor."""
        return Supervisor(self.home / "run", self.home / "logs")

    @property
    def admin_password(self) -> str:
        """The password of `admin`, and of every demo account."""
        return (self.home / "run" / "password").read_text()

    def command(self, *words: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        """Run a program with this installation's environment."""
        return subprocess.run(
            words,
            cwd=self.checkout,
            env=self.environment | changes,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def up(self, **changes: str) -> str:
        """Start it and return what it printed."""
        result = self.command(sys.executable, "-m", "pacs_site.up", "up", **changes)
        self.output = result.stdout + result.stderr
        assert result.returncode == 0, self.output
        return self.output

    def down(self) -> str:
        """Stop it and return what it printed."""
        result = self.command(sys.executable, "-m", "pacs_site.up", "down")
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def manage(self, *words: str) -> str:
        """Run a management command and return what it printed; it must succeed."""
        result = self.command(sys.executable, "manage.py", *words)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def token(self, username: str = "admin") -> str:
        """Return a bearer token of a user."""
        return self.manage("issue_token", username).splitlines()[-1]

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement as the database's owner and return its rows."""
        url = f"postgresql://postgres@/isocenter?host={self.home / 'postgres'}"
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """GET an address; return status and body, whatever the status."""
        request = urllib.request.Request(f"{self.url}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def wait_ready(self, seconds: float = 60) -> None:
        """Wait until `/readyz` answers 200, as after a process was killed."""
        answer: object = None
        for _ in ticks(seconds, pause=0.1):
            try:
                answer = self.get("/readyz")
            except OSError as error:
                answer = error
                continue
            if answer[0] == 200:
                return
        raise AssertionError(f"not ready: {answer}")

    def pid(self, name: str) -> int:
        """Return the process id of a supervised program that runs."""
        state = self.supervisor.states()[name]
        assert state["statename"] == "RUNNING", state
        return state["pid"]

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a supervised program; return the process id it had."""
        pid = self.pid(name)
        os.kill(pid, number)
        return pid

    def wait_restarted(self, name: str, old: int, seconds: float = 30) -> int:
        """Wait until a program runs again under another process id, and return it."""
        state: dict[str, Any] = {}
        for _ in ticks(seconds):
            state = self.supervisor.states()[name]
            if state["statename"] == "RUNNING" and state["pid"] != old:
                return state["pid"]
        raise AssertionError(f"{name} was not started again: {state}")


@contextlib.contextmanager
def product(checkout: Path = CHECKOUT, **changes: str) -> Iterator[Product]:
    """Give an installation with a home and ports of its own, not yet started; stop it after."""
    home = Path(tempfile.mkdtemp(prefix="isocenter-up-"))
    home.chmod(0o711)
    http_port, dicom_port, mllp_port = free_ports(3)
    environment = clean_environment(
        ISOCENTER_HOME=str(home),
        ISOCENTER_HTTP_PORT=str(http_port),
        ISOCENTER_DICOM_PORT=str(dicom_port),
        ISOCENTER_MLLP_PORT=str(mllp_port),
        DETACH="1",
        DEMO="0",
    )
    made = Product(home, http_port, dicom_port, mllp_port, environment | changes, checkout)
    try:
        yield made
    finally:
        made.down()
        shutil.rmtree(home)
