"""What the page can be told by whoever runs it."""

from dataclasses import dataclass, field

BYTES_PER_MB = 1_000_000
FOLDER_PREFIX = "liax-ui-"
"""Of the folder with all files of a page."""
MOST_WAITING = 30
"""Each work that waits keeps one of the 40 threads that answer visitors."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a visitor may ask for. The defaults are our choice: a phone's video of a minute, and some patience.

    Args:
        file_mb: largest file that may be uploaded.
        video_s: longest video.
        work_s: how long the page works on one video before it gives up.
        waiting: how many pieces of work may wait for their turn, of all visitors together.
        kept_s: how long a visitor's files outlive the visitor's last page.
        picture_px: pixels of the largest picture or frame: 8K.
    """

    file_mb: int = 200
    video_s: float = 60.0
    work_s: float = 1800.0
    waiting: int = 20
    kept_s: float = 300.0
    picture_px: int = 7680 * 4320

    @property
    def file_bytes(self) -> int:
        return self.file_mb * BYTES_PER_MB

    @property
    def visitor_bytes(self) -> int:
        """Of all uploads and results of one visitor together; the oldest make room. Our choice: a few tries."""
        return 10 * self.file_bytes


@dataclass(frozen=True, slots=True)
class UiConfig:
    """Everything that decides a page.

    Args:
        models: what `Animator.from_pretrained` takes, the first being the one that a visitor meets.
        any_model: visitors may name a model themselves.
        device, dtype, tracking_uri, compiled: see `Animator.from_pretrained`.
        controls: a `controls.json` for the one model; None for those beside the weights.
        atlas: folder that `liax atlas` wrote, or None.
        host, port: where to listen; port 0 takes a free one.
    """

    models: tuple[str, ...]
    any_model: bool = False
    device: str = "auto"
    dtype: str = "auto"
    tracking_uri: str | None = None
    compiled: bool = False
    controls: str | None = None
    atlas: str | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    limits: Limits = field(default_factory=Limits)
