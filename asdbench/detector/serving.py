"""A detector behind HTTP: recordings in, results and explanations out, and a page to drop recordings on."""

import asyncio
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from asdbench import __version__
from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.detector.recordings import Recording
from asdbench.pages import asset, render_page, template

TEMPLATES = Path(__file__).parent / "templates"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
UPLOAD_S = 60.0  # that an upload may take
MOST_FILES = 1000  # of one request
OPEN = ("/", "/health")  # without a token: nothing of a recording is in them


def make_app(
    detector: Any,
    *,
    machine: str | None = None,
    section: str | None = None,
    token: str | None = None,
    hosts: Sequence[str] = LOOPBACK,
    most_bytes: int = 64_000_000,
    most_s: float = UPLOAD_S,
) -> FastAPI:
    """The application.

    Args:
        detector: scores and explains.
        machine: machine type, unless a request names one.
        section: its section, unless a request names one.
        token: that requests carry as ``Authorization: Bearer TOKEN``; None wants none.
        hosts: names by which it may be called; ("*",) is any. Pages of other sites reach a server on this machine by a
            name of their own.
        most_bytes: of a request.
        most_s: until a request has arrived.
    """

    def guarded(request: Request) -> None:
        """Refuse a request without the token, or one that a page of another site has sent."""
        named, origin = request.headers.get("host", ""), request.headers.get("origin")
        try:
            host = (urlsplit(f"//{named}").hostname or "").lower()
        except ValueError:  # half an IPv6 address, for instance
            host = named
        if "*" not in hosts and host not in hosts:
            raise HTTPException(421, f"This server is not called '{host}'.")
        if origin is not None and origin.partition("://")[2] != named:
            raise HTTPException(403, "Pages of other sites may not use this server.")
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        known = token is None or secrets.compare_digest(given.encode(), token.encode())
        if not known and request.url.path not in OPEN:
            raise HTTPException(401, "A token is needed: Authorization: Bearer TOKEN")

    app = FastAPI(
        title="asdbench",
        version=__version__,
        docs_url=None,  # which would load from elsewhere
        redoc_url=None,
        max_body_size=most_bytes,
        dependencies=[Depends(guarded)],
    )

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        too_large = f"The request is larger than {most_bytes / 1e6:g} MB. Send fewer recordings, or serve --max-mb N."
        return JSONResponse({"error": too_large if error.status_code == 413 else error.detail}, error.status_code)

    @app.exception_handler(AsdbenchError)
    async def failed(request: Request, error: AsdbenchError) -> Response:
        return JSONResponse({"error": str(error)}, 400 if isinstance(error, UsageError) else 422)

    @app.exception_handler(RequestValidationError)
    async def misspelt(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return JSONResponse({"error": f"{first['loc'][-1]}: {first['msg']}"}, 422)

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"status": "ok", "detector": detector.name, "machines": detector.machines, "asdbench": __version__}

    @app.get("/", response_class=HTMLResponse)
    def page() -> str:
        body = template("serve.html", TEMPLATES).render(name=detector.name, machines=detector.machines, token=token)
        styles = [asset(TEMPLATES, "explanations.css"), asset(TEMPLATES, "serve.css")]
        scripts = [asset(TEMPLATES, "serve.js")]
        return render_page(f"{detector.name}, asdbench", body, styles=styles, scripts=scripts, connects=True)

    @app.post("/score")
    async def score(
        request: Request,
        machine: str | None = machine,
        section: str | None = section,
        window_s: float | None = Query(None, gt=0, le=3600),
        hop_s: float | None = Query(None, gt=0, le=3600),
    ) -> Response:
        with TemporaryDirectory(prefix="asdbench-") as folder:
            recordings = await _received(request, Path(folder), most_s)
            scored = await run_in_threadpool(
                detector.score, recordings, machine, section, window_s=window_s, hop_s=hop_s
            )
        status = 422 if len(scored.errors) == len(scored) else 200
        return JSONResponse({"name": detector.name, **scored.to_json()}, status)

    @app.post("/explain")
    async def explain(request: Request, machine: str | None = machine, section: str | None = section) -> Response:
        with TemporaryDirectory(prefix="asdbench-") as folder:
            (recording, *more) = await _received(request, Path(folder), most_s)
            if more:
                raise HTTPException(400, "One recording is explained at a time.")
            return HTMLResponse(await run_in_threadpool(_explained, detector, recording, machine, section))

    return app


def serve(app: FastAPI, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Raises:
        UsageError: the port is in use, or the address is not this machine's.
    """
    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
            listening.listen()  # who has the address can connect
        except OSError as error:
            raise UsageError(
                f"--host {host} --port {port}: {error.strerror or error}.\nAnother port: --port N; 0 is a free one."
            ) from error
        shown = f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{listening.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
        with suppress(KeyboardInterrupt):  # which is how it ends
            server.run(sockets=[listening])


async def _received(request: Request, folder: Path, most_s: float) -> list[Recording]:
    """The recordings of a request: files of a form, or one as the body, called as ``?name=`` says."""
    try:
        async with asyncio.timeout(most_s):
            contents = await _contents(request)
    except TimeoutError as error:
        raise HTTPException(408, f"The request did not arrive within {most_s:g} s.") from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The request was not sent to its end.") from error
    if not contents:
        raise HTTPException(400, "No recording was sent: POST a form with files, or a .wav or .flac file as the body.")
    recordings = []
    for number, (name, content) in enumerate(contents):
        place = folder / str(number)
        await run_in_threadpool(place.write_bytes, content)
        recordings.append(Recording(place, name))
    return recordings


async def _contents(request: Request) -> list[tuple[str, bytes]]:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        body = await request.body()
        return [(request.query_params.get("name", "recording"), body)] if body else []
    async with request.form(max_files=MOST_FILES) as form:
        files = [one for _, one in form.multi_items() if isinstance(one, UploadFile)]
        return [(one.filename or f"recording {number}", await one.read()) for number, one in enumerate(files)]


def _explained(detector: Any, recording: Recording, machine: str | None, section: str | None) -> str:
    from asdbench.detector.explanation_page import article, require_explanations

    require_explanations(detector)
    explanation = detector.explain(recording, machine, section)
    anomalous = explanation.score > explanation.threshold
    return article(explanation, recording.path, anomalous, explanation.threshold)
