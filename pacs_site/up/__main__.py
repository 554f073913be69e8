"""`make up`, `make down`: start and stop a whole installation. Run as `python -m pacs_site.up`."""

import errno
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psycopg

from pacs_site import home as homes
from pacs_site.up import checks, frontend
from pacs_site.up.bootstrap import CHECKOUT, explain
from pacs_site.up.errors import UpError
from pacs_site.up.installation import MARK, TLS_FILES, Installation, truth
from pacs_site.up.progress import say, step
from pacs_site.up.supervision import Supervisor, end_marked, marked, ticks
from pacs_site.up.user import die_with_parent

ANSWER_SECONDS = 90.0
DEMO_ROOM = 3 * checks.GIGABYTE
EMPTY_ROOM = checks.GIGABYTE


class Stopped(BaseException):
    """SIGTERM or SIGHUP: stop what was started, then end."""


def up() -> None:
    """Start everything; in the foreground also watch it until told to stop."""
    detach = truth("DETACH", default=False)
    began = time.monotonic()
    chosen = os.environ.get("ISOCENTER_HOME")
    installation = Installation(
        homes.find_home(CHECKOUT) if chosen else homes.default_home(CHECKOUT)
    )
    supervisor = Supervisor(installation.run, installation.logs)
    if supervisor.pid is not None:
        say(f"Isocenter is already running in {installation.home}. `make down` stops it.")
        table(installation)
        return
    say(f"Isocenter in {installation.home}")
    mark = f"{MARK}={installation.home}"
    if not detach:
        die_with_parent()  # when make is killed, nothing is left behind
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _stop)
    end_marked(mark, 20)  # of a supervisor that was killed
    checks.writable(installation.home)
    checks.room_on_disk(installation.home, DEMO_ROOM if installation.demo else EMPTY_ROOM)
    checks.ports_free(installation.bind, installation.ports)
    checks.tls_files({name: os.environ.get(name, "") for name in TLS_FILES})
    frontend.build()
    try:
        start(installation, supervisor, tied=not detach)
        say(f"\nIsocenter runs; it took {time.monotonic() - began:.0f} s.")
        table(installation)
        if not detach:
            say("Ctrl-C stops it.\n")
            watch(supervisor)
    except BaseException as error:
        if not isinstance(error, UpError):
            say()
        if supervisor.pid is not None:
            with step("stopping"):
                supervisor.stop()
        end_marked(mark, 5)
        if not isinstance(error, KeyboardInterrupt | Stopped):
            raise


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped


def start(installation: Installation, supervisor: Supervisor, *, tied: bool) -> None:
    """Bring every process up, the database and its contents first."""
    with step("servers"):
        installation.prepare()
        servers = installation.servers()
        if installation.own_database:
            installation.postgres().create()
        processes = installation.processes()
        supervisor.start([*servers, *processes], tied=tied)
        for program in servers:
            supervisor.run_program(program.name)
        database(installation, supervisor)
    if not migrated(installation):
        with step("database tables"):
            manage(installation, "migrate", "--no-input", "-v0")
            installation.migrated().write_text(migrations_digest())
    if not installation.seeded().exists():
        if installation.demo:
            with step("demo hospital"):
                manage(installation, "seed_demo")
        else:
            with step("administrator"):
                manage(installation, "ensure_admin")
        installation.seeded().touch()
    with step("web, workers, DICOM and HL7 listeners"):
        for program in processes:
            supervisor.launch(program.name)
        wait_for_answers(installation, supervisor)


def database(installation: Installation, supervisor: Supervisor) -> None:
    """Wait for the database to answer; in the embedded server, make it where it is missing."""
    if not installation.own_database:
        try:
            psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=10).close()
        except psycopg.Error as error:
            raise UpError(f"The database of DATABASE_URL does not answer: {error}") from None
        return
    server = installation.postgres()
    for _ in ticks(60):
        if server.ready():
            break
    else:
        raise UpError(f"PostgreSQL does not answer:\n{supervisor.tail('postgres')}")
    url = f"postgresql://postgres@/postgres?host={server.folder}"
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'isocenter'")
        if found.fetchone() is None:
            connection.execute("CREATE DATABASE isocenter")


def migrated(installation: Installation) -> bool:
    """Say whether the database has every migration of this code, without starting Django.

    The last successful `migrate` left the digest of what it ran; the database itself is asked too,
    since it may have been replaced by a backup.
    """
    stamp = installation.migrated()
    if not stamp.is_file() or stamp.read_text() != migrations_digest():
        return False
    ours = {(path.parent.parent.name, path.stem) for path in migration_files()}
    try:
        with psycopg.connect(installation.database_url) as connection:
            applied = set(connection.execute("SELECT app, name FROM django_migrations"))
    except psycopg.Error:
        return False
    return ours <= applied


def migration_files() -> list[Path]:
    """Return the migrations of our apps."""
    return sorted(CHECKOUT.glob("apps/*/migrations/[0-9]*.py"))


def migrations_digest() -> str:
    """Return a digest of our migrations and of the versions of everyone else's."""
    total = hashlib.sha256()
    for path in [*migration_files(), CHECKOUT / "requirements.txt"]:
        total.update(f"{path.name}\0".encode() + path.read_bytes())
    return total.hexdigest()


