from django.urls import path, register_converter
from django.urls.converters import StringConverter

from apps.workspace.views import (
    administration,
    associations,
    attention,
    audit,
    commitments,
    home,
    nodes,
    orders,
    palette,
    patients,
    quarantine,
    storage,
    upload,
    versions,
)


class RegisterConverter(StringConverter):
    """The key of one of the administrator's registers."""

    regex = "users|nodes|peers"


register_converter(RegisterConverter, "register")

app_name = "workspace"
urlpatterns = [
    path("", home.home, name="home"),
    path("welcome/", home.no_role, name="no-role"),
    path("palette/", palette.palette, name="palette"),
    path("preferences/", home.preferences, name="preferences"),
    path("patients/", patients.search, name="patients"),
    path("patients/<int:pk>/", patients.jacket, name="patient"),
    path("orders/new/", orders.new, name="order-new"),
    path("orders/new/alerts/", orders.alerts, name="order-alerts"),
    path("orders/<int:pk>/", orders.order, name="order"),
    path("orders/<int:pk>/cancel/", orders.cancel, name="order-cancel"),
    path("orders/<int:pk>/accept/", orders.accept, name="order-accept"),
    path("orders/<int:pk>/undo/", orders.undo, name="order-undo"),
    path("attention/", attention.attention, name="attention"),
    path("attention/<slug:key>/", attention.case, name="attention-case"),
    path("attention/<slug:key>/<slug:verb>/", attention.deed, name="attention-do"),
    path("attention/<slug:key>/undo/<slug:verb>/", attention.undo, name="attention-undo"),
    path("quarantine/", quarantine.quarantine, name="quarantine"),
    path("quarantine/rules/", quarantine.rules, name="quarantine-rules"),
    path("quarantine/undo/", quarantine.undo, name="quarantine-undo"),
    path("quarantine/<int:pk>/", quarantine.held, name="quarantine-object"),
    path("quarantine/<int:pk>/file/", quarantine.download, name="quarantine-download"),
    path("quarantine/<slug:verb>/", quarantine.decide, name="quarantine-decide"),
    path("images/<int:pk>/versions/", versions.versions, name="versions"),
    path("images/<int:pk>/versions/choose/", versions.choose, name="versions-choose"),
    path("images/<int:pk>/versions/undo/", versions.undo, name="versions-undo"),
    path("images/<int:pk>/versions/<int:stored>/", versions.picture, name="version-picture"),
    path("upload/", upload.upload, name="upload"),
    path("upload/begin/", upload.begin, name="upload-begin"),
    path("upload/<int:pk>/", upload.result, name="upload-one"),
    path("upload/<int:pk>/offer/", upload.offer, name="upload-offer"),
    path("upload/<int:pk>/files/", upload.wholes, name="upload-wholes"),
    path("upload/<int:pk>/end/", upload.end, name="upload-end"),
    path("upload/files/<int:pk>/", upload.piece, name="upload-piece"),
    path("commitments/", commitments.ledger, name="commitments"),
    path("commitments/<int:pk>/", commitments.one, name="commitment"),
    path("commitments/<int:pk>/retry/", commitments.retry, name="commitment-retry"),
    path("audit/", audit.trail, name="audit"),
    path("audit/<int:pk>/", audit.event, name="audit-event"),
    path("administration/", administration.index, name="administration"),
    path("administration/associations/", associations.found, name="associations"),
    path("administration/associations/<int:pk>/", associations.one, name="association"),
    path("administration/storage/", storage.report, name="storage"),
    path("administration/node/<int:pk>/", nodes.node, name="node"),
    path("administration/node/<int:pk>/ask/<slug:question>/", nodes.ask, name="node-ask"),
    path("administration/<register:key>/", administration.register, name="register"),
    path("administration/<register:key>/new/", administration.register, name="new-entry"),
    path("administration/<register:key>/<int:pk>/", administration.register, name="entry"),
]
