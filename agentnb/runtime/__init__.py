"""Starts, watches, resumes and ends runs."""
