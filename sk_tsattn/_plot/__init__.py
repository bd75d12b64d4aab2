"""Displays of attention, of its faithfulness and of the loss curve of a fit."""
