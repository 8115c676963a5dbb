"""Which ffmpeg is used, and that its clips do not depend on the processor."""

from pathlib import Path

import pytest

from liax.errors import ProcessDied, VideoError
from liax.video.ffmpeg import ffmpeg_path, ffmpeg_version, h264_options, run


@pytest.mark.parametrize("says", [" V....D libx264              H.264", " V....D h264_v4l2m2m         H.264"])
def test_an_ffmpeg_that_cannot_encode_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    lean = tmp_path / "ffmpeg"
    lean.write_text(f"#!/bin/sh\necho '{says}'\n")
    lean.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    ffmpeg_path.cache_clear()
    try:
        assert (ffmpeg_path() == str(lean)) == ("libx264" in says)
    finally:
        ffmpeg_path.cache_clear()


def test_the_version_is_known() -> None:
    assert ffmpeg_version()[0].isalnum()
    assert ffmpeg_version() != "unknown"


def test_the_encoder_gives_the_same_bytes_without_vector_instructions(tmp_path: Path) -> None:
    picture = ["-f", "lavfi", "-i", "testsrc2=s=256x256:r=25:d=1.2", "-vf", "noise=alls=8:all_seed=1,format=yuv420p"]
    streams = []
    for extra in ("", ":asm=0"):
        options = h264_options(18, 8)
        options["x264-params"] = f"{options['x264-params']}{extra}"
        given = [word for name, value in options.items() for word in (f"-{name}", str(value))]
        path = tmp_path / f"stream{len(streams)}.h264"
        # Without the encoder's note of its settings, which says what was switched off.
        bare = ["-flags:v", "+bitexact", "-bsf:v", "filter_units=remove_types=6", str(path)]
        run([ffmpeg_path(), "-v", "error", *picture, *given, *bare], path, 60)
        streams.append(path.read_bytes())
    assert streams[0] == streams[1]


def test_a_crash_is_not_called_the_videos_fault() -> None:
    with pytest.raises(ProcessDied, match="was ended by SIGSEGV at a"):
        run(["/bin/sh", "-c", "kill -SEGV $$"], "a", 60)
    with pytest.raises(VideoError, match="no such thing"):
        run(["/bin/sh", "-c", "echo no such thing >&2; exit 1"], "a", 60)
