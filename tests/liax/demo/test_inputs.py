"""Which of the videos drives the portrait."""

from pathlib import Path

from liax.demo.inputs import driving_video
from liax.shards import commit_shard, write_tar
from liax.synthetic.videos import write_video
from tests.samples import make_sample


def commit(shards: Path, clips: list[tuple[str, Path, int, int]]) -> None:
    """Commit clips, each (key, source, track, frames)."""
    samples = []
    for key, source, track, frames in clips:
        sample = make_sample(key, frames=frames)
        info = sample.info.model_copy(update={"source_uri": str(source), "track": track})
        samples.append((info, {"json": info.to_bytes()}))
    tar = shards.parent / "x.tar"
    commit_shard(str(shards), 0, tar, write_tar(tar, samples))


def test_one_face_that_is_there_most_of_the_time_with_sound_and_short(tmp_path: Path) -> None:
    videos = {name: tmp_path / f"{name}.mp4" for name in ("two", "silent", "long", "brief", "best")}
    for name, path in videos.items():
        write_video(path, "no_face", seconds=4 if name in ("long", "brief") else 2, size_px=64, audio=name != "silent")
    clips = [
        ("a", videos["two"], 0, 50),
        ("b", videos["two"], 1, 50),
        ("c", videos["silent"], 0, 50),
        ("d", videos["long"], 0, 100),
        ("e", videos["brief"], 0, 25),  # a face in the first of four seconds
        ("f", videos["best"], 0, 50),
    ]
    for name in ("best", "long", "silent", "brief", "two"):
        shards = tmp_path / f"without_{len(clips)}"
        commit(shards, clips)
        assert Path(driving_video(shards)).stem == name
        clips = [clip for clip in clips if clip[1] != videos[name]]
