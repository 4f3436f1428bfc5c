"""Problems that an environment should leave out: lists of them, one for each dataset, and why."""
