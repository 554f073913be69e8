from django.urls import path

from apps.reports import views

app_name = "reports"
urlpatterns = [
    path("<int:pk>/", views.report, name="report"),
    path("<int:pk>/draft/", views.draft, name="draft"),
    path("<int:pk>/preliminary/", views.preliminary, name="preliminary"),
    path("<int:pk>/sign/", views.sign, name="sign"),
    path("<int:pk>/revise/", views.revise, name="revise"),
    path("<int:pk>/discard/", views.discard, name="discard"),
    path("<int:pk>/withdraw/", views.withdraw, name="withdraw"),
    path("<int:pk>/kept/<int:kept>/", views.settle, name="settle"),
    path("<int:pk>/versions/<int:number>/", views.version, name="version"),
    path("<int:pk>/versions/<int:number>.pdf", views.version_pdf, name="version-pdf"),
]
