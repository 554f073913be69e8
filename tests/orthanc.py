"""Debian's Orthanc, running as a foreign archive beside us."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.product import free_ports


@contextmanager
def orthanc_running(program: str, folder: Path, **settings: Any) -> Iterator[tuple[int, int]]:
    """Run Orthanc with settings of its configuration; yields its DICOM and HTTP ports."""
    dicom, http = free_ports(2)
    folder.mkdir()
    configuration = {
        "Name": "test",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "DicomAet": "ORTHANC",
        "DicomPort": dicom,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
    } | settings
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                rest(http, "/system")
            except urllib.error.URLError:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.1)
            else:
                break
        yield dicom, http
    finally:
        process.terminate()
        process.wait(20)


def rest(port: int, path: str, body: object | None = None) -> Any:
    """Ask Orthanc's REST API; bytes are posted as they are, anything else as JSON."""
    raw = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=raw)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)
