"""Objects of any size go in and out in bounded memory, byte for byte.

`make test` sends 64 MiB and allows a process 24 MB for it; `make prove` sends what DESIGN section 8
names, 4 GiB - 2 of native pixel data and 5 GiB of fragments, and allows 100 MB.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.large.doors import Came, c_get, c_store, path_of, stow, wado
from tests.large.memory import added
from tests.large.objects import (
    EXPLICIT,
    IMPLICIT,
    RLE,
    LargeObject,
    compressed,
    digest,
    native,
    noise,
    video,
)
from tests.product import Product, product

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
    for _ in range(3):
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


@pytest.mark.parametrize(
    ("receive", "make"),
    [
        (by_c_store, lambda: native(512, 512, 256)),
        (by_stow, lambda: video(20 * MIB, 44 * MIB)),
    ],
    ids=["native by C-STORE", "fragments by STOW-RS"],
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


def last_frame(made: Product, token: str, one: LargeObject) -> None:
    """Fetch the last frame of a native object, by its number."""
    ds = one.ds
    size = ds.Rows * ds.Columns
    came = wado(
        made, token, f"{path_of(one)}/frames/{ds.NumberOfFrames}", f"{OCTETS}; transfer-syntax=*",
        Came(),
    )  # fmt: skip
    assert came.digest == digest(noise(size, (ds.NumberOfFrames - 1) * size))


def forget(made: Product) -> None:
    """Remove the stored files, to have room for the next."""
    for (key,) in made.sql("SELECT key FROM archive_location"):
        (made.home / "archive" / key).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def proving() -> Iterator[tuple[Product, str]]:
    with product() as made:
        made.up()
        token = made.token()
        warm_up(made, token)
        yield made, token


def measured(capsys, proving, what: str, *acts: Callable[..., None]) -> None:
    """Do it, and say what it added to which process."""
    made, token = proving
    with added(made) as memory:
        for act in acts:
            act(made, token)
    with capsys.disabled():
        sys.stdout.write(f"\n{what}: {memory}\n")
    assert memory.most < PROOF_BYTES, str(memory)
    forget(made)


@pytest.mark.prove
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("receive", [by_c_store, by_stow])
def test_4_gib_of_pixels_in_100_mb(capsys, proving, receive):
    """Of 1 x 9,241 x 464,773 bytes and one to fill up: the longest value there is, to the byte."""
    one = native(1, 9_241, 464_773)
    assert one.pixels.size == 4 * GIB - 2
    measured(
        capsys,
        proving,
        f"4 GiB - 2, {receive.__name__}",
        partial(received_and_fetched, one=one, receive=receive),
        partial(as_value, one=one),
        partial(last_frame, one=one),
        partial(transcoded, one=one, pixels=one.pixels.size),
    )


@pytest.mark.prove
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("receive", [by_stow, by_c_store])
def test_5_gib_of_fragments_in_100_mb(capsys, proving, receive):
    one = video(3 * GIB, 2 * GIB)
    measured(
        capsys,
        proving,
        f"5 GiB, {receive.__name__}",
        partial(received_and_fetched, one=one, receive=receive),
        partial(as_value, one=one),
    )


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_1_gib_is_decompressed_in_100_mb(capsys, proving):
    one = compressed(4096)
    by_stow(*proving, one)
    measured(
        capsys, proving, "1 GiB decompressed", partial(transcoded, one=one, pixels=4096 * 512 * 512)
    )
