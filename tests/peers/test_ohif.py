"""OHIF, as npm has it, loads a study from the product as it runs, in front of it the shared proxy.

Expected pixels are dcmtk's.
"""

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from playwright.sync_api import Page, Response, expect
from pydicom import dcmread

from pacs_site.up.errors import UpError
from pacs_site.up.frontend import find_node
from tests.dimse.peers import running
from tests.product import Product, free_ports

pytestmark = [pytest.mark.peer, pytest.mark.e2e]

PACKAGE, VERSION = "@ohif/app", "3.13.2"
SHA512 = "WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA=="
"""Of the package as the registry has it (`npm view @ohif/app@VERSION dist.integrity`)."""
SHOWN_MS = 90_000  # software WebGL, and whatever else the machine does
ALIKE = 0.98
"""Correlation of OHIF's picture, magnified, with dcmtk's."""
MARKED = ("PR", "KO", "SEG", "SR")
"""Made over the images, and listed without a picture of their own."""


def _fetched(folder: Path) -> Path:
    """Have npm fetch the package into a folder, and check that it is the one that was meant."""
    try:
        node = find_node()
    except UpError as error:
        pytest.skip(f"OHIF is on npm only: {error}")
    done = subprocess.run(
        [*node.npm, "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(folder), "--json"],
        env={**os.environ, "PATH": node.path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"npm does not give {PACKAGE}@{VERSION}: {done.stderr.strip()[-300:]}")
    package = folder / json.loads(done.stdout)[0]["filename"]
    digest = hashlib.sha512(package.read_bytes()).digest()
    assert base64.b64encode(digest).decode() == SHA512, f"{package.name} is another file"
    return package


@pytest.fixture(scope="module")
def ohif(pytestconfig: pytest.Config) -> Path:
    """The folder of a prebuilt OHIF; kept in pytest's cache folder, which git ignores."""
    assert pytestconfig.cache is not None
    folder = Path(pytestconfig.cache.mkdir("ohif")) / VERSION
    dist = folder / "package" / "dist"
    if not dist.is_dir():
        folder.mkdir(exist_ok=True)
        package = _fetched(folder)
        unpacked = folder / "unpacked"
        with tarfile.open(package) as archive:
            for one in archive:
                content = archive.extractfile(one)
                if content is not None and not one.name.endswith(".map"):
                    path = unpacked / one.name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content.read())
        package.unlink()
        (unpacked / "package").rename(folder / "package")  # whole, or not at all
        unpacked.rmdir()
    return dist


@pytest.fixture
def viewer(running_product: Product, ohif: Path, shared_data: Path, token: str) -> Iterator[str]:
    """The address of OHIF, whose DICOMweb is the product's."""
    proxy = shared_data.parent / "bench" / "ohif_proxy.py"
    if not proxy.is_file():
        pytest.skip(f"the proxy that serves OHIF is not here: {proxy} (set ISOCENTER_SHARED)")
    [port] = free_ports(1)
    asked = ["--header", f"Authorization: Bearer {token}", "--port", str(port)]
    with running(port, sys.executable, str(proxy), str(ohif), running_product.url, *asked):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def files(shared_data: Path) -> list[Path]:
    """A real series of MR, and what highdicom made over it."""
    folder = shared_data / "dicom"
    made = (folder / "synthetic").glob("*_highdicom.dcm")
    return [*sorted((folder / "volume-mr-sag-35-HFS").iterdir()), *sorted(made)]


def by_dcmtk(program: str, path: Path, size: int, folder: Path) -> np.ndarray:
    out = folder / f"{path.name}.png"
    subprocess.run([program, "+on", "+Wi", "1", str(path), str(out)], check=True, timeout=60)
    return np.asarray(Image.open(out).convert("L").resize((size, size)), float)


def shown(page: Page) -> np.ndarray:
    """What stands on the viewport's canvas, cut to the square that the picture fills."""
    canvas = page.locator("canvas.cornerstone-canvas")
    url = canvas.evaluate("canvas => canvas.toDataURL('image/png')")
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return np.asarray(picture.crop((left, top, left + side, top + side)), float)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    if not one.std():  # blank
        return 0.0
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_ohif_loads_a_study(  # noqa: PLR0917 - fixtures
    viewer: str,
    client: DICOMwebClient,
    files: list[Path],
    page: Page,
    dcmtk: Callable[[str], str],
    tmp_path: Path,
) -> None:
    objects = [dcmread(file) for file in files]
    client.store_instances(objects)
    images = [file for file, ds in zip(files, objects, strict=True) if ds.Modality == "MR"]

    refused: list[str] = []
    asked: set[str] = set()

    def note(response: Response) -> None:
        if "/dicom-web" in response.url:
            asked.add(response.url.partition("?")[0].rpartition("/")[2])
            if response.status != 200:
                refused.append(f"{response.status} {response.url}")

    page.on("response", note)
    page.on("requestfailed", lambda request: refused.append(f"{request.failure} {request.url}"))
    page.on("pageerror", lambda error: refused.append(str(error)))
    page.goto(f"{viewer}/viewer?StudyInstanceUIDs={objects[0].StudyInstanceUID}")

    # every series is listed, that of the images with its picture
    thumbnail = page.locator("[data-cy=study-browser-thumbnail]")
    expect(thumbnail).to_contain_text("t1_fl2d_sag", timeout=SHOWN_MS)
    expect(thumbnail).to_contain_text(str(len(images)), timeout=SHOWN_MS)
    listed = page.locator("[data-cy=study-browser-thumbnail-no-image]")
    expect(listed).to_have_count(len(MARKED), timeout=SHOWN_MS)
    for modality in MARKED:
        expect(listed.filter(has_text=modality)).to_have_count(1)
    picture = thumbnail.locator("img")
    expect(picture).to_be_visible(timeout=SHOWN_MS)
    assert picture.evaluate("image => image.naturalWidth") > 0

    # the first slice is shown, and is that which dcmtk draws, not another
    expect(page.locator("canvas.cornerstone-canvas")).to_be_visible(timeout=SHOWN_MS)
    expect(page.locator("[data-cy=viewport-overlay-bottom-right]")).to_contain_text(
        f"1/{len(images)}", timeout=SHOWN_MS
    )
    images.sort(key=lambda file: int(dcmread(file, stop_before_pixels=True).InstanceNumber))
    side = len(shown(page))
    slices = [by_dcmtk(dcmtk("dcmj2pnm"), file, side, tmp_path) for file in images]
    alike = [0.0]
    for _ in range(SHOWN_MS // 200):
        now = shown(page)
        alike = [correlation(now, one) for one in slices]
        if alike[0] > ALIKE:
            break
        page.wait_for_timeout(200)  # a canvas says nothing when it was drawn
    assert alike[0] > ALIKE, alike
    assert alike[0] == max(alike)
    assert {"studies", "series", "metadata"} <= asked
    assert refused == []
