"""What the demo works on: the user's videos and portrait, or ones that it makes."""

from pathlib import Path

from liax.demo.folder import DemoFolder, DemoRequest
from liax.errors import JobError
from liax.progress import Progress
from liax.sample import SampleInfo
from liax.shards import ShardSet
from liax.synthetic.scenes import Kind
from liax.video.probe import probe

VIDEOS: dict[str, Kind] = {
    **{f"face_{number}.mp4": "face" for number in range(1, 6)},
    "two_faces.mp4": "two_faces",
    "no_face.mp4": "no_face",
    "small_face.mp4": "small_face",
}
"""What is made: faces to learn from and, as in any real collection, two people, nobody, and somebody far away. Every
second one has sound."""
SECONDS, RATES_FPS, SIZE_PX = 3.0, (25, 30), 320
"""Of a made video. Long enough for a few words, two frame rates as in the wild, small enough to be quick."""


def make_inputs(folder: DemoFolder, request: DemoRequest) -> tuple[Path, Path]:
    """The folder of videos and the portrait, made if the user gave none."""
    portrait = Path(request.portrait) if request.portrait else folder.inputs / "portrait.png"
    if request.portrait is None:
        from PIL import Image

        from liax.synthetic.scenes import portrait as astronaut

        portrait.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(astronaut()).save(portrait)
    if request.videos is not None:
        return Path(request.videos), portrait

    from liax.synthetic.videos import write_video

    videos = folder.inputs / "videos"
    videos.mkdir(parents=True, exist_ok=True)
    with Progress(len(VIDEOS), "make face videos", "video") as progress:
        for number, (name, kind) in enumerate(VIDEOS.items(), start=1):
            if not (videos / name).exists():
                fps = RATES_FPS[number % len(RATES_FPS)]
                write_video(
                    videos / name,
                    kind=kind,
                    seconds=SECONDS,
                    fps=fps,
                    size_px=SIZE_PX,
                    seed=number,
                    audio=number % 2 == 1,
                )
            progress.advance()
    return videos, portrait


def driving_video(shards: Path) -> str:
    """The video to drive the portrait with: one face for most of its length, with sound if there is one, and short.

    Raises:
        JobError: there are no clips.
    """
    shard_set = ShardSet(str(shards))
    clips = [SampleInfo.from_bytes(shard_set.read(ref, "json")) for ref in shard_set.samples]
    if not clips:
        raise JobError(f"no clip in {shards}")
    by_source: dict[str, list[SampleInfo]] = {}
    for clip in clips:
        by_source.setdefault(clip.source_uri, []).append(clip)

    def rank(source: str) -> tuple[bool, bool, bool, float, str]:
        mine, info = by_source[source], probe(source)
        seen_s = sum(clip.frames / clip.fps for clip in mine)
        several = len({clip.track for clip in mine}) > 1
        return several, seen_s < info.duration_s / 2, not info.has_audio, info.duration_s, source

    return min(by_source, key=rank)
