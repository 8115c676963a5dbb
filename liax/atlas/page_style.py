"""How the atlas's page looks, and the little that it does: sort, filter, open what a link names.

Without the script everything is there too, in the order of the directions.
"""

STYLE = """
:root { --ink: #1d2629; --soft: #5b676c; --line: #dde3e5; --tint: #f4f6f6; --link: #00598c;
  --good: #00694d; --fair: #8f4a00; --none: #5f6669 }
body { color: var(--ink); background: #fcfcfb; max-width: 1180px } a { color: var(--link) }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; overflow-wrap: anywhere } h2 { font-size: 1.25rem }
h3 { font-size: .95rem; margin: .9rem 0 .2rem } h3:first-child { margin-top: .4rem }
.tiles { margin: .8rem 0 } .tiles div { background: var(--tint) }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .6rem 0 1rem } .muted { color: var(--soft) }
.list { border-top: 1px solid var(--line); margin: .5rem 0 1rem }
.directions > details { scroll-margin-top: 3.6rem }
.list > details { border-bottom: 1px solid var(--line) }
.row { display: grid; gap: .1rem .9rem; align-items: baseline; padding: .4rem .3rem }
.controls .row { grid-template-columns: 8rem 8rem minmax(11rem, 1fr) 9rem 5.5rem 3.4rem 4.4rem }
.directions .row { grid-template-columns: 3rem minmax(9rem, 1fr) 4rem 5.6rem 3.6rem 5.2rem 4.6rem 5rem 5.4rem 4.4rem }
.row > span { overflow-wrap: anywhere } .row .n, .heads .n { text-align: right; font-variant-numeric: tabular-nums }
.heads { color: var(--soft); font-size: 12px }
.meaning small { display: block; color: var(--soft); font-size: 12.5px }
summary { cursor: pointer; list-style: none } summary::-webkit-details-marker { display: none }
summary:hover, details[open] > summary { background: var(--tint) }
summary .name::before { content: "▸ "; color: var(--soft) }
details[open] > summary .name::before { content: "▾ " } .name { font-weight: 600 }
.certified { color: var(--good) } .approximate { color: var(--fair) } .unavailable, .dead { color: var(--none) }
.body { padding: .2rem .3rem 1rem 1.1rem }
.side { display: flex; flex-wrap: wrap; gap: .9rem 2rem; margin-bottom: .6rem; align-items: flex-start }
.side > * { max-width: 100% } img { max-width: 100%; height: auto; display: block }
.wide { overflow-x: auto } .wide img { max-width: none } figcaption { color: var(--soft); margin-top: .1rem }
table.slim td { padding: .05rem .7rem .05rem 0; font-size: 13px }
table.slim th { font-size: 12px; color: var(--soft) }
.tools { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin: .5rem 0; position: sticky;
  top: 0; background: #fcfcfb; padding: .4rem 0; z-index: 1 }
.tools input[type=search], .tools select { font: inherit; padding: .25rem .4rem; border: 1px solid #aab4b8;
  border-radius: 4px; background: #fff; max-width: 100% }
.bar { display: inline-block; height: .6rem; background: #0072b2 } .bar.below { background: #d55e00 }
code, pre { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap }
pre { background: var(--tint); padding: .6rem .8rem; border-radius: 6px; margin: .3rem 0 }
.again td { overflow-wrap: anywhere; vertical-align: top } .again td:first-child { white-space: nowrap }
.numbers td:not(:first-child, :last-child), .numbers th:not(:first-child, :last-child) { text-align: right }
.numbers td:first-child { white-space: nowrap }
.numbers td:last-child { min-width: 16rem; max-width: 34rem; color: var(--soft); font-size: 13px }
[hidden] { display: none !important }
@media (max-width: 760px) {
  body { margin: 1rem auto; padding: 0 .7rem } .row.heads { display: none !important }
  .tiles div { padding: .35rem .7rem }
  .tiles b { font-size: 1.2rem } .controls .row { grid-template-columns: 1fr auto } .body { padding-left: .3rem }
  .controls .row .meaning { grid-column: 1 / -1; color: var(--soft); grid-row: 2 }
  .directions .row { display: flex; flex-wrap: wrap; gap: 0 .8rem } .row .n { text-align: left }
  .directions .row span:nth-child(2) { flex: 1 1 60% }
  .row .n::before { content: attr(data-label) " "; color: var(--soft); font-size: 12px } .row .n:empty { display: none }
  .tools { position: static } .numbers td:last-child { min-width: 9.5rem }
}
"""
"""Added to `liax.html_page`'s. Text on its ground has a contrast of 4.5 or more."""

SCRIPT = """
'use strict';
const list = document.querySelector('.list.directions');
const items = list ? [...list.querySelectorAll('details')] : [];
const find = id => document.getElementById(id);
function arrange() {
  const text = find('search').value.trim().toLowerCase(), by = find('sort').value, dead = find('dead').checked;
  const sign = find('sort').selectedOptions[0].dataset.up ? 1 : -1;
  const value = item => item.dataset[by] === '' ? null : Number(item.dataset[by]);
  const order = (a, b) => {  // what has no value comes last, whichever way
    const one = value(a), other = value(b);
    if (one === null || other === null) return (one === null) - (other === null);
    return sign * (one - other) || a.dataset.index - b.dataset.index;
  };
  let shown = 0;
  for (const item of [...items].sort(order)) {
    const words = item.dataset.words.split(' ');
    const fits = text.split(/\\s+/).every(part => !part || words.some(word => word.startsWith(part)));
    item.hidden = !fits || (!dead && item.dataset.dead === '1');
    shown += !item.hidden;
    list.append(item);
  }
  find('shown').textContent = `${shown} of ${items.length}`;
}
function reveal() {
  const target = location.hash && find(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  target.hidden = false;
  if (target.tagName === 'DETAILS') target.open = true;
  target.scrollIntoView();
}
if (list) {
  for (const id of ['search', 'sort', 'dead']) find(id).addEventListener('input', arrange);
  find('tools').hidden = false;
  arrange();
}
addEventListener('hashchange', reveal);
reveal();
"""
