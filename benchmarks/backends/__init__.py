"""Whether all backends of a suite write the same replies, and how fast each is."""
