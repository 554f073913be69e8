"""Objects of any size go in and out in bounded memory, byte for byte.

`make test` sends 64 MiB and allows a process 24 MB for it; `make prove` sends what DESIGN section 8
names, 4 GiB - 2 of native pixel data and 5 GiB of fragments, and allows 100 MB.
"""

from collections.abc import Callable

import pytest

from tests.large.doors import Came, c_get, c_store, path_of, stow, wado
from tests.large.memory import added
from tests.large.objects import EXPLICIT, IMPLICIT, RLE, LargeObject, compressed, native, video
from tests.product import Product

pytestmark = pytest.mark.e2e
MIB, GIB = 1 << 20, 1 << 30
TWIN_BYTES = 24e6
PROOF_BYTES = 100e6
ANY = "application/dicom; transfer-syntax=*"
MULTIPART = 'multipart/related; type="application/dicom"; transfer-syntax=*'
PLAIN = 'multipart/related; type="application/dicom"'  # explicit VR little endian
OCTETS = "application/octet-stream"

Receive = Callable[[Product, str, LargeObject], None]


def by_c_store(made: Product, token: str, one: LargeObject) -> None:
    assert c_store(made, one) == 0


def by_stow(made: Product, token: str, one: LargeObject) -> None:
    assert stow(made, token, one) == 200


def received_and_fetched(made: Product, token: str, one: LargeObject, receive: Receive) -> None:
    """Send an object through one door, and fetch it through those that give it as stored."""
    receive(made, token, one)
    whole = wado(made, token, path_of(one), ANY, Came())
    assert whole.digest == one.part10_digest
    assert c_get(made, one, Came()).digest == one.digest


def as_value(made: Product, token: str, one: LargeObject) -> None:
    """Fetch the pixel data as one value."""
    came = wado(made, token, f"{path_of(one)}/bulkdata/7FE00010", OCTETS, Came())
    assert came.digest == one.pixel_digest


def as_frames(made: Product, token: str, one: LargeObject) -> None:
    """Fetch every frame in one answer."""
    numbers = ",".join(map(str, range(1, one.ds.NumberOfFrames + 1)))
    accept = f'multipart/related; type="{OCTETS}"; transfer-syntax=*'
    came = wado(made, token, f"{path_of(one)}/frames/{numbers}", accept, Came())
    assert came.size > sum(map(len, one.pixels.value())) or one.transfer_syntax_uid != EXPLICIT


def transcoded(made: Product, token: str, one: LargeObject, pixels: int) -> None:
    """Fetch in another transfer syntax than the stored one."""
    for syntax in {EXPLICIT, IMPLICIT} - {one.transfer_syntax_uid}:
        assert c_get(made, one, Came(pixels, syntax), syntax).pixel_digest == one.pixel_digest
    accept = f"{PLAIN}; transfer-syntax={IMPLICIT}"
    came = wado(made, token, path_of(one), accept, Came(pixels, IMPLICIT))
    assert came.pixel_digest == one.pixel_digest


def warm_up(made: Product, token: str) -> None:
    """Have every process load what it loads once, with small objects."""
    for _ in range(4):
        for receive in (by_c_store, by_stow):
            for one in (native(64, 64, 4), video(5000, 5000), compressed(2)):
                received_and_fetched(made, token, one, receive)
                if one.transfer_syntax_uid != RLE:
                    as_value(made, token, one)
        transcoded(made, token, one, 2 * 512 * 512)
        as_frames(made, token, one)


@pytest.fixture(scope="module")
def warm(running_product: Product) -> tuple[Product, str]:
    token = running_product.token()
    warm_up(running_product, token)
    return running_product, token


@pytest.mark.parametrize("receive", [by_c_store, by_stow])
@pytest.mark.parametrize(
    "make",
    [lambda: native(512, 512, 256), lambda: video(20 * MIB, 44 * MIB)],
    ids=["native", "fragments"],
)
def test_64_mib_go_in_and_out_in_24_mb(warm, receive, make):
    made, token = warm
    one = make()
    with added(made) as memory:
        received_and_fetched(made, token, one, receive)
        as_value(made, token, one)
    assert memory.most < TWIN_BYTES, str(memory)


def test_all_frames_of_64_mib_in_one_answer_in_24_mb(warm):
    made, token = warm
    one = native(512, 512, 256)
    by_stow(made, token, one)
    with added(made) as memory:
        as_frames(made, token, one)
    assert memory.most < TWIN_BYTES, str(memory)


def test_64_mib_are_decompressed_frame_by_frame_in_24_mb(warm):
    made, token = warm
    one = compressed(256)
    by_c_store(made, token, one)
    with added(made) as memory:
        transcoded(made, token, one, 256 * 512 * 512)
    assert memory.most < TWIN_BYTES, str(memory)
