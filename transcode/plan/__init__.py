"""Plan a job: which rungs, which ranges, in which order. Pure."""

from transcode.plan.build import SourceFacts, build_plan

__all__ = ["SourceFacts", "build_plan"]
