"""Videos in many formats, and what strangers may hand in for a video: damaged, absurd, misnamed and hostile files."""

import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from liax.video.ffmpeg import ffmpeg_path, run

FORMATS: dict[str, Sequence[str]] = {
    "mp4": ("-c:v", "libx264", "-c:a", "aac"),
    "mkv": ("-c:v", "libx264", "-c:a", "aac"),
    "webm": ("-c:v", "libvpx", "-c:a", "libvorbis"),
    "avi": ("-c:v", "mpeg4", "-c:a", "libmp3lame"),
    "ts": ("-c:v", "libx264", "-c:a", "aac"),
    "flv": ("-c:v", "flv1", "-c:a", "libmp3lame"),
    "mov": ("-c:v", "mjpeg", "-c:a", "pcm_s16le"),
    "mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
    "3gp": ("-c:v", "mpeg4", "-c:a", "aac"),
}
"""How ffmpeg is told to write each kind of file that a listing takes for a video."""

EDGE_NUMBERS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""What a careless reader of a header adds to, multiplies or allocates."""

NOBODY = 65534
"""The user who owns nothing."""

HEADER_BYTES = 1024
"""The first and last so many bytes of a file are taken for its headers: an mp4's index may be at its end."""


def convert(source: Path, made: Path, *options: str) -> Path:
    """Make one video from another by ffmpeg; the ending says which container."""
    run([ffmpeg_path(), "-v", "error", "-y", "-i", str(source), *options, f"file:{made}"], made, 60)
    return made


def write_formats(source: Path, folder: Path) -> dict[str, Path]:
    """One video in every format, by its ending."""
    folder.mkdir(parents=True, exist_ok=True)
    return {ending: convert(source, folder / f"whole.{ending}", *how) for ending, how in FORMATS.items()}


