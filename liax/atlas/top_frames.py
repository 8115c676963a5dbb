"""Which frames have the most and the least of a direction, as pictures.

Shapes: F frames, M directions.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from liax.atlas.observed import Observed
from liax.atlas.records import Work, read_arrays
from liax.atlas.strips import strip, to_jpeg
from liax.evaluation.clips import Clip
from liax.pictures import Picture


def top_frames(observed: Observed, direction: int, count: int) -> list[int]:
    """Places of frames in the order of the direction's code: half of them the lowest, half the highest.

    Each person is shown once at each end: neighbouring frames are nearly the same picture. Fewer where there are fewer
    people.
    """
    order_F = np.argsort(observed.codes_FM[:, direction], kind="stable")
    lowest = _of_distinct_people(observed, order_F, count // 2)
    highest = _of_distinct_people(observed, order_F[::-1], count // 2)
    return [*lowest, *reversed([place for place in highest if place not in lowest])]


def _of_distinct_people(observed: Observed, places: Sequence[int] | np.ndarray, count: int) -> list[int]:
    chosen: dict[str, int] = {}
    for place in places:
        if len(chosen) == count:
            break
        chosen.setdefault(str(observed.person_F[place]), int(place))
    return list(chosen.values())


def draw_top_frames(work: Work, observed: Observed, clips: Sequence[Clip]) -> dict[int, bytes]:
    """A JPEG for each direction, each frame under its code."""
    directions = observed.codes_FM.shape[1]
    places = {index: top_frames(observed, index, work.config.strips.frames) for index in range(directions)}
    thumbs = _thumbs(work, observed, clips, sorted({place for chosen in places.values() for place in chosen}))
    drawn = {}
    for index, chosen in places.items():
        codes = [float(observed.codes_FM[place, index]) for place in chosen]
        drawn[index] = to_jpeg(strip([[thumbs[place] for place in chosen]], codes))
    return drawn


def _thumbs(work: Work, observed: Observed, clips: Sequence[Clip], places: Sequence[int]) -> Mapping[int, Picture]:
    """The small pictures of frames; each clip's file is read once."""
    urls = {clip.id: work.thumbs(work.observed_id(clip)) for clip in clips}
    by_clip: dict[str, list[int]] = {}
    for place in places:
        by_clip.setdefault(str(observed.clip_F[place]), []).append(place)
    found: dict[int, Picture] = {}
    for clip, of_clip in by_clip.items():
        (arrays,) = read_arrays([urls[clip]])
        for place in of_clip:
            data = arrays[str(int(observed.frame_F[place]))].tobytes()
            found[place] = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=np.uint8)
    return found
