"""The pages: ordinary Django."""

from django.contrib.auth import authenticate, login
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt


def index(request: HttpRequest) -> JsonResponse:
    """Who is asking."""
    return JsonResponse({"user": request.user.get_username()})


@csrf_exempt  # a site with forms sends their token instead
def enter(request: HttpRequest) -> JsonResponse:
    """Log in."""
    user = authenticate(request, username=request.POST.get("name"), password=request.POST.get("password"))
    if user is None:
        return JsonResponse({"error": "not you"}, status=403)
    login(request, user)
    request.session["basket"] = ["tea"]
    return JsonResponse({"user": user.get_username()})
