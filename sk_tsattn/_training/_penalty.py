"""What an open gate must be worth."""

# The relative fall of the loss that an open gate must be worth: at the peak, and at the end.
HIGH_PRICE, LOW_PRICE = 0.15, 0.0005
# Both are lower with many windows n. A cell that means nothing lowers the error of n windows by
# about 1 / n of it, and the luckiest of many cells by several times that: the price never falls
# below LOW_WINDOWS / n, or below CHECKED_WINDOWS / n where a validation part tells which is which.
LOW_WINDOWS, CHECKED_WINDOWS = 11, 5
# The peak is HIGH_WINDOWS / n, or more where the schedule lets it rise on.
HIGH_WINDOWS = 400
# At its peak, the price of what the scorer reads is this share of that of an open gate. It falls as
# this power of it: slower, or what is read for nothing would not close in time. But it never falls
# below the low price: the luckiest of many cells may be one that is read.
READ_PRICE, READ_POWER = 0.15, 0.4


def is_priced(network):
    """Say whether a network's gates have a price."""
    return hasattr(getattr(network, "gate", None), "penalty")


def prices(n_samples, *, checked):
    """Give the lowest and the highest price of an open gate with so many training windows.

    ``checked`` says whether there is a validation part.
    """
    n_windows = CHECKED_WINDOWS if checked else LOW_WINDOWS
    low = min(max(LOW_PRICE, n_windows / n_samples), HIGH_PRICE)
    return low, max(low, min(HIGH_PRICE, HIGH_WINDOWS / n_samples))


def set_prices(gate, price, low, high):
    """Set the price of an open gate, and from it that of what its scorer reads.

    ``low`` and ``high`` are the ends between which the first falls.
    """
    gate.penalty = price
    falling = READ_PRICE * high ** (1 - READ_POWER) * price**READ_POWER
    gate.gating_penalty = max(falling, min(price, low))
