"""The demo's folder: what is where, and whose results are in it."""

import json
from pathlib import Path

from liax import storage
from liax.config import Config, build
from liax.errors import UserError
from liax.progress import say

RECORD = "demo.json"


class DemoRequest(Config):
    """What a demo was asked for; a folder holds the results of one request."""

    videos: str | None
    """Folder of the user's videos; None for videos that the demo makes."""
    portrait: str | None
    """The user's portrait; None for the one that scikit-image ships."""
    steps: int
    """Training steps."""


class DemoFolder:
    """Names of the demo's files."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.inputs = self.path / "inputs"
        self.shards = self.path / "shards"
        self.training = self.path / "training"
        self.logs = self.path / "logs"
        self.animation = self.path / "animation.mp4"
        self.side_by_side = self.path / "side_by_side.mp4"
        self.report = self.path / "report.html"
        self.contact_sheet = self.path / "contact_sheet.png"
        self.summary = self.path / "summary.json"
        self.tracking_uri = f"sqlite:///{self.path / 'mlflow.db'}"

    def claim(self, request: DemoRequest) -> None:
        """Take the folder for a request: continue its own earlier run, or move another request's results aside.

        Raises:
            UserError: the folder holds something that is not a demo's.
        """
        record = self.path / RECORD
        if record.is_file():
            earlier = build(DemoRequest, json.loads(record.read_bytes()), str(record))
            if earlier != request:
                self._move_aside()
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UserError(f"{self.path} holds other files: give an empty or new folder as --output")
        storage.write_bytes(str(record), request.model_dump_json(indent=1).encode())

    def _move_aside(self) -> None:
        number = 1
        while (kept := self.path.with_name(f"{self.path.name}-{number}")).exists():
            number += 1
        self.path.rename(kept)
        say(f"{self.path} held a demo of other input; it is now {kept}")
