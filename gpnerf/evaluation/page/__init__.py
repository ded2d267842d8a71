"""The page of an evaluation: `report.html`, one file with all pictures and curves that needs no network."""

from gpnerf.evaluation.page.content import Curve, Report, Table, ViewEntry
from gpnerf.evaluation.page.curves import read_curves
from gpnerf.evaluation.page.page import write_page

__all__ = ["Curve", "Report", "Table", "ViewEntry", "read_curves", "write_page"]
