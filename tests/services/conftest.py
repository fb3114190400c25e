"""Fixtures of the real services for this folder."""

from tests.services.fixtures import influxdb, kafka, own_influxdb

__all__ = ["influxdb", "kafka", "own_influxdb"]
