"""The water law: surface water (GB 3838, 环办〔2011〕22号), groundwater (GB/T 14848), data rules.

See docs/law-water.md. Quantities are int64 counts of 10**-places of the item's unit (``items``), MISSING where there is
none; classes are int8, 1 best, NO_CLASS (-1) where there is nothing to judge. Matrices have one row per item and one
column per sample.
"""
