"""Backtests: fit on the past, predict the block after it, fold by fold."""
