"""The page of an evaluation: `report.html`, one file with all pictures and curves that needs no network."""

from gpnerf.report_page.content import Curve, Report, Table, ViewEntry
from gpnerf.report_page.curves import read_curves
from gpnerf.report_page.page import write_page

__all__ = ["Curve", "Report", "Table", "ViewEntry", "read_curves", "write_page"]
