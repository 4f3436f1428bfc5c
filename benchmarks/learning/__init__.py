"""Whether the agent learns to use feedback: tiny tasks, a tiny model, everything else real."""
