"""Hundreds of damaged videos in every format, through the whole job: it ends well, and every file is accounted for."""

from pathlib import Path

import pytest

from liax import ray_session
from liax.synthetic.videos import write_video
from tests.broken_videos import FORMATS, write_formats, write_mutants
from tests.job_runs import SOAK, accounted, run_here, write_talks

MUTANTS = 220 * SOAK
SEED = 4


@pytest.mark.slow
def test_damaged_files_of_every_format(tmp_path: Path) -> None:
    write_talks(tmp_path / "sound", 2, seconds=0.5)
    write_video(tmp_path / "empty.mp4", "no_face", seconds=0.5, size_px=128, audio=True)
    folder = tmp_path / "in"
    people = write_formats(tmp_path / "sound/talk1.mp4", tmp_path / "people")
    # Every other format without a face: damage is met by the decoders, and clips take most of the time.
    nobody = write_formats(tmp_path / "empty.mp4", tmp_path / "nobody")
    write_mutants(people | {ending: nobody[ending] for ending in sorted(FORMATS)[::2]}, folder, MUTANTS, SEED)
    for video in people.values():
        video.rename(folder / video.name)
    with ray_session.session(num_cpus=2):
        summary = run_here(folder, tmp_path / "out")
    reasons = accounted(tmp_path / "out", folder)
    assert summary.sources == len(reasons) == MUTANTS + len(FORMATS)
    refused = [name for name, found in reasons.items() if found & {"unreadable", "no_frames", "no_video_stream"}]
    assert len(refused) >= MUTANTS // 10, "the damage is too little to show anything"
    kept = [ending for ending in FORMATS if reasons[f"whole.{ending}"] & {"kept", "near_duplicate"}]
    assert kept == list(FORMATS)
