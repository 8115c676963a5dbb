"""People: clips of all sources are gathered into identities by their face embeddings.

Shapes: C clips, D values of an embedding.
"""

from typing import Literal

from pydantic import Field

from liax.config import Config


class PeopleConfig(Config):
    """How people are told apart."""

    embedder: Literal["dlib", "arcface", "none"] = "dlib"
    """The network that makes a face comparable: dlib's, an ArcFace-like one of your own (see `arcface`), or none, and
    then every source counts as one person."""
    arcface: str | None = None
    """Path of the ArcFace network, an ONNX file that takes 112 x 112 pictures; needed for embedder=arcface."""
    weights: str | None = None
    """Path or URL of dlib's weights; null looks in the cache and then where they are published."""
    same_person_distance: float | None = Field(default=None, gt=0, le=2)
    """Two clips show one person when their embeddings, of length 1, are no further apart than this; null takes the
    embedder's own."""
    remove_near_duplicates: bool = True
    """Whether a clip that shows the same recording as a clip of another source is set aside."""
