"""The emission agent: hour cells and judgements of outlets, marks and budgets, amounts, totals, rates, conditions."""

from agents.emission.judge import EmissionJudge

__all__ = ["EmissionJudge"]
