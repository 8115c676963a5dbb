"""What a clip costs the driver of a preprocessing, which holds all records and plans alone: memory and time.

    .venv/bin/python -m benchmarks.preprocess_driver [--clips 8000 16000 32000]

Completion records like those of real clips (8 s at 25 fps, of a person each, recognised by 128 numbers) are written,
read as the driver reads them, and planned. A number of clips is a process of its own. Faces are random: nobody is met
twice, which is the longest comparison that there is.
"""

import argparse
import base64
import hashlib
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.environment import environment
from liax.config import load_config
from liax.sample import CropInfo, FaceArrays, SampleInfo
from pipelines.config import PIPELINE_VERSION, PreprocessConfig
from pipelines.outcomes import KEPT, Outcome, Segment, SegmentRecord, Source
from pipelines.planning import make_plan, planned_clips, planned_outcomes
from pipelines.run import Run, load_records
from pipelines.signatures import MOST_HASHES, ClipSignature

SECONDS, FPS, KEYFRAME_INTERVAL = 8, 25, 8
EMBEDDED = 128
"""Numbers that dlib makes of a face."""
SCORES = 23
"""Of a clip (`pipelines.scoring.clip_scores`)."""
KIB = 2**10


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[8000, 16000, 32000])
    options = parser.parse_args()
    for name, value in environment().items():
        print(f"- {name}: {value}")
    heads = ("clips", "KiB of JSON a record", "KiB of memory a clip", "read, s of CPU", "planned, s of CPU")
    print("\n|", " | ".join(heads), "|\n" + "|---" * len(heads) + "|", flush=True)
    processes = multiprocessing.get_context("spawn")
    for clips in options.clips:
        with processes.Pool(1) as pool:
            print("|", " | ".join(pool.apply(measure, (clips,))), "|", flush=True)


def measure(clips: int) -> list[str]:
    """One row of the table."""
    config = load_config(PreprocessConfig, None, ["input=-", "output=-", "quality.score_only=true"])
    with tempfile.TemporaryDirectory(prefix="liax-driver-") as folder:
        run, random = Run(folder, config.content_id), np.random.default_rng(0)
        (Path(folder) / "work" / "done").mkdir(parents=True)
        segments, size_bytes = [], 0
        for number in range(clips):
            record = made_record(number, run.content_id, random)
            data = record.model_dump_json(indent=1).encode()
            Path(run.record(record.segment)).write_bytes(data)
            segments.append(record.segment)
            size_bytes += len(data)
        # Processor time, so that other work on the machine weighs as little as it can.
        before_bytes, started_s = _memory_bytes(), time.process_time()
        records = load_records(run, segments)
        read_s, started_s = time.process_time() - started_s, time.process_time()
        plan = make_plan(records, config, _motion)
        rows = [row for record in records for row in record.outcomes]
        held = planned_clips(plan, records), planned_outcomes(plan, rows)
        planned_s, held_bytes = time.process_time() - started_s, _memory_bytes() - before_bytes
    people = len(set(plan.identities.values()))
    assert (people, len(held[0])) == (clips, clips), "a clip was left out, or two people were taken for one"
    kib = [f"{size / clips / KIB:.1f}" for size in (size_bytes, held_bytes)]
    return [f"{clips:,}", *kib, f"{read_s:.1f}", f"{planned_s:.1f}"]


def made_record(number: int, content_id: str, random: np.random.Generator) -> SegmentRecord:
    """The completion record of a video that gave one clip."""
    sha256, frames = hashlib.sha256(str(number).encode()).hexdigest(), SECONDS * FPS
    uri = f"s3://bucket/videos/part-{number // 1000:04d}/video-{number:08d}.mp4"
    source = Source(
        uri=uri, sha256=sha256, bytes=4_000_000, duration_s=SECONDS, container="mov,mp4", codec="h264",
        width_px=1920, height_px=1080, fps="25", has_audio=True, yuv_matrix=1, seconds=0.2,
    )  # fmt: skip
    key = f"{sha256[:12]}-{content_id[:6]}-00-00000000"
    clip = SampleInfo(
        key=key, source_uri=uri, source_sha256=sha256, track=0, start_s=0.0, end_s=SECONDS, fps=FPS, frames=frames,
        size_px=512, crop=CropInfo(left_px=400, top_px=100, side_px=700, source_width_px=1920, source_height_px=1080,
                                   align="clip", padded=False),
        scores={"face_px": 400.0} | {f"score_{name:02d}": 0.1234 for name in range(1, SCORES)},
        identity=None, split="train", has_audio=True,
        keyframes=list(range(0, frames, KEYFRAME_INTERVAL)), pipeline_version=PIPELINE_VERSION, config_id=content_id,
    )  # fmt: skip
    face_D = random.standard_normal(EMBEDDED)
    face_D /= np.linalg.norm(face_D)
    signature = ClipSignature(
        embedder="dlib",
        embedding=base64.b64encode(face_D.astype("<f2").tobytes()).decode(),
        hashes=[f"{value:016x}" for value in random.integers(0, 2**63, MOST_HASHES)],
    )
    kept = Outcome(source_uri=uri, source_sha256=sha256, stage="clips", reason=KEPT, detail="700 px square, 200 frames",
                   segment=0, track=0, start_s=0.0, key=key, preview=key)  # fmt: skip
    name = f"{sha256[:16]}-{content_id[:6]}-000000000-end"
    return SegmentRecord(
        segment=Segment(id=name, source=source, number=0, start_s=0, end_s=None), clips=[clip],
        clip_bytes={key: 3_700_000}, signatures={key: signature}, outcomes=[kept],
        seconds={"faces": 3.1, "clips": 3.2},
    )  # fmt: skip


def _motion(key: str) -> FaceArrays:
    raise AssertionError(f"{key} looks like another clip, and all are random")


def _memory_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main()
