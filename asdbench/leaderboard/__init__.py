"""The leaderboard: published and measured results, ranked, rendered and checked."""
