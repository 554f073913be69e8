from django.urls import path

from apps.workspace.views import portal

app_name = "portal"
urlpatterns = [
    path("", portal.results, name="list"),
    path("<int:pk>/", portal.result, name="result"),
]
