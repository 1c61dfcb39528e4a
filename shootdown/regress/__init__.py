"""The regression: runs every test of tb/plan on an engine, and tells what came out.

Layout of the folder a regression writes (--out, default build/regress); every file is whole or absent:

| file | what |
|---|---|
| `runs/TEST.SEED/run.log` | what the run printed, the seed first and last |
| `runs/TEST.SEED/result.json` | tb.plan.run.RunResult |
| `runs/TEST.SEED/outcome.json` | one `Outcome` (outcome.py); exists when the run has ended: what a resumed regression goes by |
| `runs/TEST.SEED/code/*.dat` | Verilator's coverage counts of the run |
| `functional.json` | cover groups merged over runs: {group: {bin: times}} |
| `code.json` | line, toggle and assertion coverage merged over runs (code_coverage.py) |
| `summary.json` | the figures; see docs/regress.md |
| `results.xml`, `coverage.info` | JUnit, lcov |
| `history.jsonl` | a line a regression, for the trend; kept from run to run |
| `index.html` | the page |
"""
