"""From rows to batches: checked input, windows, splits, scaling, tensors."""
