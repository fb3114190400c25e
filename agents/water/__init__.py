"""The water judge: hour cells, classes, days and months of sections, warnings, arrivals down the river, the border."""

from agents.water.judge import WaterJudge

__all__ = ["WaterJudge"]
