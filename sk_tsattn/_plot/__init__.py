"""Displays of attention, of its faithfulness, of backtests and of the training."""
