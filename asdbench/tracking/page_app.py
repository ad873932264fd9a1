"""MLflow's server with one page more, which opens an experiment and lets the assistant's panel stay shut."""

from mlflow.server.fastapi_app import app
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from asdbench.tracking.view import START, page_of

# MLflow opens the panel once in each browser, unless it is marked as opened there; and its pages begin with prompts and
# traces, unless models are what one trains.
PAGE = """<!doctype html><meta charset="utf-8"><title>asdbench</title><script>
localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");
localStorage.setItem("mlflow.workflowType_v1", '"machine_learning"');
location.replace("/%s");
</script>"""


async def _open(request: Request) -> HTMLResponse:
    asked = request.query_params.get("experiment", "")
    return HTMLResponse(PAGE % (page_of(asked) if asked.isdecimal() else ""))


app.router.routes.insert(0, Route(START, _open))
