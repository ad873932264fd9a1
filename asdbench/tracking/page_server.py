"""``python -m asdbench.tracking.page_server server ...``: MLflow's own command, on the application of ``page_app``.

Where a newer MLflow starts its server otherwise, it is that server without the page.
"""

from typing import Any

import mlflow.server
from mlflow.cli import cli

BUILD = "_build_uvicorn_command"
APPLICATION = "mlflow.server.fastapi_app:app"


def main() -> None:
    """Run MLflow's command line with the arguments of this process."""
    build = getattr(mlflow.server, BUILD, None)

    def with_page(*args: Any, **kwargs: Any) -> list[str]:
        assert build is not None
        command: list[str] = build(*args, **kwargs)
        return ["asdbench.tracking.page_app:app" if word == APPLICATION else word for word in command]

    if build is not None:
        setattr(mlflow.server, BUILD, with_page)
    cli()


if __name__ == "__main__":
    main()
