"""The dashboard's files: hashed ones for ever, and one page for every address that the page itself knows."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from api.state import record_of

PAGE = "index.html"
# Built files carry a hash of their content in their name; a new version has another name.
HASHED_FILES = "assets/"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"


class OutsideApi(Convertor[str]):
    """Any path but those of the API, where what does not exist must be a 404 and no page."""

    regex = r"(?!api(?:/|$)).*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class Dashboard:
    """Serves the files of a built dashboard."""

    def __init__(self, directory: Path) -> None:
        self._files = StaticFiles(directory=directory)

    def serve_from(self, app: Starlette) -> None:
        register_url_convertor("outside_api", OutsideApi())
        app.add_route("/{path:outside_api}", self.get, methods=["GET"])

    async def get(self, request: Request) -> Response:
        """The file, or the page if a person goes to an address that is no file."""
        record_of(request.scope).route = "dashboard"
        path = request.path_params["path"] or PAGE
        try:
            response = await self._file(request, path)
        except HTTPException as error:
            if error.status_code != 404 or "text/html" not in request.headers.get("accept", ""):
                raise
            path = PAGE
            response = await self._file(request, path)
        response.headers["Cache-Control"] = FOR_EVER if path.startswith(HASHED_FILES) else ASK_EACH_TIME
        return response

    async def _file(self, request: Request, path: str) -> Response:
        if "\0" in path:
            raise HTTPException(404)
        return await self._files.get_response(path, request.scope)
