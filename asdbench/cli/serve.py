"""``asdbench serve``: a detector behind HTTP."""

import os
from typing import Annotated

from asdbench.cli.options import DetectorFile, Device, Number, PluginPath, Whole, option
from asdbench.cli.output import begin, echo
from asdbench.core.errors import UsageError

TOKEN_VARIABLE = "ASDBENCH_TOKEN"


def serve(
    detector: DetectorFile,
    host: Annotated[str, option("TEXT", "Address to listen on; beyond this machine with a token.")] = "127.0.0.1",
    port: Annotated[int, option("N", "Port; 0 is a free one.", Whole(min=0, max=65535))] = 8000,
    token: Annotated[
        str | None, option("TEXT", f"That requests carry: Authorization: Bearer TOKEN. [default: ${TOKEN_VARIABLE}]")
    ] = None,
    max_mb: Annotated[float, option("X", "Largest request, in megabytes.", Number(min=0.001, max=4000))] = 64.0,
    machine: Annotated[str | None, option("NAME", "Machine type, if a request names none.")] = None,
    section: Annotated[str | None, option("NN", "Section, if a request names none.")] = None,
    device: Device = None,
    plugin_path: PluginPath = None,
) -> None:
    """Serve a detector: POST /score with recordings, GET /health, and a page to drop recordings on.

    Example: asdbench serve pump.asd --port 8080
    """
    begin(f"Opening {detector}")
    from asdbench.detector.scoring import open_detector

    token = token or os.environ.get(TOKEN_VARIABLE) or None
    from asdbench.detector.serving import LOOPBACK, make_app
    from asdbench.detector.serving import serve as serve_app

    local = host in LOOPBACK
    if not local and token is None:
        raise UsageError(
            f"--host {host}: others could reach it, so requests need a token.\n"
            f"Give one: --token TOKEN, or {TOKEN_VARIABLE}=TOKEN"
        )
    model = open_detector(detector, plugin_path=plugin_path or (), device=device or "auto")
    if machine is not None or section is not None:
        model.settled(machine, section)
    app = make_app(
        model,
        machine=machine,
        section=section,
        token=token,
        hosts=LOOPBACK if local else ("*",),
        most_bytes=round(max_mb * 1e6),
    )

    def ready(address: str) -> None:
        echo(address)
        echo("Ctrl-C ends it.", dim=True, err=True)

    serve_app(app, host, port, ready)
