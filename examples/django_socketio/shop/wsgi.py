"""What ``startproject`` makes, and two lines more, the last ones.

cd examples/django_socketio
python manage.py migrate
python manage.py createsuperuser
gunicorn --threads 8 shop.wsgi
"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

application = get_wsgi_application()

from .realtime import sio, socketio  # noqa: E402

application = socketio.WSGIApp(sio, application)
