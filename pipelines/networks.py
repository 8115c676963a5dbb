"""The networks that the workers will load: fetched once by the driver, so that a missing one is known at once."""

from liax.errors import UserError
from liax.weights import DLIB_FACE_RECOGNITION, FACE_LANDMARKER, path_of
from pipelines.identities import PeopleConfig, make_embedder
from pipelines.tracking import FacesConfig


def check_weights(faces: FacesConfig, people: PeopleConfig) -> None:
    """Have every weight file in the cache, or wherever the settings say.

    Raises:
        UserError: one is not to be had.
    """
    path_of(FACE_LANDMARKER, faces.weights)
    if people.embedder == "dlib":
        try:
            path_of(DLIB_FACE_RECOGNITION, people.weights)
        except UserError as error:
            raise UserError(f"{error}; or set people.embedder=none: then every video is its own person") from None
    elif people.embedder == "arcface":
        make_embedder(people)
