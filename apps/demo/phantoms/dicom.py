"""Phantoms as DICOM objects: the modules their IODs ask for, and the file meta information."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from io import BytesIO

import imagecodecs
import jpeg_ls
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEGLSLossless,
    MRImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from apps.core.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, derived_uid

Code = tuple[str, str, str]
MANUFACTURER = "Isocenter phantom"


class Coding(Enum):
    """How pixel data is stored: always without loss."""

    PLAIN = ExplicitVRLittleEndian
    JPEG_LS = JPEGLSLossless
    HTJ2K = HTJ2KLossless


@dataclass(frozen=True)
class Subject:
    """The person an exam is of."""

    patient_id: str
    issuer: str
    name: str
    birth_date: date
    sex: str


@dataclass(frozen=True)
class StudyTags:
    """The exam as the worklist gave it to the modality; `started_at` is local wall time."""

    study_instance_uid: str
    accession_number: str
    issuer_of_accession_number: str
    description: str
    started_at: datetime
    referring_physician: str = ""
    requested_procedure_id: str = ""
    scheduled_step_id: str = ""
    code: Code | None = None
    reason: str = ""
    institution: str = ""
    station_name: str = ""


@dataclass(frozen=True)
class Series:
    """What all instances of one series share."""

    number: int
    modality: str
    description: str
    body_part: str
    after_minutes: float = 0.0
    protocol: str = ""
    laterality: str = ""


def code_item(code: Code) -> Dataset:
    """Return a code sequence item. Source: PS3.3 8.8."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    return item


def base(
    subject: Subject, study: StudyTags, series: Series, sop_class: str, number: int
) -> Dataset:
    """Return a data set with the patient, study, series, equipment and SOP common modules."""
    ds = Dataset()
    at = study.started_at + timedelta(minutes=series.after_minutes)
    day, time = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = UID(sop_class)
    series_uid = derived_uid(study.study_instance_uid, str(series.number))
    ds.SOPInstanceUID = derived_uid(series_uid, str(number))
    ds.InstanceCreationDate, ds.InstanceCreationTime = day, time
    ds.StudyDate, ds.StudyTime = day, study.started_at.strftime("%H%M%S")
    ds.SeriesDate, ds.SeriesTime = day, time
    ds.AcquisitionDate, ds.AcquisitionTime = day, time
    ds.ContentDate, ds.ContentTime = day, time
    ds.AccessionNumber = study.accession_number
    issuer = Dataset()
    issuer.LocalNamespaceEntityID = study.issuer_of_accession_number
    ds.IssuerOfAccessionNumberSequence = DicomSequence([issuer])
    ds.Modality = series.modality
    ds.Manufacturer = MANUFACTURER
    ds.ManufacturerModelName = "Curves and noise"
    ds.DeviceSerialNumber = "0001"
    ds.SoftwareVersions = "1"
    ds.InstitutionName, ds.StationName = study.institution, study.station_name
    ds.ReferringPhysicianName = study.referring_physician
    ds.StudyDescription, ds.SeriesDescription = study.description, series.description
    if study.code:
        ds.ProcedureCodeSequence = DicomSequence([code_item(study.code)])
    ds.PatientName, ds.PatientID = subject.name, subject.patient_id
    ds.IssuerOfPatientID = subject.issuer
    ds.PatientBirthDate = subject.birth_date.strftime("%Y%m%d")
    ds.PatientSex = subject.sex
    ds.PatientAge = age(subject.birth_date, study.started_at.date())
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study.study_instance_uid, series_uid
    ds.StudyID = study.requested_procedure_id[:16]
    ds.SeriesNumber, ds.InstanceNumber = series.number, number
    ds.BodyPartExamined = series.body_part
    ds.ProtocolName = series.protocol or series.description
    if series.laterality:
        ds.Laterality = series.laterality
    if study.requested_procedure_id:
        request = Dataset()
        request.RequestedProcedureID = study.requested_procedure_id
        request.AccessionNumber = study.accession_number
        request.RequestedProcedureDescription = study.description
        if study.reason:
            request.ReasonForTheRequestedProcedure = study.reason[:64]
        if study.scheduled_step_id:
            request.ScheduledProcedureStepID = study.scheduled_step_id
        ds.RequestAttributesSequence = DicomSequence([request])
    ds.BurnedInAnnotation = "NO"
    return ds


