"""Fixtures of the real services for this folder."""

from tests.services.fixtures import influxdb, kafka

__all__ = ["influxdb", "kafka"]
