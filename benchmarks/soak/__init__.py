"""Many clients, hostile ones too, against a server that is being reindexed; then twice what it can answer."""
