# torture.mk: the programs of the rows in tests/torture/run; tests.mk includes
# it.
TORTURE_PROGRAMS :=
