"""Data sets: real series with a time index, and synthetic tasks with known driving cells.

Every generator ``make_*`` returns ``(X, y, drivers)``: windows, targets, and a boolean array of the
shape of X that is True at the cells that determine the target of that sample.
"""

from ._boxes import make_boxes
from ._decoys import make_decoys
from ._fixed_cells import make_different_times, make_fixed_cells
from ._loaders import (
    load_appliances_energy,
    load_beijing_pm25,
    load_bike_sharing,
    load_gas_furnace,
)
from ._marked_cells import make_adding, make_marked_cell
from ._switch import make_switch

__all__ = [
    "load_appliances_energy",
    "load_beijing_pm25",
    "load_bike_sharing",
    "load_gas_furnace",
    "make_adding",
    "make_boxes",
    "make_decoys",
    "make_different_times",
    "make_fixed_cells",
    "make_marked_cell",
    "make_switch",
]