def _span(data: bytes, random: np.random.Generator) -> tuple[int, int]:
    start = int(random.integers(len(data)))
    return start, min(len(data), start + int(random.integers(1, max(2, len(data) // 8))))


def _header_place(data: bytes, random: np.random.Generator, length: int) -> int:
    near = int(random.integers(min(HEADER_BYTES, len(data) - length)))
    return near if random.random() < 0.5 else len(data) - length - near


def _flip(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in random.integers(len(data), size=int(random.integers(1, 65))):
        changed[place] ^= int(random.integers(1, 256))
    return bytes(changed)


def _spoil_header(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 9))):
        changed[_header_place(data, random, 1)] ^= int(random.integers(1, 256))
    return bytes(changed)


def _edge_number(data: bytes, random: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        place = _header_place(data, random, 4)
        changed[place : place + 4] = int(random.choice(EDGE_NUMBERS)).to_bytes(4, "big")
    return bytes(changed)


def _truncate(data: bytes, random: np.random.Generator) -> bytes:
    return data[: int(random.integers(1, len(data)))]


def _zero(data: bytes, random: np.random.Generator) -> bytes:
    start, end = _span(data, random)
    return data[:start] + bytes(end - start) + data[end:]


def _duplicate(data: bytes, random: np.random.Generator) -> bytes:
    start, end = _span(data, random)
    return data[:end] + data[start:end] + data[end:]


def _swap(data: bytes, random: np.random.Generator) -> bytes:
    (first, second), (third, fourth) = sorted([_span(data, random), _span(data, random)])
    second = min(second, third)
    return data[:first] + data[third:fourth] + data[second:third] + data[first:second] + data[fourth:]


MUTATIONS: Mapping[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "flipped": _flip,
    "header": _spoil_header,
    "number": _edge_number,
    "truncated": _truncate,
    "zeroed": _zero,
    "duplicated": _duplicate,
    "swapped": _swap,
}


def write_mutants(whole: Mapping[str, Path], folder: Path, count: int, seed: int) -> list[Path]:
    """Damaged copies: formats and kinds of damage in turn, so that every pair comes up; the same seed, the same bytes.

    Args:
        whole: sound videos by ending (see `write_formats`).
        folder: where the copies go.
        count: how many.
        seed: decides where the damage is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    endings, kinds = sorted(whole), list(MUTATIONS)
    made = []
    for index in range(count):
        ending, kind = endings[index % len(endings)], kinds[index % len(kinds)]
        data = MUTATIONS[kind](whole[ending].read_bytes(), np.random.default_rng([seed, index]))
        made.append(folder / f"{index:05d}-{kind}.{ending}")
        made[-1].write_bytes(data)
    return made


def write_without_key_frames(source: Path, made: Path) -> Path:
    """Copy a video's packets without the key frames, so that no decoder can begin."""
    import av

    with av.open(str(source)) as given, av.open(str(made), "w") as container:
        stream = container.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None and not packet.is_keyframe:
                packet.stream = stream
                container.mux(packet)
    return made


def damage_middle(source: Path, made: Path) -> Path:
    """Fill the middle fifth of a file's pictures with noise; its headers stay whole."""
    data = bytearray(source.read_bytes())
    start, end = len(data) * 2 // 5, len(data) * 3 // 5
    data[start:end] = np.random.default_rng(0).bytes(end - start)
    made.write_bytes(data)
    return made


def write_huge_jpeg_avi(source: Path, made: Path, side_px: int = 60000) -> Path:
    """A video whose every picture says in its own header that it is 60000 pixels wide and high."""
    convert(source, made, "-c:v", "mjpeg", "-an")
    data = bytearray(made.read_bytes())
    place = -1
    while (place := data.find(b"\xff\xc0\x00\x11\x08", place + 1)) >= 0:
        data[place + 5 : place + 9] = struct.pack(">HH", side_px, side_px)
    header = data.index(b"strf") + 8
    data[header + 4 : header + 12] = struct.pack("<ii", side_px, side_px)
    made.write_bytes(data)
    return made


def write_huge_raw_avi(source: Path, made: Path, side_px: int = 60000) -> Path:
    """Unpacked pictures, whose size is said by the container alone."""
    convert(source, made, "-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-frames:v", "2", "-an")
    data = bytearray(made.read_bytes())
    header = data.index(b"strf") + 8
    data[header + 4 : header + 12] = struct.pack("<ii", side_px, side_px)
    made.write_bytes(data)
    return made


def write_billion_fps(source: Path, made: Path) -> Path:
    """A video that says that its clock ticks 10^9 times a second, one tick a picture."""
    convert(source, made, "-c:v", "libx264", "-bf", "0", "-an")
    data = bytearray(made.read_bytes())
    clock = data.index(b"mdhd") + 16
    data[clock : clock + 4] = struct.pack(">I", 1_000_000_000)
    deltas = data.index(b"stts") + 12
    data[deltas : deltas + 4] = struct.pack(">I", 1)
    # Without the edit list, whose times are in the film's own clock.
    data[data.index(b"edts") : data.index(b"edts") + 4] = b"free"
    made.write_bytes(data)
    return made


def write_playlists(folder: Path, secret: Path, url: str) -> list[Path]:
    """Text that makes an unguarded ffmpeg open other files and hosts, under the names of videos."""
    m3u8 = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    texts = {
        "playlist-file.mp4": m3u8.format(f"file://{secret}"),
        "playlist-http.ts": m3u8.format(f"{url}/a.ts"),
        "concat.mkv": f"ffconcat version 1.0\nfile '{secret}'\n",
        "concat-http.avi": f"ffconcat version 1.0\nfile '{url}/b.mp4'\n",
        "session.mov": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 {url}\nt=0 0\nm=video 5004 RTP/AVP 96\n",
        "dash.webm": f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
        f"<Period><AdaptationSet mimeType='video/mp4'><Representation id='1'><BaseURL>{url}/c.mp4</BaseURL>"
        f"</Representation></AdaptationSet></Period></MPD>",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]


def write_odd_files(folder: Path) -> list[Path]:
    """Things of the file system that bear a video's name: loops, pipes, endless devices, folders."""
    (folder / "loop-a.mp4").symlink_to(folder / "loop-b.mp4")
    (folder / "loop-b.mp4").symlink_to(folder / "loop-a.mp4")
    (folder / "dangling.mp4").symlink_to(folder / "nothing.mp4")
    (folder / "endless.mp4").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.mp4")
    return [folder / name for name in ("loop-a.mp4", "loop-b.mp4", "dangling.mp4", "endless.mp4", "pipe.mp4")]


@contextmanager
def closed(path: Path) -> Iterator[None]:
    """A file or folder that nobody but root may read."""
    before = path.stat().st_mode
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(before)


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Root may read everything: where the tests run as root, they go on as somebody who has nothing but `folder`."""
    if os.geteuid() != 0:
        yield
        return
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == 0 and parent.parts[:2] == ("/", "tmp") and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
