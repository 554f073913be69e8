"""`make up` and `make down`: what is started, restarted, stopped; what is said when it cannot."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_site import home as homes
from pacs_site.beat import LOCK
from pacs_site.up.supervision import marked, ticks
from tests.product import CHECKOUT, Product, clean_environment, product

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
NAMES = {"postgres", "valkey", "web", "dimse", "mllp", "worker", "beat"}


def mark(made: Product) -> str:
    return f"ISOCENTER_SUPERVISED={made.home}"


def modes(path: Path) -> dict[Path, tuple[int, int, int]]:
    """Return mode and owner of a folder and of all above it."""
    found = {}
    for folder in [path, *path.parents]:
        status = folder.stat()
        found[folder] = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return found


def test_everything_runs_and_the_table_says_where(running_product: Product) -> None:
    states = running_product.supervisor.states()
    assert {name for name, state in states.items() if state["statename"] == "RUNNING"} == NAMES
    for words in (
        f"http://localhost:{running_product.http_port}/",
        f"ISOCENTER at 127.0.0.1:{running_product.dicom_port}",
        f"127.0.0.1:{running_product.mllp_port}",
        running_product.admin_password,
    ):
        assert words in running_product.output
    status, body = running_product.get("/readyz")
    assert (status, set(json.loads(body)["checks"].values())) == (200, {"ok"})
    assert running_product.get("/livez") == (200, b"alive\n")


def test_a_second_up_says_that_it_runs(running_product: Product) -> None:
    assert "already running" in running_product.up()


def test_workers_of_a_killed_web_server_go_with_it(running_product: Product) -> None:
    parent = running_product.pid("web")
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    workers = [Path(f"/proc/{pid}/cmdline") for pid in listed]
    assert workers
    running_product.kill("web")
    running_product.wait_restarted("web", parent)
    running_product.wait_ready()
    for _ in ticks(10):
        if not any(b"pacs_site.web" in path.read_bytes() for path in workers if path.exists()):
            return
    pytest.fail("a worker outlived its web server")


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit"])
def test_not_ready_while_the_database_may_forget(running_product: Product, setting: str) -> None:
    try:
        running_product.sql(f"ALTER SYSTEM SET {setting} = off")
        running_product.sql("SELECT pg_reload_conf()")
        answer = (200, b"")
        for _ in ticks(10):
            answer = running_product.get("/readyz")
            if answer[0] != 200:
                break
        assert answer[0] == 503
        assert f"{setting} off" in json.loads(answer[1])["checks"]["database"]
    finally:
        running_product.sql(f"ALTER SYSTEM RESET {setting}")
        running_product.sql("SELECT pg_reload_conf()")


def test_workers_give_way_to_the_doors(running_product: Product) -> None:
    def niceness(name: str) -> int:
        return os.getpriority(os.PRIO_PROCESS, running_product.pid(name))

    assert niceness("worker") > niceness("dimse") == niceness("web") == niceness("mllp")


def test_the_processes_may_not_alter_or_truncate(running_product: Product) -> None:
    for statement in ("TRUNCATE core_outboxevent CASCADE", "DROP TABLE core_outboxevent CASCADE"):
        code = (
            "from django.db import connection\n"
            f"with connection.cursor() as c: c.execute('{statement}')"
        )
        result = running_product.command(sys.executable, "manage.py", "shell", "-c", code)
        assert result.returncode != 0
        assert "InsufficientPrivilege" in result.stderr
    current = (
        "from django.db import connection\n"
        "with connection.cursor() as c: print(*c.execute('SELECT current_user').fetchone())"
    )
    assert "isocenter_app" in running_product.manage("shell", "-v0", "-c", current)


def test_metrics_count_what_was_answered(running_product: Product) -> None:
    running_product.get("/readyz")
    status, body = running_product.get("/metrics")
    assert status == 200
    assert b'isocenter_http_requests_total{method="GET",route="readyz",status="200"}' in body
    assert b"isocenter_outbox_waiting" in body


@pytest.fixture(scope="module")
def stopped_product() -> Iterator[Product]:
    """An installation that was started once, so that starting it again is quick."""
    pointer = CHECKOUT / homes.POINTER
    before = pointer.read_bytes() if pointer.exists() else None
    with product() as made:
        made.up()
        made.down()
        yield made
    if before is None:
        pointer.unlink(missing_ok=True)
    else:
        pointer.write_bytes(before)


def test_a_second_shell_needs_no_variable(stopped_product: Product) -> None:
    """Everything `manage.py` needs to know is where `make up` wrote it."""
    stopped_product.up()
    result = subprocess.run(
        [sys.executable, "manage.py", "issue_token", "admin"],
        cwd=CHECKOUT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    token = result.stdout.splitlines()[-1]
    answer = stopped_product.get("/live/?topic=a%20b", Authorization=f"Bearer {token}")
    assert answer[0] == 400
    stopped_product.down()
    assert marked(mark(stopped_product)) == []
    assert "not running" in stopped_product.down()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_a_foreground_up(stopped_product: Product, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pacs_site.up", "up"],
        cwd=CHECKOUT,
        env=stopped_product.environment | {"DETACH": "0"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl-C" in line:
            break
    assert len(marked(mark(stopped_product))) >= len(NAMES)
    process.send_signal(number)
    process.stdout.read()
    process.wait(60)
    assert_none_left(stopped_product)


def test_nothing_outlives_a_killed_supervisor(stopped_product: Product) -> None:
    stopped_product.up()
    supervisor = stopped_product.supervisor.pid
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    assert_none_left(stopped_product)
    stopped_product.up()  # what a kill leaves behind does not stand in the way
    assert stopped_product.get("/readyz")[0] == 200


def assert_none_left(made: Product) -> None:
    for _ in ticks(40):
        if not marked(mark(made)):
            break
    left = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in marked(mark(made))]
    assert left == []


def test_a_busy_port_is_named_with_its_holder_and_the_way_out() -> None:
    with product() as made, socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", made.dicom_port))
        holder.listen()
        result = made.command(sys.executable, "-m", "pacs_site.up", "up")
        assert result.returncode == 1
        assert f"port {made.dicom_port} is in use by" in result.stderr
        assert f"(process {os.getpid()})" in result.stderr
        assert "ISOCENTER_DICOM_PORT=" in result.stderr
        assert "Traceback" not in result.stderr
        assert marked(mark(made)) == []


def test_tls_files_that_cannot_be_used_are_named_before_anything_starts() -> None:
    with product(ISOCENTER_DICOM_TLS_CERTIFICATE="/nowhere/isocenter.pem") as made:
        result = made.command(sys.executable, "-m", "pacs_site.up", "up")
        assert "Not set: ISOCENTER_DICOM_TLS_KEY, ISOCENTER_DICOM_TLS_CA" in result.stderr
        made.environment |= {
            "ISOCENTER_DICOM_TLS_KEY": "/nowhere/isocenter.key",
            "ISOCENTER_DICOM_TLS_CA": "/nowhere/ca.pem",
        }
        result = made.command(sys.executable, "-m", "pacs_site.up", "up")
        assert "/nowhere/isocenter.pem cannot be read: No such file" in result.stderr
        with socket.socket() as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", 0))
            holder.listen()
            made.environment["ISOCENTER_DICOM_TLS_PORT"] = str(holder.getsockname()[1])
            result = made.command(sys.executable, "-m", "pacs_site.up", "up")
        assert f"port {made.environment['ISOCENTER_DICOM_TLS_PORT']} is in use by" in result.stderr
        assert "ISOCENTER_DICOM_TLS_PORT=" in result.stderr
        assert marked(mark(made)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the database as another account")
def test_as_root_no_folder_of_others_changes(tmp_path: Path) -> None:
    closed = tmp_path / "private"
    closed.mkdir(mode=0o700)
    with product() as made:
        made.environment["ISOCENTER_HOME"] = str(closed / "home")
        before = modes(closed) | modes(Path(sys.prefix))
        result = made.command(sys.executable, "-m", "pacs_site.up", "up")
        assert result.returncode == 1
        assert "is closed to it" in result.stderr
        assert "ISOCENTER_HOME" in result.stderr
        assert modes(closed) | modes(Path(sys.prefix)) == before


def second_beat(made: Product, said: Path) -> "subprocess.Popen[bytes]":
    beat = [str(Path(sys.executable).parent / "celery"), "-A", "pacs_site.celery:app", "beat"]
    with said.open("wb") as out:
        return subprocess.Popen(
            [*beat, "--pidfile=", "--schedule", str(said.with_suffix(".schedule"))],
            cwd=CHECKOUT,
            env=made.environment,
            stdout=out,
            stderr=out,
        )


def assert_one_holds_and_one_waits(made: Product, said: Path) -> None:
    locks: list[tuple[bool, int]] = []
    for _ in ticks(60):
        locks = made.sql(
            "SELECT granted, count(*) FROM pg_locks "
            "WHERE locktype = 'advisory' AND objid = %s GROUP BY granted ORDER BY granted",
            LOCK,
        )
        if locks == [(False, 1), (True, 1)]:
            return
    supervised = made.supervisor.states()["beat"]
    pytest.fail(f"{locks}\nsupervised: {supervised}\nsecond: {said.read_text()}")


def test_a_second_beat_waits_for_the_first(running_product: Product, tmp_path: Path) -> None:
    second = second_beat(running_product, tmp_path / "said")
    try:
        assert_one_holds_and_one_waits(running_product, tmp_path / "said")
    finally:
        second.kill()
        second.wait()


def test_a_beat_that_finds_no_database_does_not_begin_without_its_lock(
    running_product: Product, tmp_path: Path
) -> None:
    """Celery logs what a receiver of its signals raises, and goes on."""
    said = tmp_path / "said"
    running_product.supervisor.rpc.stopProcess("postgres")
    second = second_beat(running_product, said)
    try:
        for _ in ticks(60):
            if "beat.no-database" in said.read_text():
                break
        else:
            pytest.fail(said.read_text())
        running_product.supervisor.rpc.startProcess("postgres")
        running_product.wait_ready()
        assert_one_holds_and_one_waits(running_product, said)
    finally:
        second.kill()
        second.wait()
        if running_product.supervisor.states()["postgres"]["statename"] != "RUNNING":
            running_product.supervisor.rpc.startProcess("postgres")
