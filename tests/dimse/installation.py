"""A durable installation with the real listener as processes, for what kills and traces them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from pacs_site.up import user
from pacs_site.up.postgres import Postgres, install
from tests.plugins.postgres import cache_folder, template_folder

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@dataclass
class Installation:
    """An ISOCENTER_HOME with its own durable PostgreSQL, migrated, and a listener to start."""

    home: Path
    server: Postgres
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    listener: subprocess.Popen[bytes] | None = None
    is_plain: bool = False

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=self.variables(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def variables(self) -> dict[str, str]:
        outside = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("ISOCENTER", "DATABASE", "CELERY", "ARCHIVE"))
        }
        return outside | {"ISOCENTER_HOME": str(self.home)} | self.environment

    def start(
        self,
        *arguments: str,
        wrapper: tuple[str, ...] = (),
        open_ae: bool = True,
        **variables: str,
    ) -> None:
        """Start the listener, ending one that runs."""
        if self.listener is not None:
            self.stop()
        self.environment = {"ISOCENTER_OPEN_AE": "1" if open_ae else "0"} | variables
        self.is_plain = open_ae and not (arguments or wrapper or variables)
        with (self.home / "listener.log").open("ab") as log:
            self.listener = subprocess.Popen(
                [
                    *wrapper,
                    *(sys.executable, "manage.py", "dimse_scp", "--host", "127.0.0.1"),
                    *("--port", str(self.port), *arguments),
                ],
                cwd=CHECKOUT,
                env=self.variables(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.listener.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)  # a port has no event to wait for

    def log(self) -> str:
        return (self.home / "listener.log").read_text()

    def children(self) -> list[int]:
        assert self.listener is not None
        path = Path(f"/proc/{self.listener.pid}/task/{self.listener.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def kill(self) -> None:
        """Kill -9 every process of the listener."""
        assert self.listener is not None
        os.killpg(self.listener.pid, signal.SIGKILL)
        self.listener.wait(10)
        self.listener = None

    def stop(self) -> int:
        assert self.listener is not None
        self.listener.terminate()
        code = self.listener.wait(40)
        self.listener = None
        return code

    def url(self, database: str = "isocenter") -> str:
        return f"postgresql://postgres@/{database}?host={self.server.folder}"

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url()) as connection:
            return connection.execute(sql, parameters).fetchall()


@contextmanager
def installation(folder: Path) -> Iterator[Installation]:
    """Make one below `folder`, which the database's account must be able to enter."""
    account = user.server_account()
    binaries = install(cache_folder(), account)
    server = Postgres(folder / "postgres", binaries, durable=True, account=account)
    server.folder.mkdir(mode=0o700)
    template = template_folder(server)
    subprocess.run(["cp", "-a", "--reflink=auto", str(template), str(server.data)], check=True)
    server.create()
    process = server.start(folder / "postgres.log")
    made = Installation(folder, server)
    try:
        with psycopg.connect(made.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE isocenter")
        made.manage("migrate", "-v0")
        yield made
    finally:
        if made.listener is not None:
            made.kill()
        process.send_signal(signal.SIGINT)
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
