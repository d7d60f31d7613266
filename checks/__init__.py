"""The built-in checks, one module a concern; installed as ``ot_doctor_checks``."""
