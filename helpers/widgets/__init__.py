"""Explorers: pictures with controls, thin shells over scenes that tests can draw without them.

Each is imported from its own module, such as ``from helpers.widgets.maps import MapExplorer``.
"""
