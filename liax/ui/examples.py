"""A portrait and a video to try the page with: synthetic, made when the page starts."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

SECONDS, FPS, SIZE_PX, SEED = 3.0, 25, 320, 5


@dataclass(frozen=True, slots=True)
class Examples:
    """The files, or None where nothing can be made of."""

    portrait: Path | None = None
    video: Path | None = None


def make_examples(folder: Path) -> Examples:
    """Write them into a folder: made from the photograph that scikit-image ships, so that without it there are none."""
    if importlib.util.find_spec("skimage") is None:
        return Examples()
    from PIL import Image

    from liax.synthetic.scenes import portrait
    from liax.synthetic.videos import write_video

    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(portrait()).save(folder / "portrait.png")
    write_video(folder / "driving.mp4", seconds=SECONDS, fps=FPS, size_px=SIZE_PX, seed=SEED, audio=True)
    return Examples(folder / "portrait.png", folder / "driving.mp4")
