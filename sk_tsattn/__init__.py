"""The attention LSTM for scikit-learn.

Axes are always ``(samples, time, features)``, oldest step first.
"""
