"""The same behaviour on a folder and on a real S3 server."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from liax import local_files, storage
from liax.errors import NoFileError, StorageError, UserError
from tests.answering_s3 import answering
from tests.broken_videos import as_nobody, closed
from tests.faulty_s3 import BUCKET, serve_s3
from tests.mlflow_server import silent_server


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.server)])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path)
    return str(request.getfixturevalue("s3_bucket")) + "/" + tmp_path.name


def test_bytes_written_are_read_whole_and_in_parts(base: str) -> None:
    name = storage.join(base, "a", "b.bin")
    storage.write_bytes(name, b"old")
    storage.write_bytes(name, b"0123456789")
    assert storage.exists(name)
    assert storage.size(name) == 10
    assert storage.read_bytes(name) == b"0123456789"
    assert storage.read_bytes(name, 3, 4) == b"3456"
    assert storage.read_bytes(name, 8) == b"89"


def test_listing_is_sorted_deep_and_stays_in_its_folder(base: str) -> None:
    for part in ("x/b.mp4", "x/a/c.MP4", "x/d.txt", "xy/e.mp4"):
        storage.write_bytes(storage.join(base, part), b"1")
    assert storage.list_files(storage.join(base, "x"), [".mp4"]) == [
        storage.join(base, "x/a/c.MP4"),
        storage.join(base, "x/b.mp4"),
    ]
    assert storage.list_files(storage.join(base, "x/d.txt")) == [storage.join(base, "x/d.txt")]


@pytest.fixture(params=["links", "no links", "neither links nor renames to new names"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file system that can less than others, as exFAT or one in user space."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if request.param != "links":
        monkeypatch.setattr(os, "link", refuse)
    if request.param.startswith("neither"):
        monkeypatch.setattr(local_files, "_LIBC", None)
    return str(request.param)


def test_on_any_file_system_one_creates(file_system: str, tmp_path: Path) -> None:
    test_of_several_writers_one_creates(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["once"]


def test_of_several_writers_one_creates(base: str) -> None:
    name = storage.join(base, "once")
    won: list[int] = []

    def create(number: int) -> None:
        if storage.create_bytes(name, b"%d" % number):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert storage.read_bytes(name) == b"%d" % won[0]


def test_many_are_removed_at_once(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_REMOVED_AT_ONCE", 4)
    names = [storage.join(base, "many", f"{number} +&ü.bin") for number in range(10)]
    for name in names:
        storage.write_bytes(name, b"1")
    storage.remove_many([*names[:9], storage.join(base, "many", "gone.bin")])
    assert storage.list_files(storage.join(base, "many")) == [names[9]]
    storage.remove_many([])


def test_what_is_surely_not_there_is_told_from_a_place_that_is_away(base: str) -> None:
    storage.write_bytes(storage.join(base, "there"), b"1")
    away = "s3://no-such-bucket/file" if storage.is_s3(base) else storage.join(base, "away", "file")
    for call in (storage.size, storage.read_bytes):
        with pytest.raises(NoFileError):
            call(storage.join(base, "gone"))
        with pytest.raises(UserError) as caught:
            call(away)
        assert not isinstance(caught.value, NoFileError)


@pytest.mark.server
def test_an_empty_prefix_is_surely_empty_and_a_missing_bucket_is_not(s3_bucket: str) -> None:
    with pytest.raises(NoFileError, match="nothing under s3://bucket/nothing"):
        storage.list_files(f"{s3_bucket}/nothing")
    for call in (storage.list_files, storage.size, storage.read_bytes):
        with pytest.raises(UserError, match="no such bucket: s3://no-such-bucket") as caught:
            call("s3://no-such-bucket/file")
        assert not isinstance(caught.value, NoFileError)


def test_a_silent_s3_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_ANSWER_WITHIN_S", 0.2), ("_CONNECT_WITHIN_S", 0.2), ("_ATTEMPTS", 2)):
        monkeypatch.setattr(storage, name, value)
    with silent_server() as silent:
        for name, value in (("ENDPOINT_URL", silent.uri), ("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b")):
            monkeypatch.setenv(f"AWS_{name}", value)
        storage._s3.cache_clear()
        try:
            with pytest.raises(StorageError, match="S3 cannot be reached for s3://bucket/x: Read timeout"):
                storage.write_bytes("s3://bucket/x", b"1")
        finally:
            storage._s3.cache_clear()


@pytest.mark.server
def test_an_undecided_creation_is_asked_for_again() -> None:
    with answering({"PUT": [409, 409, 200, 409, 412, *[409] * 6]}) as asked:
        assert storage.create_bytes("s3://bucket/x", b"1")
        assert not storage.create_bytes("s3://bucket/x", b"1")
        with pytest.raises(StorageError, match="s3://bucket/x"):
            storage.create_bytes("s3://bucket/x", b"1")
    assert asked == ["PUT /bucket/x"] * 11


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    full = """if True:
        import resource, sys
        from liax import storage
        from liax.errors import StorageError
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # the kernel refuses the rest, as a full disk does
        for write in (storage.write_bytes, storage.create_bytes):
            try:
                write(sys.argv[1], bytes(2000))
            except StorageError as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", full, str(tmp_path / "file")], check=True, capture_output=True, text=True
    )
    assert done.stdout == f"cannot write {tmp_path / 'file'}: File too large\n" * 2
    assert list(tmp_path.iterdir()) == []


