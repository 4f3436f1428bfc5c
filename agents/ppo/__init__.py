"""RLEF: PPO with a policy over tokens and values over turns (arXiv:2410.02089)."""
