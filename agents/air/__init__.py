"""The air agent: hour cells, AQI of stations and areas, days, tallies, budget, ranking, differences, silence."""

from agents.air.judge import AirJudge

__all__ = ["AirJudge"]
