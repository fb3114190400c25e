"""The real InfluxDB for the queries of the panels."""

from tests.services.fixtures import influxdb

__all__ = ["influxdb"]
