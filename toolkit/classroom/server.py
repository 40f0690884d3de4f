"""``python -m toolkit.classroom``: Voila with seats, a folder for each browser, and one queue."""

from __future__ import annotations

import argparse
import contextlib
import contextvars
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tornado.ioloop
import tornado.web
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from voila.app import Voila
from voila.tornado.handler import TornadoVoilaHandler

from toolkit import _i18n
from toolkit.batch.process import default_workers
from toolkit.classroom import pages
from toolkit.classroom.pool import AnalysisPool
from toolkit.classroom.seats import PAGES_MAX, ClassFolder, Seat, Seats
from toolkit.classroom.session import ClassSession
from toolkit.runtime import THREADS_VARIABLE
from toolkit.storage.cache import runs_folder

SEATS = 20

LOOK_S = 2.0
LOST_S = 60.0
"""How long a kernel whose page says nothing is kept: a network may fail for a while."""

OPENING_S = 300.0
"""How long a page may take to connect to its kernel at first."""

_HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?")

_seat: contextvars.ContextVar[Seat] = contextvars.ContextVar("seat")


class ClassKernels(AsyncMappingKernelManager):
    """Kernels that know their browser's session, and end soon after its page is gone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._seen: dict[str, tuple[float, bool]] = {}  # when, and whether it ever had a page

    async def start_kernel(self, **options: Any) -> str:  # type: ignore[override]
        """Start the kernel of a page of the browser that the request came from."""
        seat = _seat.get()
        environment = {**options.pop("env", os.environ), **seat.session.environment()}
        kernel = str(await super().start_kernel(env=environment, **options))
        seat.pages.add(kernel)
        seat.away_since = None
        self._seen[kernel] = time.monotonic(), False
        return kernel

    async def end_lost(self) -> set[str]:
        """End kernels whose page has been gone for long; return those that still run."""
        now = time.monotonic()
        for kernel in self.list_kernel_ids():
            since, had_page = self._seen.get(kernel, (now, False))
            if self._kernel_connections.get(kernel, 0):
                self._seen[kernel] = now, True
            elif now - since > (LOST_S if had_page else OPENING_S):
                with contextlib.suppress(tornado.web.HTTPError):  # it just ended by itself
                    await self.shutdown_kernel(kernel, now=True)  # type: ignore[no-untyped-call]
        kernels = set(self.list_kernel_ids())  # also those that were started meanwhile
        self._seen = {k: v for k, v in self._seen.items() if k in kernels}
        return kernels


class ClassHandler(TornadoVoilaHandler):  # type: ignore[misc]  # Voila is not typed
    """The page of the app, for whoever has a seat."""

    @tornado.web.authenticated
    async def get(self, path: str | None = None) -> None:
        """Show the notebook, or say that the class is full."""
        if path:
            await super().get(path)
            return
        seats: Seats = self.settings["class_seats"]
        seats.look(set(self.kernel_manager.list_kernel_ids()))
        seat = seats.take(self._cookie())
        if seat is None:
            self._refuse(pages.full, seats.count)
            return
        if len(seat.pages) >= PAGES_MAX:
            self._refuse(pages.too_many_pages, len(seat.pages))
            return
        self.set_signed_cookie(
            self._cookie_name, seat.id, expires_days=1, httponly=True, samesite="Lax"
        )
        self._allow_own_socket()
        _seat.set(seat)
        await super().get(path)

    @property
    def _cookie_name(self) -> str:
        """Name of the cookie: browsers send it to every port of a computer."""
        return f"doorzicht-seat-{self.settings['class_port']}"

    def _cookie(self) -> str | None:
        value = self.get_signed_cookie(self._cookie_name)
        return None if value is None else value.decode("ascii", "replace")

    def _refuse(self, page: Any, n: int) -> None:
        before = _i18n.language()
        accepted = self.request.headers.get("Accept-Language", "")
        _i18n.set_language(pages.language_of(accepted, before))
        try:
            text = page(n)
        finally:
            _i18n.set_language(before)
        self.set_status(503)
        self.set_header("Retry-After", str(pages.RETRY_S))
        self.set_header("Cache-Control", "no-store")
        self.finish(text)

    def _allow_own_socket(self) -> None:
        """Let the page reach its kernel under the name by which the browser knows this computer."""
        policy = str(self._headers.get("Content-Security-Policy", ""))
        if _HOST.fullmatch(self.request.host):
            own = policy.replace("ws://127.0.0.1:*", f"ws://{self.request.host}")
            self.set_header("Content-Security-Policy", own)


class ClassApp(Voila):  # type: ignore[misc]  # Voila is not typed
    """Voila for a class; `options` is set before it is launched."""

    options: argparse.Namespace

    def initialize(self, argv: list[str] | None = None) -> None:
        """Take the settings of the command line, and those a class needs."""
        super().initialize(argv)
        self.voila_configuration.multi_kernel_manager_class = ClassKernels
        own = self.tornado_settings  # type: ignore[has-type]
        self.tornado_settings = {
            **own,
            "log_function": _log_nothing,  # a full class is no fault; addresses hold the token
        }

    def init_settings(self) -> dict[str, Any]:
        """Add the seats to Voila's own settings."""
        own = {"class_seats": self._seats, "class_port": self.port}
        return {**super().init_settings(), **own}

    def init_handlers(self) -> list[Any]:
        """Put the seats before Voila's page."""
        handlers = [
            (rule[0], ClassHandler, *rule[2:]) if rule[1] is TornadoVoilaHandler else rule
            for rule in super().init_handlers()
        ]
        assert any(rule[1] is ClassHandler for rule in handlers)
        return handlers

    def start(self) -> None:
        """Serve until it is stopped, then tidy up."""
        options = self.options
        with ClassFolder(runs_folder() / "class") as home:
            pool = AnalysisPool(options.workers or default_workers(), home.shared)

            def open_session(folder: Path) -> ClassSession:
                secret = os.urandom(16).hex()
                session = ClassSession(pool.port, secret, folder, options.clips)
                pool.register(session)
                return session

            self._seats = Seats(
                options.seats, home, open_session=open_session, close_session=pool.forget
            )
            looking = tornado.ioloop.PeriodicCallback(self._look, LOOK_S * 1000)
            looking.start()
            try:
                super().start()  # returns when it was stopped, and its kernels with it
            finally:
                looking.stop()
                pool.close()
                self._seats.close()

    async def _look(self) -> None:
        self._seats.look(await self.kernel_manager.end_lost())


