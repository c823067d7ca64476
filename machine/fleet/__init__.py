"""Fleets: one file that says which machines there shall be, the plan that compares it with what is, and its apply."""
