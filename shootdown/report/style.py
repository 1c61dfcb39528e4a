"""The page's style sheet: two palettes, chosen by the reader's system; tables that scroll on their own when narrow."""

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light dark;
  --paper: #fbfbfa; --card: #ffffff; --ink: #1b1f23; --muted: #5b6470; --line: #d9dde2;
  --series: #2f6db5; --mark: #b4552d; --good: #1f7a43; --bad: #b3261e; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171a; --card: #1b1f24; --ink: #e6e9ec; --muted: #a0a9b3; --line: #363d45;
  --series: #6ea8e8; --mark: #e5935f; --good: #5cc38a; --bad: #ff8a80; --warn: #e8b54d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: .95rem; margin: 0 0 .5rem; }
p { margin: .35rem 0; }
code, td.n, pre { font-family: ui-monospace, monospace; font-size: .9em; }
.muted { color: var(--muted); }
.verdict { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; border-left: .4rem solid var(--tone);
  background: var(--card); padding: 1rem 1.25rem; border-radius: .25rem; }
.verdict strong { color: var(--tone); font-size: 1.25rem; }
.clean { --tone: var(--good); } .bad { --tone: var(--bad); } .partial { --tone: var(--warn); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: .75rem; margin: 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: .25rem; padding: .6rem .8rem; }
.tiles dt { color: var(--muted); font-size: .85rem; }
.tiles dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.tiles small { color: var(--muted); font-size: .8rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem; align-items: start; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .25rem; padding: 1rem; overflow-x: auto; }
.card svg { width: 100%; height: auto; display: block; }
.wide svg { max-width: 52rem; margin: 0 auto; }
table { border-collapse: collapse; width: 100%; margin-top: .75rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--muted); font-weight: 600; font-size: .85rem; }
td.n, th.n { text-align: right; white-space: nowrap; }
tr.zero td { color: var(--muted); }
table.chain { min-width: 46rem; }
table.chain td { overflow-wrap: anywhere; width: 30%; font-family: ui-monospace, monospace; font-size: .85em; }
table.chain td.n { width: 10%; }
table.chain tr:last-child td { color: var(--bad); font-weight: 600; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
details summary { cursor: pointer; }
"""
