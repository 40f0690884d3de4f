"""The panel of the investigation notebook: a case from intake to a report that can be checked."""

from toolkit.widgets.casework.panel import Casework

__all__ = ["Casework"]
