"""Problems from datasets: one module for each format, all read through a ProblemSet."""
