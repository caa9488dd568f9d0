"""The stag hunt for ludens: a game, a policy, a preference and a study."""
