"""All tests. Their processes share the cores with each other and with the programs they start, and wait as those do."""

from indexer.processors import share_cores_between_threads

share_cores_between_threads()
