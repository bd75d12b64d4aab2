"""Pictures of attention, of its faithfulness and of the losses of a fit."""
