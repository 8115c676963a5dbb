from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liax.config import load_config
from liax.errors import UserError
from liax.face import FaceFinder
from liax.identity import DlibEmbedder, unit
from liax.sample import CropInfo, SampleInfo
from liax.video.decode import frames
from pipelines import identities
from pipelines.identities import PeopleConfig, cluster, identify, make_embedder, nearest_pairs, on_grid
from pipelines.signatures import ClipSignature

CONFIG = PeopleConfig(same_person_distance=0.3)


def person(number: int, values: int = 128) -> np.ndarray:
    """A direction far from every other person's."""
    direction = np.random.default_rng(number).normal(size=values)
    return direction / np.linalg.norm(direction)


def recordings(number: int, count: int, spread: float = 0.12) -> np.ndarray:
    """Embeddings of one person, each about `spread` from the person's own direction."""
    noise = np.random.default_rng(1000 + number).normal(size=(count, 128)) * spread / np.sqrt(128)
    around = person(number) + noise
    return around / np.linalg.norm(around, axis=1, keepdims=True)


def clip(source: str, track: int = 0, start_s: float = 0.0) -> SampleInfo:
    return SampleInfo(
        key=f"{source}-abcdef-{track:02d}-{round(start_s * 1000):08d}",
        source_uri=f"{source}.mp4",
        source_sha256=source * 5,
        track=track,
        start_s=start_s,
        end_s=start_s + 2,
        fps=25.0,
        frames=50,
        size_px=64,
        crop=CropInfo(
            left_px=0, top_px=0, side_px=64, source_width_px=64, source_height_px=64, align="clip", padded=False
        ),
        scores={},
        identity=None,
        split="train",
        has_audio=False,
        keyframes=[0],
        pipeline_version="1",
        config_id="abcdef",
    )


def signature(embedding: np.ndarray | None, embedder: str = "network") -> ClipSignature:
    import base64

    text = None if embedding is None else base64.b64encode(embedding.astype("<f2").tobytes()).decode()
    return ClipSignature(embedder=embedder, embedding=text, hashes=[])


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12), seed=st.integers(0, 1000))
def test_people_are_found_whatever_the_order_of_the_clips(sizes: list[int], seed: int) -> None:
    """Also where one person has more clips than neighbours are looked at."""
    embeddings = np.concatenate([recordings(number, size) for number, size in enumerate(sizes)])
    people = np.repeat(np.arange(len(sizes)), sizes)
    keys = [f"k{index:04d}" for index in range(len(people))]
    expected = [keys[int(np.flatnonzero(people == number)[0])] for number in people]
    shuffled = np.random.default_rng(seed).permutation(len(keys))
    found = cluster([keys[i] for i in shuffled], embeddings[shuffled], [keys[i] for i in shuffled], CONFIG)
    assert found == [expected[i] for i in shuffled]


def test_a_chain_of_lookalikes_does_not_join_its_ends() -> None:
    """Each clip is within the threshold of the next, the first and the last are at right angles."""
    angles = np.linspace(0, np.pi / 2, 12)
    assert angles[1] < 0.3
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = cluster([f"k{i:02d}" for i in range(12)], embeddings, ["s"] * 12, CONFIG)
    assert len(set(found)) >= 4
    for name in set(found):
        members = embeddings[[index for index, other in enumerate(found) if other == name]]
        assert np.linalg.norm(members[:, None] - members[None], axis=-1).max() < 0.6


@settings(max_examples=20)
@given(count=st.integers(2, 60), threshold=st.floats(0.2, 1.9), seed=st.integers(0, 99))
def test_nearest_pairs_are_exact_in_whatever_blocks(count: int, threshold: float, seed: int) -> None:
    means = on_grid(np.random.default_rng(seed).normal(size=(count, 8)))
    whole = nearest_pairs(means, threshold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identities, "ROWS", 7)
        patch.setattr(identities, "COLUMNS", 5)
        in_blocks = nearest_pairs(means, threshold)
    assert np.array_equal(whole, in_blocks)

    distances = np.linalg.norm(means[:, None].astype(float) - means[None], axis=-1) / identities.GRID
    expected = set()
    for row in range(count):
        near = [c for c in np.argsort(distances[row], kind="stable") if c != row and distances[row, c] <= threshold]
        expected |= {(min(row, c), max(row, c)) for c in near[: identities.NEIGHBOURS]}
    assert set(zip(whole[0].tolist(), whole[1].tolist(), strict=True)) == expected
    found = [distances[pair] for pair in zip(*whole, strict=True)]
    assert found == sorted(found)


