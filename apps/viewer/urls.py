from django.urls import path

from apps.viewer import views

app_name = "viewer"
urlpatterns = [
    path("", views.viewer, name="viewer"),
    path("launch", views.launch, name="launch"),
]
