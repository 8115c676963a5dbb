"""A model that is ready to be used: pictures and videos of faces are moved and edited. Everything a user calls.

Legend: M directions, S side in pixels, C colours, H W pixels.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from liax.inference.animation import Animation
from liax.inference.controls import Controls, Direction, Settings
from liax.inference.driving import open_driving
from liax.inference.edit import edit
from liax.inference.edit_video import SMOOTH_S, edit_video
from liax.inference.framing import check_choice, optional_finder
from liax.inference.loading import load
from liax.inference.motion import Motion, check_name
from liax.inference.motion_source import FromVideo, encode_motion, known_motion
from liax.inference.portraits import open_portraits
from liax.inference.renderer import Renderer
from liax.inference.sweep import FRAMES, check_frames, rows_of, write_sweep
from liax.inference.transfer import Mode, StartFrame, check_mode, streamed, write_transfer
from liax.pictures import Picture, check_picture_name
from liax.video.encode import check_video_name
from liax.video.sound import sound_file


class Animator:
    """Moves and edits faces. Make one with `from_pretrained`.

    Args:
        renderer: the model on its device.
        controls: the names of the model's directions; None for a model whose directions have no names.

    Options that several methods have:
        controls: see `liax.inference.controls.Settings`; several at once are set together, see `Controls.delta`.
        unsafe: let measured controls out of the ranges in which faces stay faces.
        crop: frame the face as in training; else the middle square of picture and video is taken.
        face: which of several faces in the source: `largest`, `leftmost`, `1`, `2`, … from the left, or `all`, which
            needs paste_back. Without it there must be one face only.
        paste_back: the result is the whole source picture or video, in which the face's square is replaced.

    Every method raises UserError for what is wrong with its files or options, and then leaves no output.
    """

    def __init__(self, renderer: Renderer, controls: Controls | None = None) -> None:
        self.renderer, self.size_px = renderer, renderer.size_px
        self.controls = controls or Controls(renderer.directions)

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        device: str = "auto",
        dtype: str = "auto",
        tracking_uri: str | None = None,
        *,
        compiled: bool = False,
        controls: str | Path | None = None,
    ) -> "Animator":
        """Load a model.

        Args:
            source: a folder or `s3://` prefix with `model.safetensors` and `config.json`; an official LIA-X file,
                `.pt`, `.pth` or `.safetensors`; or a registered model, `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
            device: `auto` takes a GPU where there is one.
            dtype: `auto`, `float32`, `bfloat16` or `float16`.
            tracking_uri: MLflow's address for a registered model.
            compiled: also `torch.compile` it, which pays for long videos on a GPU only.
            controls: what `liax atlas` measured of this model; None for the `controls.json` beside its weights, or
                beside `lia-x.pt` the `lia-x.controls.json`, if there is one.
        """
        return cls(*load(source, device, dtype, tracking_uri, compiled=compiled, controls=controls))

    def animate(
        self,
        source: str | Path,
        driving: str | Path,
        out: str | Path,
        *,
        controls: Settings | None = None,
        unsafe: bool = False,
        mode: Mode = "relative",
        start_frame: StartFrame = 0,
        crop: bool = True,
        face: str | None = None,
        paste_back: bool = False,
        audio: str | Path | None = "driving",
        side_by_side_out: str | Path | None = None,
        motion_out: str | Path | None = None,
    ) -> Animation:
        """Write a video of the portrait with the driving video's motion, length and rate.

        Frames stream through: the memory needed does not depend on the video's length.

        Args:
            source: picture file with a face.
            driving: video file with a face; of several the largest drives.
            out: the .mp4 to write.
            mode: `relative` adds the change since the start frame to the portrait's own pose, `absolute` takes the
                driving pose as it is.
            start_frame: the driving frame, counted from 0, in which its face has the portrait's pose and expression;
                `auto` takes the one whose head pose is nearest the portrait's.
            audio: `driving` keeps that video's sound; else the sound of this file, or none.
            side_by_side_out: also write portrait | driving | result here.
            motion_out: also write the motion (.motion) for `render`, when the video is finished.
        """
        check_mode(mode, start_frame, crop)
        if motion_out is not None:
            check_name(motion_out)
        check_choice(face, crop, paste_back)
        delta_M, sound = self.controls.delta(controls, unsafe), sound_file(audio, "driving", driving)
        with optional_finder(crop) as finder:
            portraits = open_portraits(source, self.size_px, finder, face, paste_back=paste_back, for_video=True)
            video = open_driving(driving, self.size_px, finder)
        motion = FromVideo(self.renderer, video, keep=motion_out is not None)
        written = write_transfer(
            self.renderer,
            portraits,
            motion,
            out,
            mode=mode,
            delta_M=delta_M,
            start_frame=start_frame,
            audio=sound,
            side_by_side_out=side_by_side_out,
        )
        if motion_out is not None:
            motion.motion().save(motion_out)
        return written

    def render(
        self,
        source: str | Path,
        motion: Motion | str | Path,
        out: str | Path,
        *,
        controls: Settings | None = None,
        unsafe: bool = False,
        mode: Mode = "relative",
        start_frame: StartFrame = 0,
        crop: bool = True,
        face: str | None = None,
        paste_back: bool = False,
        audio: str | Path | None = None,
    ) -> Animation:
        """As `animate`, with a motion that `encode_motion` has made (or its file), which has no pictures and sound."""
        check_mode(mode, start_frame, crop)
        check_choice(face, crop, paste_back)
        delta_M, sound = self.controls.delta(controls, unsafe), sound_file(audio)
        known = known_motion(self.renderer, motion)
        with optional_finder(crop) as finder:
            portraits = open_portraits(source, self.size_px, finder, face, paste_back=paste_back, for_video=True)
        return write_transfer(
            self.renderer, portraits, known, out, mode=mode, delta_M=delta_M, start_frame=start_frame, audio=sound
        )

    def encode_motion(self, driving: str | Path, out: str | Path | None = None, *, crop: bool = True) -> Motion:
        """A driving video's motion, which `render` gives to any portrait; written to `out` (.motion) if that is given.

        It holds some 160 bytes a frame, and fits this model only.
        """
        if out is not None:
            check_name(out)
        with optional_finder(crop) as finder:
            video = open_driving(driving, self.size_px, finder)
        motion = encode_motion(self.renderer, video)
        if out is not None:
            motion.save(out)
        return motion

    def edit(
        self,
        source: str | Path,
        out: str | Path | None,
        controls: Settings,
        *,
        absolute: bool = False,
        unsafe: bool = False,
        crop: bool = True,
        face: str | None = None,
        paste_back: bool = False,
    ) -> Picture:
        """The portrait moved along directions: z + Q(a + δ) (paper eq. 10).

        Args:
            source: picture file with a face.
            out: the picture to write (.png, .jpg, .webp), or None.
            absolute: the settings, of measured controls only, are what the result shall show, and no changes; a line
                says what it does show, see `liax.inference.absolute`.

        Returns:
            uint8 H×W×3 RGB: S×S, or as large as the source with paste_back.
        """
        return edit(
            self.renderer,
            self.controls,
            controls,
            source,
            out,
            absolute=absolute,
            unsafe=unsafe,
            crop=crop,
            face=face,
            paste_back=paste_back,
        )

    def edit_video(
        self,
        video: str | Path,
        out: str | Path,
        controls: Settings,
        *,
        unsafe: bool = False,
        from_first: bool = False,
        smooth_s: float = SMOOTH_S,
        crop: bool = True,
        face: str | None = None,
        paste_back: bool = False,
        audio: str | Path | None = "source",
    ) -> Animation:
        """Write the video with its face moved along directions; see `liax.inference.edit_video`.

        Args:
            video: video file with a face.
            out: the .mp4 to write.
            from_first: draw every frame from the first one's pixels; else each from its own.
            smooth_s: standard deviation in seconds of the smoothing of the codes over time, 0 for none.
            audio: `source` keeps the video's sound; else the sound of this file, or none.
        """
        return edit_video(
            self.renderer,
            self.controls.delta(controls, unsafe),
            video,
            out,
            from_first=from_first,
            smooth_s=smooth_s,
            crop=crop,
            face=face,
            paste_back=paste_back,
            audio=audio,
        )

    def sweep(
        self,
        source: str | Path,
        out: str | Path,
        *,
        direction: Direction | Literal["all", "controls"] = "all",
        span: tuple[float, float] | None = None,
        unsafe: bool = False,
        frames: int = FRAMES,
        still_out: str | Path | None = None,
        crop: bool = True,
        face: str | None = None,
    ) -> Animation:
        """Write a video that can be looped, in which the portrait goes along one direction and back.

        Args:
            source: picture file with a face.
            out: the .mp4 to write; several directions go into one labelled mosaic.
            direction: name, index, `all` (every index) or `controls` (every measured control).
            span: from how far to how far; None takes the safe or published range, or ±0.5 where there is none.
            frames: length of the loop, 2 or more.
            still_out: also write a grid of pictures (.png), one row a direction.
        """
        check_choice(face, crop, paste_back=None)
        check_video_name(out)
        check_frames(frames)
        if still_out is not None:
            check_picture_name(still_out)
        rows = rows_of(self.controls, direction, span, unsafe)
        with optional_finder(crop) as finder:
            (portrait_SSC,) = open_portraits(source, self.size_px, finder, face).pictures
        return write_sweep(self.renderer, portrait_SSC, rows, out, frames=frames, still_out=still_out)

    def frames(
        self,
        portrait_SSC: Picture,
        driving: Iterable[Picture],
        mode: Mode = "relative",
        controls: Settings | None = None,
        *,
        unsafe: bool = False,
    ) -> Iterator[Picture]:
        """The portrait with the motion of each driving picture in turn, as they come: each before the next is taken.

        Args:
            portrait_SSC: uint8 RGB, framed as `liax.crop` does.
            driving: pictures of the same kind; the first is the start of relative transfer.
            mode: see `animate`.

        Returns:
            One uint8 S×S×C RGB picture for each driving picture.
        """
        check_mode(mode)
        return streamed(self.renderer, portrait_SSC, driving, mode, self.controls.delta(controls, unsafe))
