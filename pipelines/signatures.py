"""What a clip is recognised by in other sources: a face embedding and perceptual hashes of its key frames.

Shapes: D values of an embedding.
"""

from liax.config import Config


class ClipSignature(Config):
    """Small enough (about a kilobyte of JSON) that a million of them fit into a driver's memory."""

    embedder: str | None
    """Name of the network that made the embedding."""
    embedding: str | None
    """Float16 values, little-endian, in base64; None where no face was good enough or no embedder was used."""
    hashes: list[str]
    """64-bit perceptual hashes of key frames in the order of time, in hexadecimal."""
