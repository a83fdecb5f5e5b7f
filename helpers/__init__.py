"""The course's tools, one room each, in the order the data flow.

`galaxies` knows the three galaxies; `scene` and `simulate` make the embedded survey of them;
`fitsfile` and `maps` read FITS files, `survey` knows which file holds which map; `resolution`
brings maps to one resolution and one grid; `features` makes the table; `forest` measures
distances, `embedding` draws them in two dimensions, `clusters` groups them; `plots` shows all of
it. `memory` says how much of it
is free. Behind the words of course.py stand `doctor`, `measure`, `remake` and `lock`.
"""
