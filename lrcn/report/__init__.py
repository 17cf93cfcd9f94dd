"""A run, or the folder of a sweep, as one HTML file that needs nothing else: no network, no files."""
