"""The page of an evaluation: `report.html`, one file with all pictures and curves that needs no network."""

from gpnerf.evaluation.page.content import Curve, Report, ViewEntry
from gpnerf.evaluation.page.document import write_page
from gpnerf.evaluation.page.training_log import read_curves

__all__ = ["Curve", "Report", "ViewEntry", "read_curves", "write_page"]
