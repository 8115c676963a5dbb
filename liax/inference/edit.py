"""A portrait moved along directions of the model, as a picture."""

from pathlib import Path

from liax.inference.absolute import reach_all, wanted_values
from liax.inference.controls import Controls, Settings
from liax.inference.framing import check_choice, optional_finder
from liax.inference.portraits import open_portraits
from liax.inference.renderer import Renderer
from liax.inference.transfer import shifted
from liax.pictures import Picture, check_picture_name, save_picture


def edit(
    renderer: Renderer,
    controls: Controls,
    settings: Settings,
    source: str | Path,
    out: str | Path | None,
    *,
    absolute: bool,
    unsafe: bool,
    crop: bool,
    face: str | None,
    paste_back: bool,
) -> Picture:
    """See `liax.inference.animator.Animator.edit`. What is wrong with the options is said before a picture is read."""
    check_choice(face, crop, paste_back)
    if out is not None:
        check_picture_name(out)
    if absolute:
        wanted = wanted_values(controls, settings)
    else:
        delta_M = controls.delta(settings, unsafe)
    with optional_finder(crop) as finder:
        portraits = open_portraits(source, renderer.size_px, finder, face, paste_back=paste_back)
    if absolute:
        results = reach_all(renderer, controls, portraits.pictures, wanted, unsafe)
    else:
        results = [next(shifted(renderer, portrait_SSC, [delta_M])) for portrait_SSC in portraits.pictures]
    whole_HWC = portraits.compose(results)
    if out is not None:
        save_picture(whole_HWC, out)
    return whole_HWC
