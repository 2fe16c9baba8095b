"""How syncio is packaged."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "syncio" / "__init__.py").read_text("utf-8"), re.MULTILINE)
assert VERSION is not None

EXTRAS = {
    "gevent": ["gevent>=24.10.1", "gevent-websocket>=0.10.1"],
    # `syncio.web`, and the demo, which is an app of it.
    "web": ["jinja2>=3.1", "itsdangerous>=2.1", "markupsafe>=2.1"],
    # `syncio.interaction`, whose ends serve with `syncio.web`.
    "interaction": ["jinja2>=3.1", "itsdangerous>=2.1", "markupsafe>=2.1"],
    # The client's long polling goes through an HTTP session.
    "client": ["requests>=2.31"],
    "redis": ["redis>=5"],
    # The command needs nothing but for `--worker gevent`.
    "cli": ["gevent>=24.10.1"],
    # The C masking of `websockets`: large WebSocket messages are read several times faster.
    "speed": ["websockets>=13", "brotli>=1.1", "zstandard>=0.22"],
    "docs": ["mkdocs>=1.6"],
    "test": [
        "pytest>=8",
        "pytest-timeout>=2.3",
        "gunicorn>=25",
        "gevent>=24.10.1",
        "gevent-websocket>=0.10.1",
        "waitress>=3",
        "cheroot>=10",
        "flask>=3",
        "flask-socketio>=5.6",
        "django>=4.2",
        "python-engineio>=4.12",
        "python-socketio>=5.14",
        "simple-websocket>=1.1",
        "jinja2>=3.1",
        "itsdangerous>=2.1",
        "markupsafe>=2.1",
        "requests>=2.31",
        "websocket-client>=1.7",
        "websockets>=13",
        # The oracle of tests of QMP; exactly this one, whose behaviour is written down there.
        "qemu.qmp==0.0.6",
    ],
}

setup(
    name="syncio",
    version=VERSION.group(1),
    description="Realtime for synchronous Python: an Engine.IO v4 server for any WSGI site, on threads or greenlets",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    author="The syncio authors",
    python_requires=">=3.10",
    packages=find_packages(include=["syncio", "syncio.*"]),
    package_data={"syncio": ["py.typed", "demo/**", "web/static/**", "interaction/status.html", "cli/starter/**"]},
    install_requires=["werkzeug>=3.0"],
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": ["syncio = syncio.cli:main"],
        # Its name is the module's, so that naming the plugin twice does no harm.
        "pytest11": ["syncio.testing.plugin = syncio.testing.plugin"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Django",
        "Framework :: Flask",
        "Intended Audience :: Developers",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: WWW/HTTP :: WSGI",
        "Typing :: Typed",
    ],
)
