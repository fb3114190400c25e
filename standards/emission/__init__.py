"""The emission law: outlets of plants and sewage works (HJ 75, HJ 356, HJ 212 Annex D, marking rules, limits).

See docs/law-emission.md. A number is an exact rational ``num / den`` (``exact``), MISSING where there is none; amounts
are int64 µg (10⁻⁹ kg); verdicts, reasons and sources are uint8 codes of the tuples in ``hours``.
"""