def age(born: date, on: date) -> str:
    """Return an age string (AS) in the unit a clinic would use. Source: PS3.5 6.2."""
    days = max(0, (on - born).days)
    if days < 28:
        return f"{days:03d}D"
    if days < 730:
        return f"{int(days / 30.44):03d}M"
    return f"{min(999, int(days / 365.25)):03d}Y"


def set_pixels(
    ds: Dataset, pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], bits: int, coding: Coding,
    photometric: str = "MONOCHROME2",
) -> None:  # fmt: skip
    """Add the image pixel module; `pixels` is (rows, cols) or (frames, rows, cols), unsigned."""
    frames = pixels if pixels.ndim == 3 else pixels[None]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = photometric
    ds.Rows, ds.Columns = frames.shape[1:]
    ds.BitsAllocated = 8 * frames.dtype.itemsize
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits - 1, 0
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = coding.value
    ds.file_meta = meta
    if coding is Coding.PLAIN:
        raw = frames.astype(frames.dtype.newbyteorder("<")).tobytes()
        ds.PixelData = raw + b"\0" * (len(raw) % 2)
    else:
        ds.PixelData = encapsulate([_encode(frame, bits, coding) for frame in frames])
        ds["PixelData"].VR = "OB"
    if ds.BitsAllocated == 8:
        ds["PixelData"].VR = "OB" if coding is not Coding.PLAIN else "OW"


def _encode(
    frame: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], bits: int, coding: Coding
) -> bytes:
    if coding is Coding.HTJ2K:
        return bytes(imagecodecs.htj2k_encode(np.ascontiguousarray(frame), reversible=True))
    return bytes(
        jpeg_ls.encode_pixel_data(
            frame.tobytes(), rows=frame.shape[0], columns=frame.shape[1], samples_per_pixel=1,
            bits_stored=bits,
        )
    )  # fmt: skip


def part10(ds: Dataset) -> bytes:
    """Return the data set as a DICOM file. Source: PS3.10 7.1."""
    meta = ds.file_meta
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    out = BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def set_plane(
    ds: Dataset, frame_of_reference_uid: str, orientation: Sequence[float],
    position: Sequence[float], spacing: float, thick: float,
) -> None:  # fmt: skip
    """Add the frame of reference and image plane modules; all lengths in mm."""
    ds.FrameOfReferenceUID = frame_of_reference_uid
    ds.PositionReferenceIndicator = ""
    ds.ImageOrientationPatient = list(orientation)
    ds.ImagePositionPatient = [round(float(v), 3) for v in position]
    ds.PixelSpacing = [round(spacing, 6), round(spacing, 6)]
    ds.SliceThickness = round(thick, 3)
    ds.SliceLocation = round(float(position[2] if orientation[4] else position[0]), 3)


@dataclass(frozen=True)
class Windows:
    """Window centres, widths and what they are for."""

    centres: tuple[float, ...]
    widths: tuple[float, ...]
    words: tuple[str, ...] = ()

    def put(self, ds: Dataset) -> None:
        """Add the VOI LUT module."""
        ds.WindowCenter, ds.WindowWidth = list(self.centres), list(self.widths)
        if self.words:
            ds.WindowCenterWidthExplanation = list(self.words)


SOFT_FIRST = Windows((40, -500, 450), (400, 1500, 1800), ("SOFT", "LUNG", "BONE"))
LUNG_FIRST = Windows((-500, 40), (1500, 400), ("LUNG", "SOFT"))
BRAIN_FIRST = Windows((38, 500), (80, 2500), ("BRAIN", "BONE"))


