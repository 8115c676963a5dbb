"""What strangers hand in for videos, through the whole job: each gets its reason, and nothing else is opened."""

import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from liax import ray_session
from liax.errors import UserError
from pipelines.outcomes import KEPT
from pipelines.sources import list_sources
from tests import broken_videos as broken
from tests.job_runs import accounted, run_here, write_talks

NO_VIDEO = {"unreadable", "no_video_stream", "no_frames"}
NOT_THERE = {"missing", "unreadable", "not_a_file"}
TOO_LARGE = {"unreadable", "picture_too_large"}

REASONS: dict[str, set[str]] = {
    "empty.mp4": NO_VIDEO | {"empty"},
    "text.mp4": NO_VIDEO,
    "picture.mp4": NO_VIDEO,
    "sound.mp4": {"no_video_stream"},
    "cut-short.mp4": NO_VIDEO,
    "no-key-frame.mp4": NO_VIDEO,
    "huge-jpeg.avi": TOO_LARGE,
    "large-jpeg.avi": TOO_LARGE,
    "huge-raw.avi": TOO_LARGE,
    "billion-fps.mp4": NO_VIDEO | {"too_many_frames_a_second", "too_short"},
    "playlist-file.mp4": NO_VIDEO,
    "playlist-http.ts": NO_VIDEO,
    "concat.mkv": NO_VIDEO,
    "concat-http.avi": NO_VIDEO,
    "session.mov": NO_VIDEO,
    "dash.webm": NO_VIDEO,
    "loop-a.mp4": NOT_THERE,
    "loop-b.mp4": NOT_THERE,
    "dangling.mp4": NOT_THERE,
    "endless.mp4": NOT_THERE,
    "pipe.mp4": NOT_THERE,
}
"""By name, which reasons say what is wrong with it."""

PLAYABLE = {"cut-short-at-end.mp4", "damaged-middle.mp4", "really-mkv.mp4"}
"""Damaged or misnamed, but people can be seen in them: a clip or a reason, never a failure."""

NAMES = ("-i $(touch made) ;x.mp4", "new\nline.mp4", "%03d 100%.mp4", "a'b\"c|d&e.mp4", "http:~~x.mp4", "ü 顔 🙂.mp4")
"""Sound videos under names that a shell, ffmpeg or a table could take for something else."""


class Listener(http.server.ThreadingHTTPServer):
    """Notes who asks it for anything."""

    def __init__(self) -> None:
        asked: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = asked
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with Listener() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@dataclass(frozen=True)
class Done:
    """A finished run over all of them."""

    output: Path
    reasons: dict[str, set[str]]


@pytest.fixture(scope="module")
def done(listener: Listener, tmp_path_factory: pytest.TempPathFactory) -> Done:
    base = tmp_path_factory.mktemp("bad")
    write_talks(base / "sound", 2)
    whole, secret = base / "sound/talk1.mp4", base / "sound/talk0.mp4"
    folder = base / "in"
    folder.mkdir()
    spoil(folder, whole)
    broken.write_odd_files(folder)
    broken.write_playlists(folder, secret, listener.url)
    for number, name in enumerate(NAMES):
        # Another title each: as exact copies all but one would be set aside.
        broken.convert(whole, folder / "named.mp4", "-c", "copy", "-metadata", f"title={number}")
        (folder / "named.mp4").rename(folder / name)
    with ray_session.session(num_cpus=2):
        run_here(folder, base / "out")
    return Done(base / "out", accounted(base / "out", folder))


def spoil(folder: Path, whole: Path) -> None:
    """Every damaged file that REASONS and PLAYABLE name."""
    data = whole.read_bytes()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video\n" * 100)
    (folder / "cut-short.mp4").write_bytes(data[: len(data) // 2])
    broken.convert(whole, folder / "sound.mp4", "-vn", "-c", "copy")
    broken.convert(whole, folder / "really.mkv", "-c", "copy")
    (folder / "really.mkv").rename(folder / "really-mkv.mp4")
    broken.convert(whole, folder / "picture.png", "-frames:v", "1")
    (folder / "picture.png").rename(folder / "picture.mp4")
    broken.convert(whole, folder / "fast.mp4", "-c", "copy", "-movflags", "+faststart")
    fast = (folder / "fast.mp4").read_bytes()
    (folder / "fast.mp4").unlink()
    (folder / "cut-short-at-end.mp4").write_bytes(fast[: len(fast) * 4 // 5])
    broken.write_without_key_frames(whole, folder / "no-key-frame.mp4")
    broken.damage_middle(whole, folder / "damaged-middle.mp4")
    broken.write_huge_jpeg_avi(whole, folder / "huge-jpeg.avi")
    broken.write_huge_jpeg_avi(whole, folder / "large-jpeg.avi", side_px=16000)
    broken.write_huge_raw_avi(whole, folder / "huge-raw.avi")
    broken.write_billion_fps(whole, folder / "billion-fps.mp4")


@pytest.mark.parametrize("name", sorted(REASONS))
def test_each_gets_its_reason(name: str, done: Done) -> None:
    assert done.reasons[name] <= REASONS[name], done.reasons[name]


def test_nothing_else_was_found(done: Done) -> None:
    assert done.reasons.keys() == REASONS.keys() | PLAYABLE | set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_a_name(name: str, done: Done) -> None:
    assert done.reasons[name] & {KEPT, "near_duplicate"}
    assert not Path("made").exists()


def test_playlists_open_no_other_file_and_no_host(done: Done, listener: Listener) -> None:
    assert done.reasons["playlist-http.ts"]
    assert listener.asked == []


def test_a_folder_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.mp4").write_bytes(b"x")
    with broken.closed(tmp_path / "closed"), broken.as_nobody(tmp_path), pytest.raises(UserError, match="closed"):
        list_sources([str(tmp_path)])


def test_a_file_that_may_not_be_read_gets_its_reason(tmp_path: Path) -> None:
    from pipelines.config import PreprocessConfig
    from pipelines.probing import probe_source

    video = tmp_path / "a.mp4"
    video.write_bytes(b"x")
    limits = PreprocessConfig(input="x", output="y").limits
    with broken.closed(video), broken.as_nobody(tmp_path):
        assert probe_source(str(video), limits).reason == "unreadable"
    (tmp_path / "folder").mkdir()
    shutil.move(video, tmp_path / "folder/a.mp4")
    with broken.closed(tmp_path / "folder"), broken.as_nobody(tmp_path):
        assert probe_source(str(tmp_path / "folder/a.mp4"), limits).reason == "unreadable"
