"""Between our small data sets and pydicom's, for commands and selectors that speak pydicom."""

from io import BytesIO
from typing import Any

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.multival import MultiValue

from apps.dimse.data_sets import DataSet, DataSetError, decode
from apps.dimse.upper.negotiation import EXPLICIT_LE


def to_pydicom(raw: bytes, transfer_syntax_uid: str) -> Dataset:
    """Return a small data set decoded by pydicom, its text in Unicode.

    Raises:
        DataSetError: it is none.
    """
    explicit = transfer_syntax_uid == EXPLICIT_LE
    decode(raw, explicit=explicit)  # lengths and depth are in order: pydicom would recurse
    try:
        ds = read_dataset(BytesIO(raw), is_implicit_VR=not explicit, is_little_endian=True)
        ds.decode()
        for _ in ds.iterall():
            pass  # pydicom converts values at the first look: let a wrong one show here
    except Exception as error:
        message = f"a value cannot be read: {error}"
        raise DataSetError(message) from error
    return ds


def from_pydicom(ds: Dataset) -> DataSet:
    """Return a pydicom data set as a small one."""
    return {int(element.tag): _plain(element.value, element.VR) for element in ds}


def _plain(value: Any, vr: str) -> Any:
    if vr == "SQ":
        return [from_pydicom(item) for item in value or []]
    if value is None:
        return ""
    if isinstance(value, (int, float, bytes)) and not hasattr(value, "original_string"):
        return value
    if isinstance(value, (MultiValue, list, tuple)):
        return [_plain(one, vr) for one in value]
    return str(value)
