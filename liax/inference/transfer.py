"""Motions in, pictures out."""
from typing import Literal
Mode = Literal["relative", "absolute"]
