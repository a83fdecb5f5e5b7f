"""The course's tools, one room each, in the order the data flow.

`galaxies` knows the three galaxies; `scene`, `onezone` and `simulate` make the embedded survey of
them; `fitsfile` and `maps` read FITS files, `survey` knows which file holds which map;
`resolution` brings maps to one resolution and one grid; `features` makes the table; `forest` and
`distances` find neighbours; `layout` and `embedding` draw them in two dimensions, and `quality`
says how far to believe the picture; `linkage` and `clusters` group, `comparison` and `stability`
judge the groups; `plots` shows all of it. `memory` says how much of it is free. `exercises` holds
the tasks, checks, hints and solutions. Behind the words of course.py stand `doctor`, `measure`,
`remake` and `lock`.
"""
