"""The observers of an atlas: which are there, and why the others are not.

Weights that the user names must be usable.
"""

from dataclasses import dataclass

from liax.atlas.config import AtlasNetworksConfig
from liax.atlas.observers import Observers
from liax.atlas.second import SecondObserver
from liax.errors import UserError
from liax.evaluation.lpips import Lpips
from liax.evaluation.networks import open_networks
from liax.face import FaceFinder


@dataclass(frozen=True, slots=True)
class Opened:
    """Ready to be used, on one device.

    Args:
        observers: to be closed.
        lpips: measures perceptual distances; None without its weights.
        names: which network stands behind what is observed.
        unavailable: what is not observed, and why.
    """

    observers: Observers
    lpips: Lpips | None
    names: dict[str, str]
    unavailable: dict[str, str]


def open_observers(config: AtlasNetworksConfig, device: str) -> Opened:
    """Load what is there. Raises UserError for a given file that cannot be used."""
    networks = open_networks(config.of_evaluation(), device)
    reasons = {"lpips": "perceptual path length", "csim": "identity"}
    unavailable = {reasons[name]: why for name, why in networks.unavailable.items() if name in reasons}
    second: SecondObserver | None = None
    try:
        second = SecondObserver(config.landmarks68)
    except UserError as error:
        if config.landmarks68 is not None:
            raise
        unavailable["second observer"] = str(error)
    observers = Observers(FaceFinder(max_faces=1, weights=config.face_landmarker), networks.embedder, second)
    names = dict(observers.names)
    if networks.lpips is not None:
        names["steps"] = networks.names["lpips"]
    return Opened(observers, networks.lpips, names, unavailable)
