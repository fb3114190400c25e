"""Fixtures of the real services for this folder."""

from tests.services.fixtures import fresh, influxdb, kafka, own_influxdb, own_kafka

__all__ = ["fresh", "influxdb", "kafka", "own_influxdb", "own_kafka"]
