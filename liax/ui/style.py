"""How the page looks: fonts that every machine has, one accent, and a narrow layout on phones."""

from typing import Any

FONT = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def theme() -> Any:
    """The page's Gradio theme. Its fonts are named and not fetched: the page asks no other host for anything."""
    import gradio as gr

    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=FONT,
        font_mono=MONO,
    ).set(
        body_background_fill="#f6f7f9",
        block_background_fill="#ffffff",
        block_border_width="1px",
        block_border_color="#e3e6eb",
        block_shadow="none",
        body_text_color_subdued="#5b6675",
        block_info_text_color="#5b6675",
        block_title_text_color="#1f2937",
        block_label_text_color="#475569",
        block_label_background_fill="#ffffff",
        block_title_text_weight="600",
        button_primary_background_fill="#0f766e",
        button_primary_background_fill_hover="#115e59",
        button_primary_text_color="#ffffff",
        slider_color="#0f766e",
    )


CSS = """
.gradio-container { max-width: 1240px !important; width: 100% !important; margin: 0 auto !important;
        padding: 0 !important; overflow: clip visible !important; }
.fillable { width: 100% !important; max-width: 100% !important; padding: 1rem clamp(.7rem, 3vw, 2rem) !important; }
button[aria-label^="Trim video"], button[aria-label^="Reset video"] { display: none; }
.head h1 { font-size: 1.5rem; margin: .2rem 0 .1rem; }
.head p, .legend, .lead { color: var(--body-text-color-subdued); margin: 0 0 .4rem; }
.note { border-left: 4px solid #94a3b8; background: var(--background-fill-secondary); border-radius: 6px;
        padding: .55rem .8rem; margin: .3rem 0; overflow-wrap: anywhere; }
.note.error { border-color: #dc2626; background: #fef2f2; color: #7f1d1d; }
.note.warning { border-color: #d97706; background: #fffbeb; color: #713f12; }
.note.done { border-color: #0f766e; background: #f0fdfa; color: #134e4a; }
.dark .note.error { background: #450a0a; color: #fecaca; }
.dark .note.warning { background: #422006; color: #fde68a; }
.dark .note.done { background: #042f2e; color: #99f6e4; }
.status { min-height: 4.2rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem; margin: 0; }
.pair figure, .strip figure { margin: 0; }
.pair img { width: 100%; display: block; border-radius: 8px; background: #e5e7eb; }
.pair figcaption, .strip figcaption { font-size: .8rem; color: var(--body-text-color-subdued); text-align: center;
        padding-top: .2rem; }
.empty { border: 1px dashed var(--border-color-primary); border-radius: 8px; padding: 2.2rem 1rem; text-align: center;
        color: var(--body-text-color-subdued); }
.sliders > .form { display: grid !important; flex: 1 1 100% !important; gap: .6rem; border: 0 !important;
        grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); background: none !important; }
.sliders > .form > .block { border: 1px solid var(--border-color-primary) !important; min-width: 0 !important;
        border-radius: 8px !important; padding: .6rem .75rem .4rem !important; }
.sliders [data-testid="block-info"] { margin-bottom: 0 !important; }
.sliders .head { flex-wrap: nowrap !important; gap: .4rem; }
.sliders .head > label { flex: 1 1 auto; min-width: 0; }
.sliders .head > :not(label) { flex: 0 0 auto; }
.sliders .head input[type="number"] { width: 3.7rem !important; min-width: 0 !important; padding: .2rem .3rem; }
.badge { display: inline-block; font-style: normal; font-size: .72rem; font-weight: 600; border-radius: 99px;
        padding: .05rem .5rem; background: #e2e8f0; color: #334155; }
.badge.certified { background: #ccfbf1; color: #115e59; }
.badge.approximate { background: #fef3c7; color: #92400e; }
.certified .head > label > span[data-testid="block-info"]::after,
.approximate .head > label > span[data-testid="block-info"]::after { font-size: .72rem; font-weight: 600;
        border-radius: 99px; padding: .05rem .5rem; margin-left: .45rem; vertical-align: 1px; }
.certified .head > label > span[data-testid="block-info"]::after { content: "certified"; background: #ccfbf1;
        color: #115e59; }
.approximate .head > label > span[data-testid="block-info"]::after { content: "approximate"; background: #fef3c7;
        color: #92400e; }
.cannot { margin: .4rem 0; } .cannot summary { cursor: pointer; color: var(--body-text-color-subdued); }
.cannot ul { margin: .4rem 0 0 1.1rem; } .cannot li { margin: .15rem 0; }
.strip { margin: 0 0 1rem; } .strip h4 { margin: 0 0 .3rem; font-size: .95rem; }
.strip .row { display: grid; grid-template-columns: repeat(7, 1fr); gap: .3rem; }
.strip img { width: 100%; display: block; border-radius: 6px; background: #e5e7eb; }
.rail > .block, .rail > div { min-width: 0 !important; }
.stays { position: sticky !important; top: 0; z-index: 60; background: var(--body-background-fill); }
@media (max-width: 700px) {
  .strip .row { display: flex; overflow-x: auto; } .strip figure { flex: 0 0 31%; }
  .editor { flex-direction: column !important; flex-wrap: nowrap !important; }
  .editor > .column:first-child { display: contents !important; }
  .stays { padding: .3rem 0; }
  .stays .pair { max-width: 22rem; margin: 0 auto; }
}
"""
"""`.head >` and `.form >` are Gradio's own, of a slider and of the block round several. On a phone the preview stays in
sight while the sliders go by under it, for which its column must not end above them."""
