"""The law of facility supervision (环保设施运行监管): rules R1 to R25 of emission.md §5, as one table-driven engine.

``engine.review`` asks all of them about one outlet; docs/law-facility.md says how. What comes out is always *suspected*
(疑似), never *proven*. Numbers are whole numbers and fractions throughout, so that a value equal to a threshold is
judged as such, and the same series give the same suspicions however the log was cut.
"""
