"""What preprocessing a corpus takes: cores, bytes, S3 requests and the driver, with the tables of it.

Requests are counted from the code, a call of `liax.storage` each; `tests/benchmarks/test_scaling_requests.py` holds
them against those of a real run on an S3 server. HEAD costs what GET does, LIST what PUT does, DELETE nothing (AWS S3
pricing).
"""

import math
from dataclasses import dataclass

from benchmarks.scaling_model import Assumptions
from benchmarks.scaling_results import DriverMeasured, Measured, table
from liax.face import BLENDSHAPES, FACE_POINTS
from pipelines.config import ShardConfig
from pipelines.probing import BATCH

FRAMES, VIDEOS = 94_000_000, 500_000
"""The paper's training corpus (LIA-X, arXiv 2508.09959). Its sequences are taken for videos that give a clip each."""
PART_BYTES = 8 * 2**20
"""boto3's parts of a large upload or download (s3transfer, `multipart_chunksize` and `multipart_threshold`)."""
LISTED_AT_ONCE = 1000
"""S3's limit of one request."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Source videos, each short enough for one segment, and what becomes of them."""

    videos: int = VIDEOS
    frames: int = FRAMES
    """Of the source."""
    clips: int = VIDEOS
    video_bytes: float = 0
    """Of a source video. 0 asks for no further part."""

    def shards(self, frame_bytes: float) -> int:
        """Tars of the configured size."""
        return math.ceil(self.shard_bytes(frame_bytes) / ShardConfig().target_bytes)

    def shard_bytes(self, frame_bytes: float) -> float:
        """At most: what was measured of the faces is compressed in the tars, and counted whole here."""
        return self.frames * (frame_bytes + face_bytes())


@dataclass(frozen=True, slots=True)
class Requests:
    """To S3."""

    put: int
    """And LIST."""
    get: int
    """And HEAD."""


def face_bytes() -> int:
    """What is kept of the face in a frame, before it is compressed."""
    # As `liax.sample.FaceArrays`: landmarks in three dimensions, box, head pose, blendshapes; whether it was measured.
    return 4 * (3 * FACE_POINTS + 4 + 3 + len(BLENDSHAPES)) + 1


def core_hours(frames: int, frames_per_s: float) -> float:
    """Of one core's measured rate."""
    return frames / frames_per_s / 3600


def requests(corpus: Corpus, shards: int, tar_bytes: float) -> Requests:
    """Of a run that nothing disturbed, with input and output on S3.

    Args:
        corpus: what is preprocessed.
        shards: that come out.
        tar_bytes: of each.
    """
    parts = max(1, math.ceil(corpus.video_bytes / PART_BYTES))
    batches = math.ceil(corpus.videos / BATCH)
    tar_parts = math.ceil(tar_bytes / PART_BYTES)
    # Probing asks for the size, then probing, face search and clip maker fetch the video: HEAD and its parts.
    a_video = 1 + 3 * (1 + parts)
    get = corpus.videos * a_video
    get += batches + corpus.videos  # the records of batches and segments, read by the driver
    get += 2 * corpus.clips  # mp4 and npz, read by the packers
    # Whether a shard is committed, asked by driver and packer, and whether its tar is there; in the end its record.
    get += 4 * shards
    put = batches + corpus.videos  # those records
    put += 3 * corpus.clips  # mp4, npz, preview
    put += shards * (tar_parts + 2 if tar_parts > 1 else 1)  # a large upload is begun and ended by a request each
    put += shards  # commit records
    listed = corpus.videos + batches + 2 * corpus.clips + shards
    put += math.ceil(listed / LISTED_AT_ONCE)
    return Requests(put=put, get=get)


def planning_s(few: DriverMeasured, many: DriverMeasured, clips: int) -> float:
    """Processor time of planning, by a curve a·n + b·n² through two measurements: work for each clip, and each pair."""
    one, other = few.planning_s / few.clips, many.planning_s / many.clips
    a_pair = max(0.0, (other - one) / (many.clips - few.clips))
    return clips * (other + a_pair * (clips - many.clips))


def preprocessing(measured: Measured, assumed: Assumptions) -> str:
    """Core hours, cores for a day and dollars, by kind of source video."""
    rows = []
    source_frames = round(FRAMES / assumed.kept)
    for videos in ("1080p", "512 px", "corpus"):
        rate = measured.preprocess_frames_per_s[videos]
        hours = core_hours(source_frames, rate)
        cost = hours * assumed.prices_usd["core"]
        rows.append([videos, f"{rate:.1f}", f"{hours:,.0f}", f"{hours / 24:.0f}", f"${cost:,.0f}"])
    return table(["source videos", "frames/s/core", "core-hours", "cores for one day", "spot cores cost"], rows)


def storage(measured: Measured, assumed: Assumptions) -> str:
    """Bytes and S3 requests of the whole corpus."""
    corpus = Corpus(frames=FRAMES)
    shards = corpus.shards(measured.frame_bytes)
    asked = requests(corpus, shards, ShardConfig().target_bytes)
    videos_bytes = FRAMES * measured.frame_bytes
    total_bytes = corpus.shard_bytes(measured.frame_bytes)
    month = total_bytes / 1e9 * assumed.prices_usd["gb_month"]
    rows = [
        ["clips, 512 px", f"{videos_bytes / 1e12:.2f} TB", f"{measured.frame_bytes:,.0f} bytes a frame, measured"],
        ["with landmarks, poses, blendshapes", f"{total_bytes / 1e12:.2f} TB", "at most: before they are compressed"],
        ["shards", f"{shards:,}", f"of {ShardConfig().target_bytes / 2**20:.0f} MiB"],
        ["PUT and LIST", f"{asked.put / 1e6:.1f} M", f"${asked.put / 1000 * assumed.prices_usd['put1000']:.0f}"],
        ["GET and HEAD", f"{asked.get / 1e6:.1f} M", f"${asked.get / 1000 * assumed.prices_usd['get1000']:.0f}"],
        ["the shards for a month", f"{total_bytes / 1e12:.2f} TB", f"${month:.0f}"],
    ]
    return table(["on S3", "", ""], rows)


def driver(measured: Measured, assumed: Assumptions) -> str:
    """What the driver holds and does for a clip of each video, from fewer of them."""
    few, many = measured.driver
    clips = Corpus().clips
    memory, record, minutes = many.memory_bytes, many.record_bytes, planning_s(few, many, clips) / 60
    rows = [
        ["memory", f"{memory / 1024:.1f} KiB a clip", f"{clips * memory / 2**30:.1f} GiB"],
        ["records read", f"{record / 1024:.1f} KiB of JSON a clip", f"{clips * record / 1e9:.1f} GB"],
        ["planning", f"{many.planning_s:.0f} s of one core", f"{minutes:.0f} min of one core"],
    ]
    return table(["driver", f"measured, {many.clips:,} clips", f"extrapolated, {clips:,} clips"], rows)