def test_upload_copy_and_remove(base: str, tmp_path: Path) -> None:
    local = tmp_path / "local.bin"
    local.write_bytes(b"content")
    name = storage.join(base, "up", "loaded.bin")
    storage.upload(local, name)
    with storage.local_copy(name) as copy:
        assert copy.read_bytes() == b"content"
    storage.remove(name)
    storage.remove(name)
    assert not storage.exists(name)


def test_what_is_missing_is_named(base: str) -> None:
    name = storage.join(base, "nothing-here")
    for call in (storage.read_bytes, storage.size, storage.list_files):
        with pytest.raises(UserError, match="nothing-here"):
            call(name)
    with pytest.raises(UserError, match="nothing-here"), storage.local_copy(name):
        pass


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        storage.write_bytes(str(tmp_path / "file"), "not bytes")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_removed_and_a_living_one_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    killed = """if True:
        import os, signal, sys
        from pathlib import Path
        from liax import local_files
        with local_files.beside(Path(sys.argv[1])) as temporary:
            temporary.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", killed, str(tmp_path / "deep/file")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "deep").iterdir())) == 1
    with local_files.beside(tmp_path / "deep/file") as living:
        living.write_bytes(b"whole")
        assert storage.list_files(str(tmp_path)) == []
        storage.remove_unfinished(str(tmp_path))
        assert list((tmp_path / "deep").iterdir()) == [living]
    assert list((tmp_path / "deep").iterdir()) == []


@pytest.mark.server
def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    with serve_s3() as server:
        storage.write_bytes(f"s3://{BUCKET}/file", b"0123456789")
        server.share = 0.5
        assert {storage.read_bytes(f"s3://{BUCKET}/file", 2, 6) for _ in range(20)} == {b"234567"}
        assert server.faults["cut"] > 1


def test_a_folder_or_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder/closed").mkdir(parents=True)
    (tmp_path / "folder/closed/file").write_bytes(b"1")
    with closed(tmp_path / "folder/closed"), as_nobody(tmp_path):
        with pytest.raises(UserError, match=r"cannot list the folder .*closed: Permission denied"):
            storage.list_files(str(tmp_path / "folder"))
        with pytest.raises(UserError, match=r"no permission to read .*closed/file"):
            storage.read_bytes(str(tmp_path / "folder/closed/file"))
        with pytest.raises(UserError, match=r"cannot write to the folder .*closed: Permission denied"):
            storage.write_bytes(str(tmp_path / "folder/closed/new"), b"1")
        assert not storage.exists(str(tmp_path / "folder/closed/file"))
    file = tmp_path / "folder/closed/file"
    with closed(file), as_nobody(tmp_path), pytest.raises(UserError, match=r"no permission to read .*closed/file"):
        storage.read_bytes(str(file))


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be a folder"):
        storage.write_bytes(str(tmp_path / "file" / "x"), b"1")


def test_an_s3_that_is_away_or_without_credentials_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.config import Config
    from botocore.session import Session

    def client(**settings: str) -> object:
        config = Config(retries={"max_attempts": 1, "mode": "standard"}, connect_timeout=1)
        return Session().create_client("s3", "us-east-1", endpoint_url="http://127.0.0.1:9", config=config, **settings)

    monkeypatch.setattr(storage, "_s3", lambda: client(aws_access_key_id="a", aws_secret_access_key="b"))
    calls = (storage.read_bytes, storage.exists, storage.size, storage.list_files, storage.remove)
    for call in calls:
        with pytest.raises(StorageError, match="S3 cannot be reached for s3://bucket/x"):
            call("s3://bucket/x")
    with pytest.raises(StorageError):
        storage.write_bytes("s3://bucket/x", b"1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setattr(storage, "_s3", client)
    with pytest.raises(UserError, match="check the credentials"):
        storage.read_bytes("s3://bucket/x")
