"""The size of a LIA-X network, and the sizes that have a name."""

from typing import Literal

from pydantic import Field, PositiveInt, ValidationInfo, field_validator

from liax.config import Config, build
from liax.errors import UserError

COARSEST_PX = 4
"""Side of the encoder's last map and of the decoder's learned constant."""


class PyramidConfig(Config):
    """Sizes and channel counts of maps that halve from the full picture down to 4 px."""

    size_px: Literal[64, 128, 256, 512] = 512
    """Side of the square pictures, in pixels. The release is 512; smaller sizes have no published layout."""

    width: float = 1
    """Width multiplier s: every channel count is a multiple of 64·s, which must be whole."""

    @field_validator("width")
    @classmethod
    def _check_width(cls, width: float) -> float:
        if width <= 0 or not (64 * width).is_integer():
            raise ValueError("64·width must be a whole number of channels, 1 or more")
        return width

    @property
    def levels(self) -> tuple[int, ...]:
        """The sizes in pixels, smallest first, that have a decoder level: 8, 16, …, size_px."""
        return tuple(2**power for power in range(COARSEST_PX.bit_length(), self.size_px.bit_length()))

    def channels(self, size_px: int) -> int:
        """Channels of a map of `size_px` pixels, in encoder, decoder and discriminator alike.

        Counted from the top: 64·s at full size, doubling with each halving up to 512·s. This agrees with the 512 px
        release; for other sizes it is our choice, because the older 256 px LIA does the same.
        """
        return int(self.width * min(512, 64 * (self.size_px // size_px)))


class ModelConfig(PyramidConfig):
    """Everything that decides which tensors a network has. The defaults are the paper's "Base"."""

    width: float = 0.5
    """Width multiplier s: every channel count is a multiple of 64·s, which must be whole."""

    blocks: PositiveInt = 4
    """Flow blocks, and as many render blocks, at each level of the decoder."""

    directions: PositiveInt = Field(default=40, validate_default=True)
    """Vectors in the motion dictionary (M), at most 512·s."""

    @field_validator("directions")
    @classmethod
    def _check_directions(cls, directions: int, others: ValidationInfo) -> int:
        most = int(512 * others.data.get("width", 0))
        if directions > most > 0:
            raise ValueError(f"no more than 512·width = {most} directions can be orthogonal")
        return directions

    @property
    def style_dim(self) -> int:
        """Length D of the code z: 512·s."""
        return int(512 * self.width)


class DiscriminatorConfig(PyramidConfig):
    """What decides the discriminator's tensors."""

    width: float = 1.0
    """Width multiplier s, as the network's own. 1 is StyleGAN2's discriminator."""


PRESETS: dict[str, ModelConfig] = {
    # Small enough to learn something visible in minutes on one CPU core: for the demo and the tests.
    "tiny": ModelConfig(size_px=64, width=1 / 8, blocks=1, directions=20),
    # What learns faces in hours on two CPU cores. Our choice: every number is as large as those hours allow.
    "small": ModelConfig(size_px=128, width=1 / 4, blocks=1, directions=40),
    # The paper's 0.05 B: 57 M parameters.
    "base": ModelConfig(width=0.5),
    # The paper's 0.3 B, whose layout is unpublished. Ours: deeper, not wider, than s = 1 with 4 blocks (228 M),
    # because all channel counts then stay multiples of 64.
    "middle": ModelConfig(width=1, blocks=6),
    # The paper's 0.9 B, which is the release: 910.57 M parameters.
    "large": ModelConfig(width=2),
}


def preset(name: str, size_px: int | None = None) -> ModelConfig:
    """The named configuration, at another picture size if one is given.

    Raises UserError for an unknown name or size.
    """
    if name not in PRESETS:
        raise UserError(f'no model preset is called "{name}"; choose one of {", ".join(PRESETS)}')
    changes = {} if size_px is None else {"size_px": size_px}
    return build(ModelConfig, PRESETS[name].model_dump() | changes, f'model preset "{name}"')
