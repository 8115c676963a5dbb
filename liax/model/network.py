"""LIA-X: animates a source picture by moving its code along learned directions (arXiv 2508.09959).

Shapes: B batch, H W pixels, D style width, M directions of the dictionary.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from liax.model.config import ModelConfig
from liax.model.decoder import Decoder
from liax.model.dictionary import MotionDictionary
from liax.model.encoder import Encoder
from liax.model.layers import EqualLinear, full_precision


class LiaX(nn.Module):
    """The network. Pictures are float B×3×H×W in [-1, 1], square, of the configuration's size.

    Reduced precision is autocast's business: the weights, QR, modulation factors, codes and flow stay float32.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.to_motion = EqualLinear(config.style_dim, config.directions)
        self.directions = MotionDictionary(config.style_dim, config.directions)
        self.decoder = Decoder(config)

    def forward(self, source_BCHW: Tensor, driving_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """The source with the driving picture's motion, and that motion's coefficients a_BM (for the sparsity loss)."""
        z_BD, features = self.encode(source_BCHW)
        a_BM = self.motion_coefficients(self.code(driving_BCHW))
        return self.decode(self.navigate(z_BD, a_BM), features), a_BM

    def encode(self, picture_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """A source picture's code z_BD, and its maps of 8, 16, …, size pixels for `decode`."""
        return self.encoder(picture_BCHW)

    def code(self, picture_BCHW: Tensor) -> Tensor:
        """The code z_BD alone, in less memory than `encode`: enough for a driving picture."""
        return self.encoder.code(picture_BCHW)

    def motion_coefficients(self, z_BD: Tensor) -> Tensor:
        """How far the code's motion goes along each direction: a_BM."""
        with full_precision(z_BD):
            return self.to_motion(z_BD)

    def dictionary(self) -> Tensor:
        """The orthonormal directions Q_DM, one a column."""
        return self.directions()

    def navigate(
        self, z_BD: Tensor, a_BM: Tensor, start_BM: Tensor | None = None, source_BM: Tensor | None = None
    ) -> Tensor:
        """The source's code moved by a motion (paper eqs. 3, 10, 11).

        With `a_BM` alone, absolute transfer: z + Q a. With `start_BM`, the motion of the driving video's first frame,
        and `source_BM`, the source's own, relative transfer: z + Q(a − start) + Q source. To edit, change `source_BM`
        (or `a_BM`, where that is the source's). A batch of 1 goes with any other batch.
        """
        with full_precision(z_BD):
            if start_BM is not None:
                a_BM = a_BM - start_BM
            if source_BM is not None:
                a_BM = a_BM + source_BM
            return z_BD + a_BM @ self.dictionary().T

    def decode(self, z_BD: Tensor, features: Sequence[Tensor]) -> Tensor:
        """The picture B×3×H×W of a navigated code, from the source's maps (batch B, or 1 for all); not clamped."""
        return self.decoder(z_BD, features)