def test_products_on_the_grid_are_whole_numbers() -> None:
    """What makes the result the same on every machine: float32 loses nothing, in whatever order it adds."""
    means = on_grid(np.random.default_rng(0).normal(size=(50, 512)))
    exact = means.astype(np.int64) @ means.astype(np.int64).T
    assert np.array_equal((means @ means.T).astype(np.int64), exact)
    assert exact.max() < 2**24


def test_the_same_distance_is_on_the_same_side_of_the_threshold() -> None:
    pair = np.array([[1.0, 0.0], [np.cos(0.5), np.sin(0.5)]])
    apart = float(np.linalg.norm(pair[0] - pair[1]))
    for distance, people in [(apart + 0.001, 1), (apart - 0.001, 2)]:
        found = cluster(["a", "b"], pair, ["s", "t"], PeopleConfig(same_person_distance=distance))
        assert len(set(found)) == people


def test_a_clip_without_an_embedding_goes_with_its_source() -> None:
    nothing = np.full(128, np.nan)
    embeddings = np.stack([nothing, person(1), person(1), nothing, nothing])
    found = cluster(["a", "b", "c", "d", "e"], embeddings, ["s", "s", "t", "u", "u"], CONFIG)
    assert found == ["b", "b", "b", "d", "d"]


def test_identities_do_not_depend_on_the_runs_settings() -> None:
    clips = [clip("a1" * 6), clip("b2" * 6), clip("c3" * 6, track=1, start_s=1.5)]
    others = [c.model_copy(update={"key": c.key.replace("abcdef", "012345"), "config_id": "012345"}) for c in clips]
    vectors = [person(1), person(1), person(2)]
    first = identify(clips, {c.key: signature(v) for c, v in zip(clips, vectors, strict=True)}, CONFIG)
    second = identify(others, {c.key: signature(v) for c, v in zip(others, vectors, strict=True)}, CONFIG)
    assert list(first.values()) == list(second.values())
    assert first[clips[0].key] == first[clips[1].key] == "a1a1a1a1a1a1-000-00-00000000"
    assert first[clips[2].key] == "c3c3c3c3c3c3-000-01-00001500"


def test_without_an_embedder_a_source_is_a_person() -> None:
    clips = [clip("a1" * 6), clip("a1" * 6, track=1), clip("b2" * 6)]
    found = identify(clips, {c.key: signature(None) for c in clips}, PeopleConfig(embedder="none"))
    assert [found[c.key] for c in clips] == ["a1" * 6, "a1" * 6, "b2" * 6]
    assert make_embedder(PeopleConfig(embedder="none")) is None


def test_embeddings_of_different_networks_are_not_compared() -> None:
    clips = [clip("a1" * 6), clip("b2" * 6)]
    mixed = {clips[0].key: signature(person(1)), clips[1].key: signature(person(1), "another")}
    with pytest.raises(UserError, match=r"different networks \(another, network\)"):
        identify(clips, mixed, CONFIG)


def test_no_clips_and_no_faces_are_no_error() -> None:
    assert identify([], {}, CONFIG) == {}
    lonely = clip("a1" * 6)
    assert identify([lonely], {lonely.key: signature(None)}, CONFIG) == {lonely.key: "a1a1a1a1a1a1-000-00-00000000"}


def test_settings_that_contradict_each_other_are_refused() -> None:
    for override in ("embedder=arcface", "arcface=network.onnx"):
        with pytest.raises(UserError, match="belong together"):
            load_config(PeopleConfig, None, [override])
    assert PeopleConfig().threshold == DlibEmbedder.same_person
    assert PeopleConfig(same_person_distance=0.5).threshold == 0.5


def test_missing_weights_say_what_to_do() -> None:
    with pytest.raises(UserError, match=r"no such file: none\.dat.*people\.embedder=none"):
        make_embedder(PeopleConfig(weights="none.dat"))


def test_people_of_real_videos(corpus: Path) -> None:
    """Two recordings of one person, years apart, and people whom the network takes for similar."""
    embedder, embeddings = make_embedder(PeopleConfig()), []
    assert embedder is not None
    names = ["v011.mp4", "v022.mov", "v025.mp4", "v028.mp4", "v029.mp4", "v048.mp4"]
    with FaceFinder(1) as finder:
        for name in names:
            of_video = []
            for _, picture in frames(corpus / "videos" / name, rate_fps=2, end=2.0):
                of_video.append(embedder.embed(picture, finder.find(picture)[0].landmarks_N3))
            embeddings.append(unit(np.mean(of_video, axis=0)))
    found = cluster(names, np.stack(embeddings), names, PeopleConfig())
    assert found == ["v011.mp4", "v011.mp4", *names[2:]]