def ct(
    subject: Subject, study: StudyTags, series: Series, number: int, hu: npt.NDArray[np.float32],
    windows: Windows, coding: Coding, *, kernel: str, contrast: bool, original: bool = True,
) -> Dataset:  # fmt: skip
    """Return a CT image of values in HU, stored as 12 bits from -1024 up. Source: PS3.3 A.3."""
    ds = base(subject, study, series, str(CTImageStorage), number)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if original else "LOCALIZER"]
    ds.AcquisitionNumber = 1
    ds.KVP, ds.XRayTubeCurrent, ds.ExposureTime = 120, 180, 500
    ds.ConvolutionKernel = kernel
    ds.GantryDetectorTilt = 0
    ds.PatientPosition = "HFS"
    if contrast:
        ds.ContrastBolusAgent = "Iohexol 300 mg/mL"
        ds.ContrastBolusRoute = "IV"
        ds.ContrastBolusVolume = 90
    stored = np.clip(np.rint(hu) + 1024, 0, 4095).astype(np.uint16)
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    windows.put(ds)
    set_pixels(ds, stored, 12, coding)
    return ds


def mr(
    subject: Subject, study: StudyTags, series: Series, number: int,
        signal: npt.NDArray[np.float32],
    windows: Windows, coding: Coding, physics: Mapping[str, object],
) -> Dataset:  # fmt: skip
    """Return an MR image, 12 bits; `physics` holds keywords such as EchoTime. Source: PS3.3 A.4."""
    ds = base(subject, study, series, str(MRImageStorage), number)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
    ds.AcquisitionNumber = 1
    ds.MagneticFieldStrength = 1.5
    ds.PatientPosition = "HFS"
    for keyword, value in physics.items():
        setattr(ds, keyword, value)
    windows.put(ds)
    set_pixels(ds, np.clip(np.rint(signal), 0, 4095).astype(np.uint16), 12, coding)
    return ds


def cr(
    subject: Subject, study: StudyTags, series: Series, number: int, shown: npt.NDArray[np.float32],
    spacing: float, coding: Coding, *, view: str, orientation: tuple[str, str],
) -> Dataset:  # fmt: skip
    """Return a CR image: MONOCHROME1, 10 bits, detector spacing only. Source: PS3.3 A.2."""
    ds = base(subject, study, series, str(ComputedRadiographyImageStorage), number)
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.ViewPosition = view
    ds.PatientOrientation = list(orientation)
    ds.ImagerPixelSpacing = [spacing, spacing]
    ds.KVP, ds.Exposure = 120, 3
    ds.PlateType, ds.CassetteOrientation = "IP", "PORTRAIT"
    ds.WindowCenter, ds.WindowWidth = 512, 1024
    set_pixels(ds, np.rint((1 - shown) * 1023).astype(np.uint16), 10, coding, "MONOCHROME1")
    return ds


def dx(
    subject: Subject, study: StudyTags, series: Series, number: int, shown: npt.NDArray[np.float32],
    spacing: float, coding: Coding, *, view: str, orientation: tuple[str, str], laterality: str,
    region: Code,
) -> Dataset:  # fmt: skip
    """Return a DX image for presentation: MONOCHROME2, 12 bits, calibrated. Source: PS3.3 A.26."""
    ds = base(subject, study, series, str(DigitalXRayImageStorageForPresentation), number)
    _digital_xray(ds, spacing, laterality, region, orientation)
    ds.ViewPosition = view
    ds.PositionerType = "NONE"
    ds.PixelSpacing = [spacing, spacing]
    ds.PixelSpacingCalibrationType = "GEOMETRY"
    ds.PixelSpacingCalibrationDescription = "Table top"
    ds.KVP, ds.ExposureInuAs = 70, 4000
    ds.DetectorType = "SCINTILLATOR"
    set_pixels(ds, np.rint(shown * 4095).astype(np.uint16), 12, coding)
    return ds