def _log_nothing(_handler: tornado.web.RequestHandler) -> None:
    """Write no line for a request."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve a notebook to a class; the token is in the environment, as ``JUPYTER_TOKEN``."""
    parser = argparse.ArgumentParser(prog="python -m toolkit.classroom", description=main.__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1", help="default: this computer only")
    parser.add_argument("--seats", type=int, default=SEATS, help=f"default: {SEATS}")
    parser.add_argument("--workers", type=int, help="analyses at once; default: by the cores")
    parser.add_argument("--clips", type=Path, help="folder of clips that everybody may choose")
    ClassApp.options = options = parser.parse_args(argv)
    if options.seats < 1 or (options.workers is not None and options.workers < 1):
        parser.error("seats and workers are numbers from 1 on")
    if options.clips is not None:
        options.clips = options.clips.absolute()
        if not options.clips.is_dir():
            parser.error(f"no such folder: {options.clips}")
    if not os.environ.get("JUPYTER_TOKEN"):
        parser.error("JUPYTER_TOKEN is not set: without a token any page on the web could get in")
    # one thread each, kernels too: what a process keeps is found under the number of threads
    os.environ.setdefault(THREADS_VARIABLE, "1")
    arguments = [str(options.notebook), f"--port={options.port}", f"--Voila.ip={options.host}"]
    arguments += ["--Voila.port_retries=0", "--no-browser", "--token", "--Voila.log_level=ERROR"]
    ClassApp.launch_instance(argv=arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
