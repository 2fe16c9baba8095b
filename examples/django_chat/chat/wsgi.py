"""What ``startproject`` makes, but for two imports and what is put in front of Django in the last line.

cd examples/django_chat
syncio run chat.wsgi
gunicorn --threads 8 chat.wsgi
"""

import os

from django.core.wsgi import get_wsgi_application

import syncio

from .realtime import server

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chat.settings")

application = syncio.WSGIApp(server, get_wsgi_application())
