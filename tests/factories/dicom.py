"""Small DICOM objects made here, and staging them as a listener would."""

from io import BytesIO
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from apps.archive.incoming import IncomingObject, Staged
from apps.core.uids import new_uid


def ct_slice(
    *, study: str = "", series: str = "", number: int = 1, size: int = 16, **attributes: object
) -> Dataset:
    """A CT slice with a gradient in it; any attribute by keyword."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, new_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study or new_uid(), series or new_uid()
    ds.FrameOfReferenceUID = new_uid()
    ds.PatientID, ds.PatientName = "P1", "Marlowe^June"
    ds.PatientBirthDate, ds.PatientSex = "19671104", "F"
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = "20261120"
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = "101112"
    ds.AccessionNumber, ds.StudyID, ds.StudyDescription = "", "1", "CT CHEST"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 1, number
    ds.SeriesDescription, ds.ReferringPhysicianName = "AXIAL", "Reeve^Nora"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, -number], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [0.5, 0.5], 1
    ds.Rows = ds.Columns = size
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 1
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.RescaleIntercept, ds.RescaleSlope, ds.WindowCenter, ds.WindowWidth = -1024, 1, 40, 400
    pixels = np.arange(size * size, dtype="<i2").reshape(size, size) + number
    ds.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def as_file(ds: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """The data set as a Part 10 file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.file_meta.TransferSyntaxUID = transfer_syntax_uid
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def dataset_bytes(part10: bytes) -> bytes:
    """What follows the file meta information."""
    return part10[144 + int.from_bytes(part10[140:144], "little") :]


def stage(part10: bytes | Path) -> Staged:
    """Stage a file as a listener would that received its data set."""
    content = part10.read_bytes() if isinstance(part10, Path) else part10
    meta = dcmread(BytesIO(content), stop_before_pixels=True).file_meta
    incoming = IncomingObject(
        sop_class_uid=str(meta.get("MediaStorageSOPClassUID", "")),
        sop_instance_uid=str(meta.get("MediaStorageSOPInstanceUID", "")),
        transfer_syntax_uid=str(meta.TransferSyntaxUID),
        source_ae_title="TEST",
    )
    incoming.write(dataset_bytes(content))
    return incoming.finish()
