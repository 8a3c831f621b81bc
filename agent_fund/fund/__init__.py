"""The loop: market, agents, guard, execution, book; every arrow is a record."""
