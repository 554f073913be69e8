"""`manage.py mllp_listener` as its own process, with `mllp_send` as a foreign sender."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import hl7 as foreign_hl7
import pytest
from django.db import connection

from apps.hl7.domain.framing import frame
from apps.hl7.models import Hl7Message
from apps.orders.models import Order
from apps.patients.models import Patient
from tests.hl7.conftest import PID, header, message
from tests.orders.conftest import build_hospital

pytestmark = [
    pytest.mark.peer,
    pytest.mark.django_db(transaction=True),
]


@contextmanager
def listener(*arguments):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    database = connection.settings_dict
    user = f"{database['USER']}:{database['PASSWORD'] or ''}"
    place = f"{database['PORT'] or 5432}/{database['NAME']}?host={database['HOST']}"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "mllp_listener", "--port", str(port), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "DATABASE_URL": f"postgresql://{user}@:{place}"},
    )
    try:
        assert "MLLP listener on" in process.stdout.readline()
        yield port, process
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output


def mllp_send(port, path):
    program = Path(sys.executable).parent / "mllp_send"
    done = subprocess.run(
        [program, "--port", str(port), "--file", path, "--loose", "127.0.0.1"],
        capture_output=True,
        timeout=30,
        check=True,
    )
    return done.stdout.decode()


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_foreign_sender(tmp_path, processes):
    build_hospital()
    path = tmp_path / "order.hl7"
    path.write_bytes(
        message(header("ADT^A04", "M1"), PID)
        + message(header("ORM^O01", "M2"), PID, "ORC|NW|P1", "OBR|1|P1||CTABD^CT^L")
    )
    with listener("--processes", processes) as (port, _):
        answers = [
            foreign_hl7.parse(text.strip("\x0b\x1c\r\n") + "\r")
            for text in mllp_send(port, path).split("\x1c\r")
            if text.strip()
        ]
    assert [str(one.segment("MSA")[1]) for one in answers] == ["AA", "AA"]
    assert [str(one.segment("MSA")[2]) for one in answers] == ["M1", "M2"]
    assert Order.objects.get().patient.name_alphabetic.startswith("Lind^Karin")


def test_a_message_without_pid_is_answered_ae_and_kept(tmp_path):
    build_hospital()
    path = tmp_path / "no-pid.hl7"
    sent = message(header("ORM^O01", "M1"), "ORC|NW|P1", "OBR|1|P1||CTABD^CT^L")
    path.write_bytes(sent)
    before = (Patient.objects.count(), Order.objects.count())
    with listener() as (port, _):
        answer = foreign_hl7.parse(mllp_send(port, path).strip("\x0b\x1c\r\n") + "\r")
    assert (str(answer.segment("MSA")[1]), str(answer.segment("MSA")[2])) == ("AE", "M1")
    assert str(answer.segment("ERR")[2]) == "PID^1"
    row = Hl7Message.objects.get()
    assert (bytes(row.raw), row.outcome) == (sent.rstrip(b"\r"), "AE")  # mllp_send drops the last
    assert (Patient.objects.count(), Order.objects.count()) == before


def test_hostile_bytes_do_not_stop_it():
    build_hospital()
    with listener() as (port, _):
        for data in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"",
            b"\x16\x03\x01\x00",
            b"\x0bMSH|^~",
            b"\x0b\x1c\r",
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                sock.sendall(data)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            data = frame(message(header("ADT^A04"), PID))
            for start in range(0, len(data), 7):
                sock.sendall(data[start : start + 7])
            assert b"MSA|AA|C1" in sock.recv(65536)


def test_a_message_is_kept_when_the_listener_is_killed_and_its_repeat_has_one_effect():
    build_hospital()
    data = frame(message(header("ORM^O01"), PID, "ORC|NW|P1", "OBR|1|P1||CTABD^CT^L"))
    acknowledged = 0
    for delay in (0.0, 0.02, 0.05, None):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        database = connection.settings_dict
        url = (
            f"postgresql://{database['USER']}@:{database['PORT'] or 5432}/{database['NAME']}"
            f"?host={database['HOST']}"
        )
        process = subprocess.Popen(
            [sys.executable, "manage.py", "mllp_listener", "--port", str(port)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "DATABASE_URL": url},
        )
        process.stdout.readline()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(data)
            if delay is None:
                answer = sock.recv(65536)
                assert b"MSA|AA" in answer
                acknowledged += 1
            else:
                time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert acknowledged == 1
    assert Order.objects.count() == 1
    assert Hl7Message.objects.filter(outcome="AA", repeat_of=None).count() == 1
