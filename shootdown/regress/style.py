"""What the page of the regression adds to the reports' style sheet: the grid, meters, links and the list of sections."""

from __future__ import annotations

from shootdown.report.style import STYLE as REPORT

__all__ = ["STYLE"]

STYLE = (
    REPORT
    + """
:root { --pass: #1f7a43; --fail: #b3261e; --empty: #7a4fb5; --timeout: #8a5a00; --crash: #8c1d5a; --lost: #5b6470; --on: #ffffff;
  --goal: #1b1f23; --tint: #eef1f4; --second: #8a5a00; --third: #1f7a43; --fourth: #7a4fb5; }
@media (prefers-color-scheme: dark) { :root {
  --pass: #2f9e5f; --fail: #e5645a; --empty: #a98be0; --timeout: #d19a2e; --crash: #dd6aa8; --lost: #8a949f; --on: #101214;
  --goal: #e6e9ec; --tint: #242a31; --second: #e8b54d; --third: #5cc38a; --fourth: #b79df0; } }
html { scroll-padding-top: 1rem; }
a { color: var(--series); text-underline-offset: .15em; }
h2 .muted { font-weight: 400; font-size: .9rem; }
dd, p, li { overflow-wrap: anywhere; } td, th { overflow-wrap: break-word; } td:not([class]) { min-width: 7rem; }
code { overflow-wrap: anywhere; }
header p { max-width: 60rem; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: 1rem 0 1.25rem; font-size: .9rem; }
section > h2:first-child { margin-top: 2.25rem; }
.tiles { grid-template-columns: repeat(auto-fit, minmax(min(14rem, 45%), 1fr)); }
.tiles .missed dd { color: var(--bad); } .tiles .met dd { color: var(--good); }
.scroll { overflow-x: auto; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .25rem 0 .75rem; padding: 0; list-style: none;
  font-size: .85rem; }
.box { display: inline-block; width: 1.45rem; height: 1.45rem; line-height: 1.45rem; border-radius: .2rem; text-align: center;
  font: 600 .78rem/1.45rem ui-monospace, monospace; color: var(--on); background: var(--tone); text-decoration: none; }
a.box { outline: 2px solid var(--ink); outline-offset: -2px; }
.pass { --tone: var(--pass); } .fail { --tone: var(--fail); } .empty { --tone: var(--empty); } .timeout { --tone: var(--timeout); }
.crash { --tone: var(--crash); } .lost { --tone: var(--lost); }
table.grid { width: auto; min-width: 100%; margin-top: 0; }
table.grid caption { white-space: normal; max-width: calc(100vw - 6rem); }
table.grid td.s, table.grid th.s { padding: .12rem; text-align: center; border-bottom: 0; width: 1.7rem; }
table.grid td, table.grid th { padding: .12rem .5rem; border-bottom: 0; white-space: nowrap; }
table.grid td.wrap { white-space: normal; min-width: 38rem; } .wrap .box { margin: .05rem; }
table.grid tbody tr:hover { background: var(--tint); }
table.grid th.block { padding-top: .8rem; color: var(--ink); border-bottom: 1px solid var(--line); font-size: .9rem; }
table.grid th.block span { font-weight: 400; }
table.grid th[scope=row] { color: var(--ink); font-weight: 400; }
table.grid td.fill { white-space: normal; min-width: 16rem; font-size: .85rem; padding-left: 1.2rem; line-height: 1.25; }
table.grid th.fill { padding-left: 1.2rem; width: 60%; }
.bucket { margin-bottom: 1rem; border-left: .3rem solid var(--tone); }
.bucket h3 { font-family: ui-monospace, monospace; font-size: .9rem; overflow-wrap: anywhere; }
.bucket dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem 1rem; margin: .5rem 0 0; }
.bucket dt { color: var(--muted); font-size: .85rem; } .bucket dd { margin: 0; }
.bucket .count { color: var(--tone); font-weight: 700; margin-right: .5rem; }
code.run { display: inline-block; background: var(--tint); padding: .1rem .45rem; border-radius: .2rem; user-select: all; }
.meter { display: inline-block; vertical-align: middle; width: 6rem; height: .55rem; background: var(--tint); border-radius: .3rem;
  overflow: hidden; margin-right: .6rem; }
.meter i { display: block; height: 100%; background: var(--tone); }
.dense { font-size: .85rem; } .dense .meter { width: 2.5rem; margin-right: .4rem; } .dense td, .dense th { padding: .25rem .4rem; }
.meter.met { --tone: var(--good); } .meter.missed { --tone: var(--warn); }
td.met, td.missed, td.bad { white-space: nowrap; }
td.met { color: var(--good); } td.missed { color: var(--warn); font-weight: 600; } td.bad { color: var(--bad); font-weight: 600; }
tr.above td { border-bottom: 0; padding-bottom: 0; }
td.m, td.k { white-space: nowrap; } td.t { min-width: 14rem; } td.w { min-width: 15rem; }
caption { text-align: left; font-size: .85rem; padding-bottom: .4rem; }
details { margin: .15rem 0; } details ul { margin: .3rem 0 .5rem; padding-left: 1.2rem; columns: 20rem auto; font-size: .9em; }
.trend { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
.trend figure { margin: 0; } .trend figcaption { font-size: .85rem; color: var(--muted); margin-bottom: .25rem; }
.trend svg { width: 100%; height: auto; display: block; } .trend text { fill: var(--muted); font-size: 11px; }
.trend .axis { stroke: var(--line); } .trend .goal { stroke: var(--goal); stroke-dasharray: 3 4; opacity: .5; }
.trend polyline { fill: none; stroke-width: 2; stroke: currentColor; } .trend circle { fill: currentColor; }
.c1 { color: var(--series); } .c2 { color: var(--second); } .c3 { color: var(--third); } .c4 { color: var(--fourth); }
.key { display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .8rem; } .key b { font-weight: 600; }
@media (max-width: 50rem) { td.t, table.grid td.fill { min-width: 26rem; } }  /* beyond the edge: few lines are better */
@media print { body { font-size: 11px; } details > * { display: block; } }
"""
)
