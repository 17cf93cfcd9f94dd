"""A run, or the folder of a sweep, as one HTML file that needs no network and no other file."""
