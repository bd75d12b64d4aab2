"""Data sets: real series with a time index, and made ones whose driving cells are known."""

from sk_tsattn.datasets._generators import (
    make_adding,
    make_boxes,
    make_decoys,
    make_different_times,
    make_fixed_cells,
    make_marked_cell,
    make_switch,
)
from sk_tsattn.datasets._loaders import (
    load_appliances_energy,
    load_beijing_pm25,
    load_bike_sharing,
    load_gas_furnace,
)

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
