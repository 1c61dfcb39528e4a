"""Defects planted in the RTL by a draw, and how many of them the regression's tests notice.

`sites` finds what may be changed, `draw` chooses by a seed, `tree` writes a copy of rtl/ that has all of them and obeys one number,
`suite` says which tests could notice, `hunt` plays them, `told` says what came of it.
"""
