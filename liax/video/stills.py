"""The key frames of a video as pictures: what can be looked at without decoding the frames between them."""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liax.video.decode import to_rgb
from liax.video.probe import display_size, open_video, start_s


def key_frames(path: str | Path, wanted: Collection[int] | None = None) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Decode a video's key frames, and nothing else, in one thread.

    Args:
        path: a local file.
        wanted: which of the key frames to yield, counted from 0; None yields all.

    Yields:
        time_s from the start of the file, picture (H, W, 3) uint8 RGB, upright, with square pixels.

    Raises:
        VideoError: `unreadable` or `no_video_stream`.
    """
    with open_video(path) as (container, stream):
        offset_s = start_s(container)
        stream.codec_context.skip_frame = "NONKEY"
        for number, frame in enumerate(container.decode(stream)):
            if frame.pts is not None and (wanted is None or number in wanted):
                yield float(frame.time) - offset_s, to_rgb(frame, *display_size(frame, stream))
