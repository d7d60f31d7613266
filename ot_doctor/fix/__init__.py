"""Carries out what remedies name: the only room that changes an installation."""
