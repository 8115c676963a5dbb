"""Names that are refused, and what becomes of files when a command ends well, badly or by Ctrl-C."""

from pathlib import Path

import pytest

from jobs.animator_files import PICTURE, VIDEO, Files, check_files
from liax import storage
from liax.errors import JobError, LiaxError, UserError, VideoError
from tests.level_videos import write_levels


def test_names_that_work_leave_no_trace(tmp_path: Path) -> None:
    (tmp_path / "in.png").touch()
    check_files([str(tmp_path / "in.png")], [(str(tmp_path / "new" / "deep" / "OUT.MP4"), VIDEO), (None, PICTURE)])
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_an_input_may_be_read_twice_but_not_written(tmp_path: Path) -> None:
    video = str(tmp_path / "in.mp4")
    Path(video).touch()
    check_files([video, video], [(str(tmp_path / "out.mp4"), VIDEO)])
    with pytest.raises(UserError, match="named twice"):
        check_files([video], [(str(tmp_path / "x" / ".." / "in.mp4"), VIDEO)])


def test_s3_names(s3_bucket: str) -> None:
    with pytest.raises(UserError, match="named twice"):
        check_files([], [(f"{s3_bucket}/a.mp4", VIDEO), (f"{s3_bucket}/a.mp4", VIDEO)])
    with pytest.raises(UserError, match="no such file: s3://"):
        check_files([f"{s3_bucket}/gone.png"], [(f"{s3_bucket}/a.mp4", VIDEO)])
    with pytest.raises(UserError, match="names no bucket"):
        check_files([], [("s3:///a.mp4", VIDEO)])


def test_what_is_finished_is_delivered(s3_bucket: str) -> None:
    folder = f"{s3_bucket}/delivered"
    with Files() as files:
        write_levels(files.write(f"{folder}/a.mp4"), 3, 10)
        files.write(f"{folder}/unwritten.mp4")
        assert files.write_optional(None) is None
    assert storage.list_files(folder) == [f"{folder}/a.mp4"]


def test_ctrl_c_delivers_what_there_is_and_says_how_much(
    s3_bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = write_levels(tmp_path / "older.mp4", 2, 10)

    def work() -> None:
        with Files() as files:
            files.write(str(older))
            for name in (f"{s3_bucket}/stopped.mp4", str(tmp_path / "stopped.mp4")):
                write_levels(files.write(name), 4, 10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    said = capsys.readouterr().out
    assert f"{s3_bucket}/stopped.mp4: only its first 4 frames" in said
    assert f"{tmp_path}/stopped.mp4: only its first 4 frames" in said
    assert "older" not in said
    assert storage.exists(f"{s3_bucket}/stopped.mp4")


@pytest.mark.parametrize(("raised", "expected"), [(UserError, UserError), (VideoError, JobError)])
def test_errors_name_the_file_as_the_user_did(
    s3_bucket: str, raised: type[LiaxError], expected: type[LiaxError]
) -> None:
    storage.write_bytes(f"{s3_bucket}/me.png", b"x")
    fetched = []

    def work() -> None:
        with Files() as files:
            fetched.append(files.read(f"{s3_bucket}/me.png"))
            raise UserError(f"no face in {fetched[0]}") if raised is UserError else VideoError(fetched[0], "unreadable")

    with pytest.raises(expected) as caught:
        work()
    assert f"{s3_bucket}/me.png" in str(caught.value)
    assert str(fetched[0]) not in str(caught.value)
    assert not fetched[0].exists()


def test_an_error_delivers_nothing(s3_bucket: str) -> None:
    def work() -> None:
        with Files() as files:
            write_levels(files.write(f"{s3_bucket}/half.mp4"), 2, 10)
            raise UserError("wrong")

    with pytest.raises(UserError, match="wrong"):
        work()
    assert not storage.exists(f"{s3_bucket}/half.mp4")
