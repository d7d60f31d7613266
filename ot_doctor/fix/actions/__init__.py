"""How each action is done, one module a concern; ``ot_doctor.fix.catalogue`` says which class does which."""