def manage(installation: Installation, *command: str) -> None:
    """Run a management command, its words kept in a log and shown where it fails."""
    log = installation.logs / f"{command[0]}.log"
    with log.open("w") as out:
        result = subprocess.run(  # noqa: S603
            [sys.executable, str(CHECKOUT / "manage.py"), *command],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            check=False,
        )
    if result.returncode:
        raise UpError(explain(log.read_text(), f"`manage.py {command[0]}` failed ({log})."))


def wait_for_answers(installation: Installation, supervisor: Supervisor) -> None:
    """Return when every process runs and every door answers."""
    doors = dict(installation.ports)
    http_port = doors.pop("ISOCENTER_HTTP_PORT")
    problem = ""
    for _ in ticks(ANSWER_SECONDS, pause=0.1):
        states = supervisor.states()
        waiting = [name for name, state in states.items() if state["statename"] != "RUNNING"]
        closed = [port for port in doors.values() if not _listens(installation.local, port)]
        problem = "; ".join(
            [f"{name} does not stay up:\n{supervisor.tail(name)}" for name in waiting]
            + [f"nothing listens on port {port}" for port in closed]
        ) or _not_ready(installation.local, http_port)
        if not problem:
            return
    raise UpError(f"Not everything came up in {ANSWER_SECONDS:.0f} s: {problem}")


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def _not_ready(host: str, port: int) -> str:
    hosts = os.environ.get("ISOCENTER_ALLOWED_HOSTS", "localhost")
    allowed = hosts.split(",")[0].strip().lstrip(".")
    connection = http.client.HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", "/readyz", headers={"Host": allowed.replace("*", "localhost")})
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        return f"the web server does not answer: {error}"
    finally:
        connection.close()
    if response.status == 200:
        return ""
    try:
        wrong = {k: v for k, v in json.loads(body)["checks"].items() if v != "ok"}
    except (ValueError, KeyError):
        return f"/readyz answers {response.status}"
    return "\n".join(f"{name}: {words}" for name, words in wrong.items())


def table(installation: Installation) -> None:
    """Print the addresses and accounts."""
    ports = installation.ports
    http_port, dicom_port, mllp_port = list(ports.values())[:3]
    at = installation.local
    rows = [
        ("workspace", f"http://{'localhost' if at == '127.0.0.1' else at}:{http_port}/"),
        ("DICOM", f"{os.environ['ISOCENTER_AE_TITLE']} at {at}:{dicom_port}"),
        *(
            [("DICOM over TLS", f"{at}:{ports['ISOCENTER_DICOM_TLS_PORT']}")]
            if installation.dicom_tls
            else []
        ),
        ("HL7 v2 (MLLP)", f"{at}:{mllp_port}"),
        ("DICOMweb", f"http://{at}:{http_port}/dicom-web/"),
    ]
    password = _printed_password(installation)
    if installation.demo:
        names = "scheduler technologist radiologist referrer privacy admin"
        rows += [("accounts", names), ("password", f"{password} (of each of them)")]
    elif password:
        rows += [("account", "admin"), ("password", f"{password} (until it is changed)")]
    rows.append(("data and logs", str(installation.home)))
    width = max(len(value) for _, value in rows)
    edge = f"  +{'-' * 16}+{'-' * (width + 2)}+"
    say("\n".join([edge, *(f"  | {name:<14} | {value:<{width}} |" for name, value in rows), edge]))
    if truth("ISOCENTER_OPEN_AE", default=False) and not installation.production:
        say("  Open for trying out: any DICOM and HL7 peer is let in. Not for real patients.")


def _printed_password(installation: Installation) -> str:
    for line in (installation.run / "environment").read_text().splitlines():
        key, _, value = line.partition("=")
        if key == "ISOCENTER_ADMIN_PASSWORD":
            return value
    return ""


def watch(supervisor: Supervisor) -> None:
    """Tell of every process that died and was started again, until supervisord ends."""
    known: dict[str, int] = {}
    while supervisor.pid is not None:
        try:
            states = supervisor.states()
        except OSError:  # it is stopping
            states = {}
        for name, state in states.items():
            if state["statename"] == "RUNNING" and known.get(name, state["pid"]) != state["pid"]:
                say(f"  {name} had ended and was started again")
            if state["statename"] == "RUNNING":
                known[name] = state["pid"]
        time.sleep(1)
    say("Isocenter was stopped.")


def down() -> None:
    """Stop everything that runs in the home, however it was started."""
    home = homes.find_home(CHECKOUT)
    supervisor = Supervisor(home / "run", home / "logs")
    mark = f"{MARK}={home}"
    if supervisor.pid is None and not marked(mark):
        say(f"Isocenter is not running in {home}.")
        return
    with step("stopping"):
        supervisor.stop()
        end_marked(mark, 5)


def main() -> None:
    """Run `up` or `down`; what a person can mend is said without a traceback."""
    try:
        {"up": up, "down": down}[sys.argv[1]]()
    except UpError as error:
        say()
        sys.exit(str(error))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            say()
            sys.exit("The disk is full. Make room, or set ISOCENTER_HOME on another disk.")
        raise
    except (KeyboardInterrupt, Stopped):
        say()
        sys.exit(130)


if __name__ == "__main__":
    main()
