"""The whole product with its archive in an S3: what goes in comes out, or is refused in words."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pydicom import dcmread

from tests.archive.faults import Fault, Proxy, proxy
from tests.dimse.test_storage import body_of, make_series, storescu
from tests.large.doors import Came, c_get, path_of, stow, wado
from tests.large.memory import added
from tests.large.objects import EXPLICIT, digest, native, video
from tests.large.test_memory import (
    ANY,
    MIB,
    TWIN_BYTES,
    as_value,
    by_c_store,
    by_stow,
    received_and_fetched,
    warm_up,
)
from tests.product import Product, product
from tests.seaweed import ObjectStore

pytestmark = [pytest.mark.e2e, pytest.mark.peer, pytest.mark.timeout(300)]


@dataclass
class Cloud:
    """A product, the store behind it, and what stands between them."""

    made: Product
    store: ObjectStore
    between: Proxy
    token: str
    url: str

    def kept(self) -> list[str]:
        return self.store.keys(self.url)


@pytest.fixture(scope="module")
def cloud(s3_server: ObjectStore) -> Iterator[Cloud]:
    with proxy(s3_server.port) as between:
        url = s3_server.url(port=between.port, timeout="20")
        with product(ARCHIVE_URL=url) as made:
            made.up()
            yield Cloud(made, s3_server, between, made.token(), url)


def send(made: Product, option: str, what: str) -> "subprocess.CompletedProcess[str]":
    port = made.dicom_port
    return storescu(port, option, "127.0.0.1", str(port), what)


def test_a_series_comes_out_as_it_went_in(cloud, dcmtk, tmp_path):
    files = make_series(tmp_path / "series", 5)
    done = send(cloud.made, "+sd", str(tmp_path / "series"))
    assert done.returncode == 0, done.stderr
    ds = dcmread(files[0])
    path = f"/studies/{ds.StudyInstanceUID}/series/{ds.SeriesInstanceUID}/instances"
    for file in files:
        uid = dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID
        status, body = cloud.made.get(
            f"/dicom-web{path}/{uid}", Accept=ANY, Authorization=f"Bearer {cloud.token}"
        )
        assert (status, body_of(body)) == (200, body_of(file.read_bytes()))
    assert len(cloud.kept()) == 5
    assert not list((cloud.made.home / "archive").rglob("*.dcm"))


@pytest.mark.parametrize(
    ("receive", "make"),
    [
        (by_c_store, lambda: native(512, 512, 256)),
        (by_stow, lambda: video(20 * MIB, 44 * MIB)),
    ],
    ids=["native by C-STORE", "fragments by STOW-RS"],
)
def test_64_mib_go_in_and_out_in_24_mb(cloud, receive, make):
    warm_up(cloud.made, cloud.token)
    one = make()
    with added(cloud.made) as memory:
        received_and_fetched(cloud.made, cloud.token, one, receive)
        as_value(cloud.made, cloud.token, one)
    assert memory.most < TWIN_BYTES, str(memory)


def test_while_the_store_refuses_nothing_is_taken_and_then_all_is_again(cloud, dcmtk, tmp_path):
    make_series(tmp_path / "series", 1)
    kept, rows = cloud.kept(), cloud.made.sql("SELECT count(*) FROM archive_location")
    cloud.between.fault = Fault("PUT", 503, "SlowDown")
    done = send(cloud.made, "-v", str(tmp_path / "series" / "0000.dcm"))
    assert "0xA700" in done.stdout + done.stderr or "OutOfResources" in done.stderr, done.stderr
    one = native(64, 64, 4)
    assert stow(cloud.made, cloud.token, one) in (409, 503)
    assert cloud.kept() == kept
    assert cloud.made.sql("SELECT count(*) FROM archive_location") == rows
    cloud.between.fault = None
    assert send(cloud.made, "+sd", str(tmp_path / "series")).returncode == 0
    assert stow(cloud.made, cloud.token, one) == 200
    assert wado(cloud.made, cloud.token, path_of(one), ANY, Came()).digest == one.part10_digest
    assert c_get(cloud.made, one, Came()).digest == digest(one.chunks())
    assert one.transfer_syntax_uid == EXPLICIT
    assert len(cloud.kept()) == len(kept) + 2
