"""Foreign senders, and what they say they were answered."""

import http.client
import json
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.dicomweb.conftest import multipart
from tests.faults.ledger import Ledger, Sample

SENDING = re.compile(r"Sending file: \S*?([0-9.]+)\.dcm")
SUCCESS = "Received Store Response (Success)"
PATIENCE_S = 90


class Sender(threading.Thread):
    """Sends samples once, until it is through or its receiver is gone."""

    def __init__(self, port: int, ledger: Ledger, batch: Sequence[Sample]) -> None:
        super().__init__(daemon=True)
        self.port, self.ledger, self.batch = port, ledger, batch
        ledger.send(batch)


class Storescu(Sender):
    """dcmtk's storescu: one association; what it prints is its word."""

    def run(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="isocenter-send-"))
        try:
            paths = [str(one.write(folder)) for one in self.batch]
            with subprocess.Popen(
                [
                    *("storescu", "-v", "-aet", "FAULTS", "-aec", "ISOCENTER"),
                    *("-to", "10", "-ta", "30", "-td", "30"),
                    *("127.0.0.1", str(self.port), *paths),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            ) as process:
                assert process.stdout is not None
                uid = ""
                for line in process.stdout:
                    if match := SENDING.search(line):
                        uid = match[1]
                    elif SUCCESS in line:
                        self.ledger.acknowledge(uid)
        finally:
            shutil.rmtree(folder)


class Stow(Sender):
    """STOW-RS: a body of a few objects after another on one connection."""

    each = 8

    def __init__(self, port: int, ledger: Ledger, batch: Sequence[Sample], *, token: str) -> None:
        super().__init__(port, ledger, batch)
        self.token = token
        self.statuses: list[int] = []

    def run(self) -> None:
        for start in range(0, len(self.batch), self.each):
            try:
                self._post(self.batch[start : start + self.each])
            except (OSError, http.client.HTTPException):
                self.statuses.append(0)  # no answer: nothing was promised

    def _post(self, batch: Sequence[Sample]) -> None:
        body = multipart(*(one.part10 for one in batch))
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            client.request(
                "POST",
                "/dicom-web/studies",
                body["data"],
                {
                    "Authorization": f"Bearer {self.token}",
                    "Content-Type": str(body["content_type"]),
                    "Host": "localhost",
                },
            )
            answer = client.getresponse()
            content = answer.read()
        finally:
            client.close()
        self.statuses.append(answer.status)
        if answer.status in (200, 202):
            for item in json.loads(content).get("00081199", {}).get("Value", []):
                if "00081196" not in item:
                    self.ledger.acknowledge(item["00081155"]["Value"][0])
