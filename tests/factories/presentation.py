"""Presentation states made here, over images made here."""

import numpy as np
from pydicom import Dataset

from apps.core.uids import new_uid

GRAYSCALE = "1.2.840.10008.5.1.4.1.1.11.1"
COLOR = "1.2.840.10008.5.1.4.1.1.11.2"


def item(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def reference(ds: Dataset, **more: object) -> Dataset:
    uids = {"ReferencedSOPClassUID": ds.SOPClassUID, "ReferencedSOPInstanceUID": ds.SOPInstanceUID}
    return item(**uids, **more)


def state_of(*images: Dataset, **attributes: object) -> Dataset:
    """A presentation state over images: the full range, nothing cut or turned."""
    first = images[0]
    ds = item(
        SOPClassUID=GRAYSCALE, SOPInstanceUID=new_uid(), Modality="PR",
        StudyInstanceUID=first.StudyInstanceUID, SeriesInstanceUID=new_uid(),
        PatientID=first.PatientID, PatientName=first.PatientName, PatientBirthDate="",
        PatientSex="", StudyDate="20261120", StudyTime="101112", AccessionNumber="", StudyID="1",
        ReferringPhysicianName="", Manufacturer="", SeriesNumber=99, InstanceNumber=1,
        ContentLabel="STATE", ContentDescription="", PresentationCreationDate="20261120",
        PresentationCreationTime="101112", ContentCreatorName="",
        PresentationLUTShape="IDENTITY",
    )  # fmt: skip
    ds.ReferencedSeriesSequence = [
        item(
            SeriesInstanceUID=first.SeriesInstanceUID,
            ReferencedImageSequence=[reference(one) for one in images],
        )
    ]
    ds.DisplayedAreaSelectionSequence = [area(1, 1, first.Columns, first.Rows)]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def area(*corners: int, **more: object) -> Dataset:
    return item(
        **{
            "DisplayedAreaTopLeftHandCorner": list(corners[:2]),
            "DisplayedAreaBottomRightHandCorner": list(corners[2:]),
            "PresentationSizeMode": "SCALE TO FIT",
            "PresentationPixelAspectRatio": [1, 1],
        }
        | more
    )


def window(center: float, width: float, **more: object) -> Dataset:
    return item(WindowCenter=center, WindowWidth=width, **more)


def table(first: int, values: list[int], bits: int = 8) -> Dataset:
    ds = item(LUTData=np.asarray(values, "<u2").tobytes())
    ds["LUTData"].VR = "OW"
    ds.add_new(0x00283002, "SS" if first < 0 else "US", [len(values), first, bits])
    return ds


def annotated(image: Dataset, *graphics: Dataset, texts: tuple[Dataset, ...] = (), **more: object):
    """A state over black, with one layer of white."""
    layer = item(GraphicLayer="ONE", GraphicLayerOrder=1,
                 GraphicLayerRecommendedDisplayGrayscaleValue=0xFFFF)  # fmt: skip
    annotation = item(GraphicLayer="ONE", ReferencedImageSequence=[reference(image)])
    if graphics:
        annotation.GraphicObjectSequence = list(graphics)
    if texts:
        annotation.TextObjectSequence = list(texts)
    return state_of(
        image, SoftcopyVOILUTSequence=[window(1e6, 10)], GraphicLayerSequence=[layer],
        GraphicAnnotationSequence=[annotation], **more,
    )  # fmt: skip


def graphic(kind: str, *points: float, units: str = "PIXEL", filled: str = "N") -> Dataset:
    return item(
        GraphicAnnotationUnits=units, GraphicDimensions=2, NumberOfGraphicPoints=len(points) // 2,
        GraphicData=list(points), GraphicType=kind, GraphicFilled=filled,
    )  # fmt: skip
