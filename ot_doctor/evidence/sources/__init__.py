"""The code that gathers evidence, one module a source; ``ot_doctor.evidence.store`` imports each when it is needed."""
