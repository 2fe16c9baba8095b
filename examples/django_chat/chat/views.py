"""The pages: ordinary Django."""

from django.http import HttpRequest, JsonResponse

from .realtime import server


def index(request: HttpRequest) -> JsonResponse:
    """How many are here."""
    return JsonResponse({"connected": len(server.sockets)})
