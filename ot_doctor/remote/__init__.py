"""The doctor on other machines."""
