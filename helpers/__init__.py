"""The course's tools, one room each, in the order the data flow.

`galaxies` knows the three galaxies, `simulate` makes the embedded survey, `survey` opens it,
`maps` reads FITS files, `resolution` brings maps to one resolution and one grid, `features`
makes the table, `forest` measures distances, `embedding` draws them in two dimensions,
`clusters` groups them, and `plots` shows all of it.
"""
