"""Warnings of this package. Errors are Python's ValueError and those of scikit-learn."""


class HistoryWarning(UserWarning):
    """Warning about windows whose history is missing or has holes.

    Raised once a call, with the number of rows concerned and the first of them, if

    - rows are predicted from windows with fewer rows than any window of ``fit`` had, since the
      rows before them are not known; or
    - windows reach across missing time stamps of an otherwise regular index.
    """


__all__ = ["HistoryWarning"]
