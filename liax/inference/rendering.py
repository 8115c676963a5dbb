"""What the atlas and the animator need of something that animates: `liax.inference.renderer.Renderer`, or a stand-in
whose truth is known (`liax.synthetic.animator`).

Legend: B batch, S side in pixels, C colours, D style width, M directions.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from liax.pictures import Picture

if TYPE_CHECKING:
    from torch import Tensor

    from liax.inference.renderer import Encoded


class Rendering(Protocol):
    """Pictures in, codes and pictures out. Not to be shared between threads."""

    @property
    def size_px(self) -> int:
        """S: the side of its pictures."""
        ...

    @property
    def directions(self) -> int:
        """M: how many directions the dictionary has."""
        ...

    @property
    def device(self) -> str:
        """Where its tensors are, as PyTorch names it."""
        ...

    @property
    def batch(self) -> int:
        """How many pictures go through together."""
        ...

    def encode(self, pictures: Sequence[Picture]) -> "Encoded":
        """Source pictures, uint8 S×S×C, for `decode`."""
        ...

    def motion(self, pictures: Sequence[Picture]) -> "Tensor":
        """Motion coefficients a_BM, float32, of pictures, uint8 S×S×C."""
        ...

    def navigate(
        self,
        z_BD: "Tensor",
        a_BM: "Tensor",
        start_BM: "Tensor | None" = None,
        source_BM: "Tensor | None" = None,
    ) -> "Tensor":
        """Codes z_BD moved by motions: see `liax.model.network.LiaX.navigate`."""
        ...

    def decode(self, z_BD: "Tensor", features: "Sequence[Tensor]") -> list[Picture]:
        """The pictures, uint8 S×S×C, of navigated codes, from maps of the same batch or of batch 1."""
        ...
