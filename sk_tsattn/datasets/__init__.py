"""Data sets: real series with a time index, and synthetic tasks with known driving cells.

Every generator ``make_*`` returns ``(X, y, drivers)``: windows, targets, and a boolean array of the
shape of X that is True at the cells that determine the target of that sample. Targets are numbers,
or classes from 0 to 3 (``make_periodic_spikes``, ``make_trends``, ``make_low_variance``).
"""

from ._boxes import make_boxes
from ._decoys import make_decoys
from ._event import make_event
from ._fixed_cells import make_different_times, make_fixed_cells
from ._loaders import (
    load_appliances_energy,
    load_beijing_pm25,
    load_bike_sharing,
    load_gas_furnace,
)
from ._low_variance import make_low_variance
from ._marked_cells import make_adding, make_marked_cell
from ._periodic_spikes import make_periodic_spikes
from ._switch import make_switch
from ._trends import make_trends

__all__ = [
    "load_appliances_energy",
    "load_beijing_pm25",
    "load_bike_sharing",
    "load_gas_furnace",
    "make_adding",
    "make_boxes",
    "make_decoys",
    "make_different_times",
    "make_event",
    "make_fixed_cells",
    "make_low_variance",
    "make_marked_cell",
    "make_periodic_spikes",
    "make_switch",
    "make_trends",
]