def _digital_xray(
    ds: Dataset, spacing: float, laterality: str, region: Code, orientation: tuple[str, str]
) -> None:
    """Add the modules that DX and MG share. Source: PS3.3 C.8.11."""
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.ImageLaterality = laterality
    ds.AnatomicRegionSequence = DicomSequence([code_item(region)])
    ds.PatientOrientation = list(orientation)
    ds.ImagerPixelSpacing = [spacing, spacing]
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", -1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.PresentationLUTShape = "IDENTITY"
    ds.LossyImageCompression = "00"
    ds.WindowCenter, ds.WindowWidth = 2048, 4096
    ds.AcquisitionContextSequence = DicomSequence([])


_MG_VIEWS: Mapping[str, Code] = {
    "CC": ("399162004", "SCT", "cranio-caudal"),
    "MLO": ("399368009", "SCT", "medio-lateral oblique"),
}
_MG_ORIENTATION = {
    ("R", "CC"): ("P", "L"), ("L", "CC"): ("A", "R"),
    ("R", "MLO"): ("P", "FL"), ("L", "MLO"): ("A", "FR"),
}  # fmt: skip


def mg(
    subject: Subject, study: StudyTags, series: Series, number: int, shown: npt.NDArray[np.float32],
    spacing: float, coding: Coding, *, side: str, position: str,
) -> Dataset:  # fmt: skip
    """Return a mammogram for presentation, 12 bits. Source: PS3.3 A.27."""
    ds = base(
        subject, study, series, str(DigitalMammographyXRayImageStorageForPresentation), number
    )
    breast = ("76752008", "SCT", "Breast")
    _digital_xray(ds, spacing, side, breast, _MG_ORIENTATION[side, position])
    ds.PositionerType = "MAMMOGRAPHIC"
    ds.PositionerPrimaryAngle = 0 if position == "CC" else (45 if side == "R" else -45)
    ds.OrganExposed = "BREAST"
    ds.ViewPosition = position
    view = code_item(_MG_VIEWS[position])
    view.ViewModifierCodeSequence = DicomSequence([])
    ds.ViewCodeSequence = DicomSequence([view])
    ds.PartialView, ds.BreastImplantPresent = "NO", "NO"
    ds.KVP, ds.ExposureInuAs, ds.BodyPartThickness, ds.CompressionForce = 29, 62000, 54, 98
    ds.AnodeTargetMaterial, ds.FilterMaterial = "TUNGSTEN", "RHODIUM"
    ds.DetectorType = "DIRECT"
    ds.EstimatedRadiographicMagnificationFactor = 1
    set_pixels(ds, np.rint(shown * 4095).astype(np.uint16), 12, coding)
    return ds


@dataclass(frozen=True)
class Region:
    """The part of an ultrasound picture where pixels are tissue; corners in pixels."""

    left: int
    top: int
    right: int
    bottom: int
    mm_per_px: float


def us_cine(
    subject: Subject, study: StudyTags, series: Series, number: int, frames: npt.NDArray[np.uint8],
    region: Region, frame_time_ms: float, coding: Coding,
) -> Dataset:  # fmt: skip
    """Return an ultrasound loop with its calibrated region. Source: PS3.3 A.7, C.8.5.5."""
    ds = base(subject, study, series, str(UltrasoundMultiFrameImageStorage), number)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0001"]
    ds.PatientOrientation = []
    ds.TransducerData = ["C5-1", "", ""]
    area = Dataset()
    area.RegionSpatialFormat, area.RegionDataType, area.RegionFlags = 1, 1, 0
    area.RegionLocationMinX0, area.RegionLocationMinY0 = region.left, region.top
    area.RegionLocationMaxX1, area.RegionLocationMaxY1 = region.right, region.bottom
    area.PhysicalUnitsXDirection = area.PhysicalUnitsYDirection = 3
    area.PhysicalDeltaX = area.PhysicalDeltaY = region.mm_per_px / 10
    ds.SequenceOfUltrasoundRegions = DicomSequence([area])
    ds.NumberOfFrames = len(frames)
    ds.FrameIncrementPointer = 0x00181063
    ds.FrameTime = frame_time_ms
    ds.CineRate = ds.RecommendedDisplayFrameRate = round(1000 / frame_time_ms)
    ds.LossyImageCompression = "00"
    set_pixels(ds, frames, 8, coding)
    return ds
