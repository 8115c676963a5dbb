"""The tensor: what is stacked, taken apart, and kept in a file."""

import numpy as np
import pytest

from liax.atlas.response import Path, Response, Traced, stack
from liax.errors import UserError

PATHS = tuple(
    Path(str(index), np.eye(3, dtype=np.float32)[index], np.array([-1, 0, 2], dtype=np.float32)) for index in range(2)
)


def traced(value: float) -> Traced:
    return Traced(
        values_LA=np.array([[value - 1, 0], [value, 1], [np.nan, np.nan]], dtype=np.float32),
        second_LB=np.full((3, 1), value, dtype=np.float32),
        similarity_L=np.array([0.9, 1, np.nan], dtype=np.float32),
        off_face_L=np.zeros(3, dtype=np.float32),
        steps_K=np.array([value, 2], dtype=np.float32),
        render_s=0.1,
        observe_s=0.2,
    )


def made() -> Response:
    people = [[traced(10 * person + path) for path in range(2)] for person in range(3)]
    return stack(("anna", "ben", "cleo"), PATHS, ("yaw", "jawOpen"), ("yaw",), people)


def test_the_tensor_is_what_each_path_did_to_each_person() -> None:
    response = made()
    assert response.values_NPLA.shape == (3, 2, 3, 2)
    assert response.values_NPLA[2, 1, 1, 0] == 21
    assert response.steps_NPK.shape == (3, 2, 2)
    assert response.zero_P.tolist() == [1, 1]
    assert response.detected_NPL[0, 0].tolist() == [True, True, False]
    np.testing.assert_array_equal(response.changes_NPLA[1, 0], [[-1, -1], [0, 0], [np.nan, np.nan]])


@pytest.mark.parametrize("chosen", [np.array([True, False, True]), np.array([0, 2])])
def test_some_people_keep_all_paths(chosen: np.ndarray) -> None:
    some = made().of_people(chosen)
    assert some.people == ("anna", "cleo")
    np.testing.assert_array_equal(some.values_NPLA, made().values_NPLA[[0, 2]])
    assert some.paths == ("0", "1")
    assert some.levels_PL.shape == (2, 3)


def test_the_file_holds_all_and_has_always_the_same_bytes() -> None:
    response = made()
    data = response.to_npz()
    assert data == made().to_npz()
    found = Response.from_npz(data, "response.npz")
    assert (found.people, found.paths, found.attributes) == (response.people, response.paths, response.attributes)
    np.testing.assert_array_equal(found.second_NPLB, response.second_NPLB)
    assert found.to_npz() == data


@pytest.mark.parametrize("data", [b"", b"no npz", b"PK\x03\x04"])
def test_another_file_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(UserError, match=r"x\.npz is no response\.npz of `liax atlas`") as caught:
        Response.from_npz(data, "x.npz")
    assert "\n" not in str(caught.value)
