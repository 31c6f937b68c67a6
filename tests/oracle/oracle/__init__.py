"""What the oracle is made of, see tests/oracle/run."""
