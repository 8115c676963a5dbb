"""Face videos made from one portrait, with the truth about every frame: for the demo and for tests."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from liax.synthetic.scenes import Kind, Scene

SAMPLE_RATE_HZ = 44100

X264_OPTIONS = {"crf": "14", "preset": "veryfast", "threads": "1", "x264-params": "cpu-independent=1"}
"""`cpu-independent`, or the frames hang on the machine: on the processor's instructions, and, with B-frames, on what
lay in memory before (x264's vector code for its look-ahead reads beyond what was written)."""


def write_video(
    path: str | Path,
    kind: Kind = "face",
    seconds: float = 1.0,
    fps: float = 25,
    size_px: int = 256,
    seed: int = 0,
    audio: bool = False,
) -> dict[str, Any]:
    """Write one synthetic video (H.264, yuv420p) and, beside it, its ground truth as `<stem>.truth.json`.

    The same arguments give the same frames. `still` is a face that does not move; the face of `small_face` is 14 % of
    the frame high, that of the others 45 %; `two_faces` has two squares side by side.

    Args:
        path: the .mp4 to write; its folder is made.
        seconds, fps: length and frame rate.
        size_px: height in pixels, even.
        audio: adds a tone that is louder the wider the (first) mouth opens.

    Returns:
        The truth: the arguments and, for each face (left to right), for each frame, `motion` (see
        `liax.synthetic.motion.Motion`) and `box_px`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scene = Scene(kind, max(1, round(seconds * fps)), fps, size_px, seed)
    unfinished = path.with_suffix(".part")
    with av.open(str(unfinished), "w", format="mp4") as container:
        _write_pictures(container, scene, fps, sound=_tone(scene, fps) if audio else None)
    faces = [[actor.truth(frame, size_px) for frame in range(scene.frames)] for actor in scene.actors]
    truth = {"kind": kind, "fps": fps, "frames": scene.frames, "size_px": size_px, "seed": seed, "faces": faces}
    path.with_suffix(".truth.json").write_text(json.dumps(truth), encoding="utf-8")
    unfinished.replace(path)  # last: a video that is there is whole
    return truth


def _write_pictures(
    container: av.container.OutputContainer, scene: Scene, fps: float, sound: np.ndarray | None
) -> None:
    rate = Fraction(fps).limit_denominator(1001)
    stream = container.add_stream("libx264", rate=rate, options=X264_OPTIONS)
    stream.width, stream.height, stream.pix_fmt = scene.width_px, scene.height_px, "yuv420p"
    tone = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono") if sound is not None else None
    for picture_HWC in scene.pictures():
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture_HWC, format="rgb24")))
    container.mux(stream.encode())
    if tone is not None and sound is not None:
        samples = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
        samples.sample_rate, samples.pts = SAMPLE_RATE_HZ, 0
        container.mux(tone.encode(samples))
        container.mux(tone.encode())


def _tone(scene: Scene, fps: float) -> np.ndarray:
    """float32 samples in [-1, 1] as long as the pictures: a voice-like buzz that follows the mouth."""
    time_s = np.arange(round(scene.frames / fps * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    mouth_T = [motion.mouth_open for motion in scene.actors[0].track] if scene.actors else [0.5] * scene.frames
    loudness = 0.03 + 0.25 * np.interp(time_s * fps, np.arange(scene.frames), mouth_T)
    buzz = sum(np.sin(2 * np.pi * 140 * harmonic * time_s) / harmonic for harmonic in (1, 2, 3))
    return (loudness * buzz / 2).astype(np.float32)
