"""People: clips of all sources are gathered into identities by their face embeddings.

Everything is computed in whole numbers (see `GRID`), so the result does not depend on the machine, the number of its
threads or the order of the clips.

Shapes: C clips, G groups, D values of an embedding, P pairs.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from liax.config import Config
from liax.errors import UserError
from liax.identity import ArcFaceEmbedder, DlibEmbedder, Embedder
from liax.sample import SampleInfo
from pipelines.signatures import ClipSignature

GRID = 4000
"""Values of an embedding are rounded to multiples of 1/4000. Every partial sum of a product of two such vectors is then
a whole number below 4096² = 2²⁴, which float32 holds exactly in whatever order a matrix product adds up."""

NEIGHBOURS = 16
"""Nearest neighbours looked at in a round. Rounds follow until nothing merges, so more would only be faster."""

ROWS, COLUMNS = 512, 16384
"""Size of the blocks in which distances are computed: 32 MB, whatever the number of clips."""


class PeopleConfig(Config):
    """How people are told apart."""

    embedder: Literal["dlib", "arcface", "none"] = "dlib"
    """The network that makes faces comparable: dlib's, one of your own in ArcFace's form (see `arcface`), or none: then
    every source counts as one person, and near duplicates are not looked for. dlib's tells a few thousand people apart;
    for more, ArcFace's is needed."""
    arcface: str | None = None
    """Path of the ArcFace network, an ONNX file that takes 112 x 112 pictures; for embedder=arcface."""
    weights: str | None = None
    """Path or URL of dlib's weights; null looks in the cache and then where they are published."""
    same_person_distance: float | None = Field(default=None, gt=0, le=2)
    """Two groups of clips show one person when their mean embeddings, of length 1, are no further apart than this; null
    takes the embedder's own."""
    remove_near_duplicates: bool = True
    """Whether a clip that shows the same recording as a clip of another source is set aside."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.embedder == "arcface") != (self.arcface is not None):
            raise ValueError("embedder=arcface and arcface=FILE.onnx belong together: give both or neither")
        return self

    @property
    def threshold(self) -> float:
        """The distance up to which two embeddings are of one person."""
        own = ArcFaceEmbedder.same_person if self.embedder == "arcface" else DlibEmbedder.same_person
        return self.same_person_distance or own


def make_embedder(config: PeopleConfig) -> Embedder | None:
    """The configured embedder; None where people are not told apart.

    Raises:
        UserError: its weights are not to be had.
    """
    if config.embedder == "none":
        return None
    if config.embedder == "arcface":
        return ArcFaceEmbedder(str(config.arcface))
    try:
        return DlibEmbedder(config.weights)
    except UserError as error:
        raise UserError(f"{error}; or set people.embedder=none, and every source counts as one person") from None


def identify(
    clips: Sequence[SampleInfo], signatures: Mapping[str, ClipSignature], config: PeopleConfig
) -> dict[str, str]:
    """The identity of every clip, by key.

    An identity is named by its first clip (source, segment, track, start) and not by the run's settings: people stay on
    their side of the split when a setting changes that leaves faces and clips where they are.

    Raises:
        UserError: the clips were embedded by different networks.
    """
    if config.embedder == "none" or not clips:
        return {clip.key: clip.source_sha256[:12] for clip in clips}
    used = sorted({signatures[clip.key].embedder or "none" for clip in clips})
    if len(used) > 1:
        raise UserError(f"clips were embedded by different networks ({', '.join(used)}): begin again in a new output")
    vectors = [signatures[clip.key].embedding_D for clip in clips]
    values = next((len(vector_D) for vector_D in vectors if vector_D is not None), 1)
    missing_D = np.full(values, np.nan, dtype=np.float32)
    embeddings_CD = np.stack([missing_D if vector_D is None else vector_D for vector_D in vectors])
    names = [
        f"{clip.source_sha256[:12]}-{clip.segment:03d}-{clip.track:02d}-{round(clip.start_s * 1000):08d}"
        for clip in clips
    ]
    found = cluster(names, embeddings_CD, [clip.source_sha256 for clip in clips], config)
    return {clip.key: identity for clip, identity in zip(clips, found, strict=True)}


def cluster(
    keys: Sequence[str], embeddings_CD: NDArray[np.floating], sources: Sequence[str], config: PeopleConfig
) -> list[str]:
    """The identity of every clip: the smallest key among the clips that show the same person.

    Groups, at first one a clip, are merged in the order of their distance, while the mean embeddings of the two are
    within the threshold. Comparing means, and not the nearest members, keeps a chain of look-alikes from joining people
    who are far apart.

    Args:
        keys: of the clips, all different.
        embeddings_CD: a row of NaN where there is none; such a clip goes with its source's first clip that has one.
        sources: what each clip was cut from.
        config: the threshold.
    """
    order = sorted(range(len(keys)), key=lambda index: keys[index])
    embedded = [index for index in order if np.isfinite(embeddings_CD[index]).all()]
    sums_CD = np.rint(np.asarray(embeddings_CD, dtype=np.float64)[embedded] * GRID)
    labels_C = np.arange(len(embedded))
    # Groups are numbered in the order of their smallest keys, and a merged one keeps the smaller number.
    while len(sums_CD) > 1:
        merged_G = _merge(sums_CD, config.threshold)
        kept, place_G = np.unique(merged_G, return_inverse=True)
        if len(kept) == len(sums_CD):
            break
        groups_GD = np.zeros((len(kept), sums_CD.shape[1]))
        np.add.at(groups_GD, place_G, sums_CD)
        labels_C, sums_CD = place_G[labels_C], groups_GD

    identities: dict[int, str] = {}
    first: dict[int, str] = {}
    of_source: dict[str, str] = {}
    for label, index in zip(labels_C.tolist(), embedded, strict=True):
        identities[index] = first.setdefault(label, keys[index])
        of_source.setdefault(sources[index], identities[index])
    for index in order:
        if index not in identities:
            identities[index] = of_source.setdefault(sources[index], keys[index])
    return [identities[index] for index in range(len(keys))]


def _merge(sums_GD: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """One round: which group each group belongs to afterwards, by the smallest number of those merged."""
    parents = list(range(len(sums_GD)))
    sums_GD = sums_GD.copy()

    def root(group: int) -> int:
        while parents[group] != group:
            parents[group] = parents[parents[group]]
            group = parents[group]
        return group

    means_GD = on_grid(sums_GD)
    firsts, seconds = nearest_pairs(means_GD, threshold)
    for first, second in zip(firsts.tolist(), seconds.tolist(), strict=True):
        one, other = sorted((root(first), root(second)))
        if one == other or _squared(means_GD[one], means_GD[other]) > (threshold * GRID) ** 2:
            continue
        parents[other] = one
        sums_GD[one] += sums_GD[other]
        means_GD[one] = on_grid(sums_GD[one])
    return np.array([root(group) for group in range(len(parents))], dtype=np.int64)


def nearest_pairs(means_GD: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each group with its nearest neighbours within the threshold, the nearest pairs first; exact, block by block.

    Args:
        means_GD: whole numbers, from `on_grid`.
        threshold: the largest distance, for vectors of length 1.
    """
    most = (threshold * GRID) ** 2
    squares_G = np.einsum("gd,gd->g", means_GD, means_GD, dtype=np.float64)
    found = []
    for top in range(0, len(means_GD), ROWS):
        rows = np.zeros(0, dtype=np.int64)
        columns, distances = rows, np.zeros(0)
        for left in range(0, len(means_GD), COLUMNS):
            products = means_GD[top : top + ROWS] @ means_GD[left : left + COLUMNS].T
            above, beside = squares_G[top : top + ROWS], squares_G[left : left + COLUMNS]
            # One cheap comparison leaves the few pairs that the exact one can be asked of.
            near_rows, near_columns = np.nonzero(products >= np.float32((above.min() + beside.min() - most) / 2 - 1))
            squared = above[near_rows] + beside[near_columns] - 2.0 * products[near_rows, near_columns]
            near = (squared <= most) & (near_rows + top != near_columns + left)
            near_rows, near_columns = near_rows[near], near_columns[near]
            distances = np.concatenate([distances, squared[near]])
            rows, columns = np.concatenate([rows, near_rows + top]), np.concatenate([columns, near_columns + left])
            order = np.lexsort((columns, distances, rows))
            rows, columns, distances = rows[order], columns[order], distances[order]
            rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
            nearest = rank < NEIGHBOURS
            rows, columns, distances = rows[nearest], columns[nearest], distances[nearest]
        found.append((np.minimum(rows, columns), np.maximum(rows, columns), distances))
    firsts, seconds, distances = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((seconds, firsts, distances))
    return firsts[order], seconds[order]


def on_grid(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    """Vectors scaled to length 1 and rounded to whole numbers of 1/GRID; float32 holds them exactly."""
    lengths = np.sqrt(np.einsum("...d,...d->...", sums, sums))
    return np.rint(sums * (GRID / np.maximum(lengths, 1.0))[..., None]).astype(np.float32)


def _squared(one_D: NDArray[np.float32], other_D: NDArray[np.float32]) -> float:
    """The squared distance; of whole numbers, so exact."""
    difference_D = one_D.astype(np.float64) - other_D
    return float(difference_D @ difference_D)
