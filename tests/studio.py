"""What tests of the animator's commands work on: an untrained tiny model, people, and files that no command can use."""

from collections.abc import Callable
from pathlib import Path

import av
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from liax.model.config import ModelConfig, preset
from liax.model.network import LiaX
from liax.model.official import to_official
from liax.model.weights import save_model
from liax.synthetic.scenes import portrait
from liax.synthetic.videos import write_video
from liax.video.decode import frame_at
from liax.video.ffmpeg import ffmpeg_path, run

MARK = "executed"


class Payload:
    """An object whose unpickling leaves a file behind."""

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (Path(MARK),)


def make_studio(folder: Path) -> None:
    """Fill a folder to read from; tests write elsewhere."""
    torch.manual_seed(0)
    save_model(LiaX(preset("tiny")).eval(), str(folder / "model"))
    Image.fromarray(portrait()).save(folder / "me.png")
    write_video(folder / "talk.mp4", "face", seconds=0.4, size_px=192, audio=True)
    write_video(folder / "silent.mp4", "face", seconds=0.4, fps=10, size_px=256, seed=3)
    write_video(folder / "two.mp4", "two_faces", seconds=0.2, size_px=256, seed=2)
    Image.fromarray(frame_at(folder / "two.mp4", 0)).save(folder / "two.png")
    _spoil(folder)


def _spoil(folder: Path) -> None:
    """Files that no command can use."""
    Image.new("RGB", (96, 96), "gray").save(folder / "blank.png")
    write_video(folder / "blank.mp4", "no_face", seconds=0.4, size_px=96)
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video")
    (folder / "cut.mp4").write_bytes((folder / "talk.mp4").read_bytes()[:2000])
    (folder / "picture.mp4").write_bytes((folder / "me.png").read_bytes())
    with av.open(str(folder / "no_length.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
    for name in ("sound.wav", "sound.mp3"):
        run([ffmpeg_path(), "-v", "error", "-i", str(folder / "talk.mp4"), "-vn", str(folder / name)], name, 60)
    with av.open(str(folder / "talk.mp4")) as talk, av.open(str(folder / "sound.m4a"), "w", format="mp4") as container:
        (sound,) = talk.streams.audio
        copied = container.add_stream_from_template(sound)
        for packet in talk.demux(sound):
            if packet.dts is not None:
                packet.stream = copied
                container.mux(packet)

    state = load_file(folder / "model" / "model.safetensors")
    for name, spoiled in (("narrow", lambda tensor: tensor[..., :1].contiguous()), ("nameless", None)):
        (folder / name).mkdir()
        (folder / name / "config.json").write_bytes((folder / "model" / "config.json").read_bytes())
        first, *others = state
        kept = {entry: state[entry] for entry in others}
        save_file(kept | ({first: spoiled(state[first])} if spoiled else {}), folder / name / "model.safetensors")
    torch.save({"enc.weight": torch.zeros(2)}, folder / "shapes.pt")
    released = to_official(LiaX(ModelConfig(size_px=512, width=1 / 64, blocks=1, directions=8)))
    torch.save(released | {"dec.rgb2.bias": torch.zeros(1, 4, 1, 1)}, folder / "released.pt")
    torch.save({"enc.weight": torch.zeros(2), "extra": Payload()}, folder / "pickled.pt")
    (folder / "text.pt").write_text("not a checkpoint")
