"""Peak memory against a video's length: 10 minutes must need at most 1.10 times what 10 seconds need.

    .venv/bin/python -m benchmarks.streaming_memory [--device cuda] [--commands animate edit-video]

Each run is a process of its own, `liax animate` or `liax edit-video`, with an untrained model of the preset tiny. Peak
resident memory is what Linux counts (VmHWM), of that process, of the ffmpeg that it starts, and the sum of the two. The
bound holds for the process and for the sum. ffmpeg alone has none: it keeps the index of the MP4 file that it reads and
of the one that it writes, together some 150 bytes for each frame and packet of sound (a stream to a format without an
index does not grow). On a GPU, PyTorch's own peak is bounded too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOUND = 1.10
BROKEN = "BROKEN"
SHORT_S, LONG_S = 10, 600
SIZE_PX = 256
PRESET = "tiny"
POLL_S = 0.05
COMMANDS = {
    "animate": ["animate", "-s", "me.png", "-d", "{video}"],
    "edit-video": ["edit-video", "-s", "{video}", "--set", "3=0.2", "--paste-back"],
}
# Runs one command, and says afterwards what only the process itself knows.
CHILD = """
import json, sys
from jobs.main import main
code = main(sys.argv[1:])
import torch
print(json.dumps({"gpu_bytes": torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0}), flush=True)
sys.stdin.read()
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Peak:
    """The most memory that one run held, in bytes, and how long it took."""

    process_bytes: int
    ffmpeg_bytes: int
    gpu_bytes: int
    seconds: float


def main() -> int:
    """Measure, print the table, and return 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="default: all")
    parser.add_argument("--seconds", type=int, default=LONG_S, help=f"length of the long video (default: {LONG_S})")
    options = parser.parse_args()

    from benchmarks.environment import environment

    for name, value in environment().items():
        print(f"{name}: {value}")
    print(f"device: {options.device}, preset {PRESET}, driving video {SIZE_PX} px at 25 fps with sound\n")
    with tempfile.TemporaryDirectory(prefix="liax-memory-") as scratch:
        folder = Path(scratch)
        _make_inputs(folder, options.seconds)
        rows = [row for command in options.commands for row in _compared(folder, command, options)]
    print("\n".join(rows))
    return int(any(row.endswith(f"{BROKEN} |") for row in rows))


def _make_inputs(folder: Path, long_s: int) -> None:
    """An untrained model, a portrait, and the same ten seconds once and many times over."""
    import torch
    from PIL import Image

    from liax.model.config import preset
    from liax.model.network import LiaX
    from liax.model.weights import save_model
    from liax.synthetic.scenes import portrait
    from liax.synthetic.videos import write_video
    from liax.video.ffmpeg import ffmpeg_path, run

    torch.manual_seed(0)
    save_model(LiaX(preset(PRESET)), str(folder / "model"))
    Image.fromarray(portrait()).save(folder / "me.png")
    short, long = folder / f"{SHORT_S}.mp4", folder / f"{long_s}.mp4"
    write_video(short, seconds=SHORT_S, size_px=SIZE_PX, audio=True)
    again = ["-stream_loop", str(round(long_s / SHORT_S) - 1), "-i", str(short), "-c", "copy", str(long)]
    run([ffmpeg_path(), "-v", "error", *again], long, time_limit_s=60)


def _compared(folder: Path, command: str, options: argparse.Namespace) -> list[str]:
    """Lines of the table for one command."""
    short, long = (_measured(folder, command, seconds, options.device) for seconds in (SHORT_S, options.seconds))
    rows = [f"| {command} | {SHORT_S} s | {options.seconds} s | ratio | bound | |", "|---|---|---|---|---|---|"]
    for name, few, many, bound in (
        ("process, MiB", short.process_bytes, long.process_bytes, BOUND),
        ("ffmpeg, MiB", short.ffmpeg_bytes, long.ffmpeg_bytes, None),
        ("both, MiB", short.process_bytes + short.ffmpeg_bytes, long.process_bytes + long.ffmpeg_bytes, BOUND),
        ("GPU, MiB", short.gpu_bytes, long.gpu_bytes, BOUND),
    ):
        if few:
            verdict = "| |" if bound is None else f"{bound:.2f} | {'held' if many <= bound * few else BROKEN} |"
            rows.append(f"| {name} | {few / 2**20:.1f} | {many / 2**20:.1f} | {many / few:.3f} | {verdict}")
    return [*rows, f"| time, s | {short.seconds:.1f} | {long.seconds:.1f} | | | |", ""]


def _measured(folder: Path, command: str, seconds: int, device: str) -> Peak:
    """Run the command on one of the videos and watch it."""
    arguments = [part.format(video=f"{seconds}.mp4") for part in COMMANDS[command]]
    arguments += ["-o", "out.mp4", "--model", "model", "--device", device]
    started_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{CHILD}", *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=(folder / "said").open("wb"),
        stderr=(folder / "errors").open("wb"),
    )
    process_bytes, ffmpeg_bytes, said = 0, {}, ""
    # The process waits for the end of its input, so that its last count is read while it is still there.
    while process.poll() is None and "gpu_bytes" not in said:
        time.sleep(POLL_S)
        for child in _children(process.pid):
            ffmpeg_bytes[child] = max(ffmpeg_bytes.get(child, 0), _peak_bytes(child))
        said = (folder / "said").read_text(errors="replace")
    process_bytes = _peak_bytes(process.pid)
    process.communicate(b"")
    if process.returncode != 0:
        raise SystemExit(f"{command} failed: {(folder / 'errors').read_text(errors='replace')[-500:]}")
    return Peak(
        process_bytes,
        max(ffmpeg_bytes.values(), default=0),
        json.loads(said.strip().splitlines()[-1])["gpu_bytes"],
        time.monotonic() - started_s,
    )


def _children(pid: int) -> list[int]:
    """The processes that a process has started and that are still there."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        if _field(status, "PPid") == pid:
            found.append(int(status.parent.name))
    return found


def _peak_bytes(pid: int) -> int:
    """The most resident memory that a process had so far; 0 if it is gone."""
    return 1024 * _field(Path(f"/proc/{pid}/status"), "VmHWM")


def _field(status: Path, name: str) -> int:
    try:
        lines = status.read_text(errors="replace").splitlines()
    except OSError:
        return 0  # it has just ended
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)


if __name__ == "__main__":
    sys.exit(main())
