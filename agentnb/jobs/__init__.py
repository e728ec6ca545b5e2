"""Jobs: notebooks and workflows that run by themselves, with parameters, schedules, limits and an exit code that tells the truth."""
