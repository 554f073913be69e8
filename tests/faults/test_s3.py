"""An object store that is slow, refuses, says nothing and breaks off while modalities send."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from pacs_site.up.progress import say
from tests.archive.faults import Fault, proxy
from tests.dimse.installation import Installation
from tests.faults.ledger import Ledger, Read, Verdict, samples
from tests.faults.senders import Storescu
from tests.seaweed import BUCKET, ObjectStore

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]
KINDS = {
    "slow": Fault("PUT", slow=0.5),
    "too busy": Fault("PUT", 503, "SlowDown"),
    "silent": Fault("PUT", silent=True),
    "cut off in the request": Fault("PUT", cut="request"),
    "cut off in the answer": Fault("PUT", cut="answer"),
}


def objects_of(store: ObjectStore, url: str) -> Read:
    """Read what lies below an address, past the proxy."""
    prefix = url.partition("?")[0].rpartition("/")[2]

    def read(key: str) -> bytes | None:
        try:
            answer = store.client.get_object(Bucket=BUCKET, Key=f"{prefix}/{key}")
        except ClientError:
            return None
        return bytes(answer["Body"].read())

    return read


def endure(
    installed: Installation, store: ObjectStore, faults: Sequence[Fault], each: int, beside: int
) -> Verdict:
    """Send through one fault after another, and what was refused again once it is over."""
    ledger = Ledger()
    with proxy(store.port) as between:
        url = store.url(port=between.port, timeout="1")
        installed.start(ARCHIVE_URL=url)
        read = objects_of(store, url)
        for fault in faults:
            between.fault = fault
            senders = [Storescu(installed.port, ledger, samples(each)) for _ in range(beside)]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join(120)
            assert fault.met
            assert ledger.judge(installed.rows, read).good, fault
            between.fault = None
            Storescu(installed.port, ledger, ledger.open()).run()
            assert not ledger.open(), fault  # the next is taken at once
        verdict = ledger.judge(installed.rows, read)
        installed.stop()
    return verdict


def test_a_faulty_object_store_loses_nothing_acknowledged(
    installed: Installation, s3_server: ObjectStore
) -> None:
    verdict = endure(installed, s3_server, list(KINDS.values()), each=2, beside=1)
    assert verdict.good
    assert verdict.acknowledged == 2 * len(KINDS)


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_fifty_faults_of_an_object_store_lose_nothing_acknowledged(
    installed: Installation, s3_server: ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = [
        replace(random.choice(list(KINDS.values())), times=random.randint(1, 12), met=0)
        for _ in range(50)
    ]
    verdict = endure(installed, s3_server, faults, each=5, beside=3)
    assert verdict.good
    with capsys.disabled():
        say(f"\n50 faults of an object store: {verdict.acknowledged} acknowledged, 0 lost")
