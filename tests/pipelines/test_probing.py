"""Whose fault it is that a source cannot be probed: what is recorded of a video is for good."""

import errno
import os
import resource
from pathlib import Path

import pytest

from liax.errors import StorageError, UserError, VideoError
from liax.video.probe import open_video, probe
from pipelines.limits import LimitsConfig
from pipelines.probing import probe_source, source_file
from tests.answering_s3 import answering
from tests.broken_videos import as_nobody, closed
from tests.level_videos import write_levels


@pytest.mark.server
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_of_s3_is_no_reason(status: int) -> None:
    with answering({"HEAD": [status]}), pytest.raises(UserError, match="S3 refused"):
        probe_source("s3://bucket/video.mp4", LimitsConfig())


@pytest.mark.server
def test_missing_on_s3_is_what_is_not_in_a_bucket_that_is_there() -> None:
    with answering({"HEAD": [404, 200]}) as asked:
        assert probe_source("s3://bucket/video.mp4", LimitsConfig()).reason == "missing"
    assert asked == ["HEAD /bucket/video.mp4", "HEAD /bucket"]
    with answering({"HEAD": [404]}), pytest.raises(UserError, match="no such bucket"):
        probe_source("s3://bucket/video.mp4", LimitsConfig())


def test_missing_is_what_is_not_in_a_folder_that_is_there(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    assert probe_source(str(share / "video.mp4"), LimitsConfig()).reason == "missing"
    link = tmp_path / "link.mp4"
    link.symlink_to(share / "video.mp4")
    assert probe_source(str(link), LimitsConfig()).reason == "missing"
    share.rmdir()  # unmounted
    for name in (share / "video.mp4", share / "deep/video.mp4", link):
        with pytest.raises(StorageError, match="is the disk or share there"):
            probe_source(str(name), LimitsConfig())


def test_unreadable_is_what_nobody_may_read(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    video = write_levels(folder / "video.mp4", 2, 25)
    for shut in (video, folder):
        with closed(shut), as_nobody(tmp_path):
            assert probe_source(str(video), LimitsConfig()).reason == "unreadable"


def test_a_file_that_goes_away_while_it_is_read_is_no_reason(tmp_path: Path) -> None:
    video = write_levels(tmp_path / "video.mp4", 2, 25)

    def read() -> None:
        with source_file(str(video)) as path:
            path.unlink()
            probe(path)

    with pytest.raises(StorageError, match="went away"):
        read()


def test_want_of_file_handles_is_no_reason(tmp_path: Path) -> None:
    video = write_levels(tmp_path / "video.mp4", 2, 25)
    probe(video)  # all that is loaded lazily is loaded
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        with pytest.raises(StorageError, match="Too many open files"):
            probe(video)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_disk_that_fails_is_told_from_a_broken_file(tmp_path: Path) -> None:
    video = write_levels(tmp_path / "video.mp4", 2, 25)
    with pytest.raises(VideoError, match="unreadable"), open_video(video):  # as ffmpeg says of some broken files
        raise OSError(errno.EIO, "Input/output error")
    # Reading a process's memory at address 0 fails with EIO, as a disk does.
    memory = Path("/proc/self/mem")
    with pytest.raises(StorageError, match="Input/output error"), open_video(memory):
        pass
