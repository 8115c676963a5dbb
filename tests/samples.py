"""Samples made up for tests of the contracts; their video is not a video."""

import numpy as np

from liax.sample import CropInfo, FaceArrays, Sample, SampleInfo


def make_sample(key: str, frames: int = 3, video: bytes = b"not a video", split: str = "train") -> Sample:
    """A sample with values that follow from its key."""
    random = np.random.default_rng(len(key))
    info = SampleInfo(
        key=key,
        source_uri=f"s3://bucket/{key}.mp4",
        source_sha256=key.ljust(64, "0"),
        track=0,
        start_s=0.0,
        end_s=frames / 25,
        fps=25.0,
        frames=frames,
        size_px=64,
        crop=CropInfo(
            left_px=0, top_px=2, side_px=80, source_width_px=128, source_height_px=96, align="clip", padded=False
        ),
        scores={"face_px": 50.0},
        identity=None,
        split=split,  # type: ignore[arg-type]
        has_audio=False,
        keyframes=[0],
        pipeline_version="0",
        config_id="c" * 12,
    )
    faces = FaceArrays(
        landmarks_TN3=random.normal(size=(frames, 478, 3)).astype(np.float32),
        boxes_T4=random.normal(size=(frames, 4)).astype(np.float32),
        head_pose_T3=random.normal(size=(frames, 3)).astype(np.float32),
        blendshapes_TS=random.random(size=(frames, 52)).astype(np.float32),
        measured_T=np.arange(frames) % 2 == 0,
    )
    return Sample(info, video, faces)
