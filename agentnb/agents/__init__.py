"""Agents: what they are, the states that they go through, their tools, and one execution of one."""
