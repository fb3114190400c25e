"""The air agent beside what others would use: the same minutes, the same Apache Kafka, the same hour means.

Run: ``python -m benchmarks agents``, with ``--quick`` in two minutes, with ``--docs`` to write the section of
docs/performance.md anew. Everything but ``python -m envstream worker`` is in this folder, a contestant per module.
"""
