"""The addresses of DICOMweb, under `/dicom-web/` (PS3.18 10.4.1, 10.5.1, 10.6.1)."""

from django.urls import path

from apps.dicomweb import bulk_data, qido, rendered, stow, wado, wado_uri
from apps.dicomweb.verbs import by_method

app_name = "dicomweb"

STUDY = "studies/<str:study>"
SERIES = f"{STUDY}/series/<str:series>"
INSTANCE = f"{SERIES}/instances/<str:instance>"

urlpatterns = [
    path("wado", wado_uri.retrieve, name="wado-uri"),
    path(f"{INSTANCE}/frames/<str:frames>", wado.frames, name="frames"),
    path("studies", by_method(GET=qido.search_studies, POST=stow.store), name="studies"),
    path("series", qido.search_series, name="series-search"),
    path("instances", qido.search_instances, name="instances-search"),
    path(STUDY, by_method(GET=wado.retrieve, POST=stow.store), name="study"),
    path(f"{STUDY}/metadata", wado.metadata, name="study-metadata"),
    path(f"{STUDY}/rendered", rendered.rendered, name="study-rendered"),
    path(f"{STUDY}/thumbnail", rendered.thumbnail, name="study-thumbnail"),
    path(f"{STUDY}/series", qido.search_series, name="study-series"),
    path(f"{STUDY}/instances", qido.search_instances, name="study-instances"),
    path(SERIES, wado.retrieve, name="series"),
    path(f"{SERIES}/metadata", wado.metadata, name="series-metadata"),
    path(f"{SERIES}/rendered", rendered.rendered, name="series-rendered"),
    path(f"{SERIES}/thumbnail", rendered.thumbnail, name="series-thumbnail"),
    path(f"{SERIES}/instances", qido.search_instances, name="series-instances"),
    path(INSTANCE, wado.retrieve, name="instance"),
    path(f"{INSTANCE}/metadata", wado.metadata, name="instance-metadata"),
    path(f"{INSTANCE}/rendered", rendered.rendered, name="instance-rendered"),
    path(f"{INSTANCE}/thumbnail", rendered.thumbnail, name="instance-thumbnail"),
    path(f"{INSTANCE}/bulkdata/<path:path>", wado.bulkdata, name="bulkdata"),
    *(
        path(f"{address}/{name}", view, name=f"{level}-{name}")
        for level, address in (("study", STUDY), ("series", SERIES), ("instance", INSTANCE))
        for name, view in (("bulkdata", bulk_data.bulk_data), ("pixeldata", bulk_data.pixel_data))
    ),
    path(f"{INSTANCE}/frames/<str:frames>/rendered", rendered.rendered, name="frame-rendered"),
    path(f"{INSTANCE}/frames/<str:frames>/thumbnail", rendered.thumbnail, name="frame-thumbnail"),
]
